"""The next free addresses are asked for before anybody gets them; silence counts for a minute."""

from ipaddress import ip_address, ip_network

from suite.l2.probe import Finding, Verdict
from suite.speaker.heartbeat import UsableLink
from suite.speaker.lookahead import Lookahead

VIP, OTHER, FAR = ip_address("10.0.42.0"), ip_address("10.0.42.1"), ip_address("192.168.7.7")
LINKS = (UsableLink("eth0", ip_network("10.0.0.0/16"), bytes.fromhex("020000001001")),)


def looking(*addresses):
    ahead = Lookahead()
    ahead.keep(addresses or (VIP, OTHER))
    return ahead


def clean(address=VIP, at=0.0):
    ahead = looking()
    ahead.to_ask(LINKS, at)
    ahead.note("eth0", Finding(address.packed, Verdict.CLEAN, at), at)
    return ahead


def test_each_address_is_asked_for_where_its_network_is():
    assert looking(VIP, OTHER, FAR).to_ask(LINKS, 0.0) == [("eth0", VIP), ("eth0", OTHER)]


def test_a_question_comes_again_after_its_interval():
    ahead = looking(VIP)
    ahead.to_ask(LINKS, 0.0)

    assert ahead.next_timer() == 25.0
    assert ahead.to_ask(LINKS, 24.9) == []
    assert ahead.to_ask(LINKS, 25.0) == [("eth0", VIP)]


def test_a_new_address_is_asked_for_at_once():
    ahead = clean()

    ahead.keep([OTHER, ip_address("10.0.42.2")])

    assert ahead.to_ask(LINKS, 1.0) == [("eth0", ip_address("10.0.42.2"))]


def test_silence_counts_for_a_minute_and_only_on_its_interface():
    ahead = clean(at=0.0)

    assert ahead.is_clean("eth0", VIP, 59.9)
    assert not ahead.is_clean("eth0", VIP, 60.0)
    assert not ahead.is_clean("eth1", VIP, 1.0)


def test_silence_still_counts_when_the_address_is_leased_and_no_more_asked_for():
    ahead = clean()

    ahead.keep([OTHER])

    assert ahead.is_clean("eth0", VIP, 1.0)


def test_a_stranger_ends_it():
    ahead = clean()

    ahead.note("eth0", Finding(VIP.packed, Verdict.TAKEN, 2.0, bytes.fromhex("0200000000ff")), 2.0)

    assert not ahead.is_clean("eth0", VIP, 2.0)


def test_an_interface_that_went_away_proves_nothing():
    ahead = clean()

    ahead.lose("eth0")

    assert not ahead.is_clean("eth0", VIP, 1.0)
    assert ahead.to_ask(LINKS, 1.0) == [("eth0", VIP), ("eth0", OTHER)]


def test_what_is_old_is_forgotten():
    ahead = clean(at=0.0)

    ahead.keep([])
    ahead.to_ask(LINKS, 61.0)

    assert not ahead.is_clean("eth0", VIP, 1.0)


def test_without_a_link_nothing_is_due_until_there_is_one():
    ahead = looking()

    assert (ahead.to_ask((), 0.0), ahead.next_timer()) == ([], None)
    assert len(ahead.to_ask(LINKS, 0.0)) == 2


def test_silence_about_others_is_not_kept():
    ahead = looking()

    ahead.note("eth0", Finding(FAR.packed, Verdict.CLEAN, 0.0), 0.0)

    assert not ahead.is_clean("eth0", FAR, 0.0)
