"""An address is asked for before it is announced, unless the fleet has it already."""

from ipaddress import ip_address

from suite.l2.probe import Finding, Verdict
from suite.speaker.membership import NodeView
from suite.speaker.proving import Proving

VIP, OTHER = ip_address("10.0.42.0"), ip_address("fd00:42::1")
STRANGER = bytes.fromhex("0200000000ff")


def finding(verdict, address=VIP):
    return Finding(address.packed, verdict, 1.0, None if verdict is Verdict.CLEAN else STRANGER)


def asked(address=VIP):
    """A node that wants to announce one address and has asked for it."""
    proving = Proving()
    proving.admit("eth0", frozenset({address}), 0.0)
    proving.to_ask()
    return proving


def test_a_new_address_is_asked_for_and_kept_back():
    proving = Proving()

    assert proving.admit("eth0", frozenset({VIP}), 0.0) == frozenset()
    assert proving.to_ask() == [("eth0", VIP)]


def test_a_question_under_way_is_not_asked_twice():
    proving = asked()

    proving.admit("eth0", frozenset({VIP}), 0.1)

    assert proving.to_ask() == []


def test_silence_lets_an_address_be_announced():
    proving = asked(OTHER)

    proving.note("eth0", finding(Verdict.CLEAN, OTHER), 0.5)

    assert proving.admit("eth0", frozenset({OTHER}), 0.5) == {OTHER}


def test_silence_on_one_interface_says_nothing_about_another():
    proving = asked()
    proving.note("eth0", finding(Verdict.CLEAN), 0.5)

    assert proving.admit("eth1", frozenset({VIP}), 0.5) == frozenset()
    assert proving.to_ask() == [("eth1", VIP)]


def test_what_another_node_answered_for_is_taken_over_at_once():
    proving = Proving()
    proving.hear({"compute1": NodeView("compute1", claims=frozenset({VIP.packed}))}, "compute2")

    assert proving.admit("eth0", frozenset({VIP}), 0.0) == {VIP}


def test_our_own_claim_proves_nothing():
    proving = Proving()
    proving.hear({"compute1": NodeView("compute1", claims=frozenset({VIP.packed}))}, "compute1")

    assert proving.admit("eth0", frozenset({VIP}), 0.0) == frozenset()


def test_a_strangers_address_is_kept_back_and_asked_for_again_after_ten_seconds():
    proving = asked()
    proving.note("eth0", finding(Verdict.TAKEN), 1.0)

    assert (proving.admit("eth0", frozenset({VIP}), 10.9), proving.to_ask()) == (frozenset(), [])
    assert proving.next_timer() == 11.0
    assert (proving.admit("eth0", frozenset({VIP}), 11.0), proving.to_ask()) == (frozenset(), [("eth0", VIP)])


def test_a_double_inside_the_fleet_keeps_nothing_back():
    proving = asked()

    proving.note("eth0", finding(Verdict.FLEET), 0.2)

    assert proving.admit("eth0", frozenset({VIP}), 0.2) == {VIP}


def test_an_address_that_leaves_the_plan_and_comes_back_is_asked_for_anew():
    proving = asked()
    proving.note("eth0", finding(Verdict.CLEAN), 0.5)

    proving.keep([OTHER])

    assert proving.admit("eth0", frozenset({VIP}), 1.0) == frozenset()


def test_nothing_is_due_for_an_address_that_moved_to_another_node():
    proving = asked()
    proving.note("eth0", finding(Verdict.TAKEN), 1.0)

    proving.admit("eth0", frozenset(), 2.0)

    assert proving.next_timer() is None


def test_an_interface_that_went_away_is_asked_on_again_when_it_is_back():
    proving = asked()
    proving.lose("eth0")

    proving.admit("eth0", frozenset({VIP}), 3.0)

    assert proving.to_ask() == [("eth0", VIP)]


def test_switched_off_nothing_is_asked():
    proving = Proving(is_on=False)

    assert (proving.admit("eth0", frozenset({VIP}), 0.0), proving.to_ask()) == ({VIP}, [])
