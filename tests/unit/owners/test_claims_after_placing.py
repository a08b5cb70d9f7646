"""What a turn says comes in an order: who hears of a claim may rely on an answer, and no greeting waits for one."""

from ipaddress import ip_address, ip_network

from suite.speaker.duty import Duty
from suite.speaker.heartbeat import Standing, UsableLink
from suite.speaker.membership import Membership
from suite.speaker.ownership import Entry, Ownership

VIP = ip_address("10.0.42.0")
LAN = UsableLink("eth0", ip_network("10.0.0.0/16"), bytes(6))
PLAN = {VIP: Entry(VIP, ("owner", "other"))}


def duty(name):
    """A speaker that has just begun and knows its link; nobody has told it a plan."""
    membership = Membership(name, name.encode().ljust(8), 0.0)
    membership.configure(["owner", "other"], [b"the fleet's key"])
    made = Duty(membership, Ownership(name))
    made.link_up([LAN], 0.0)
    return made


def acquainted():
    """Two speakers that hear each other, the first to own the address as soon as it has a plan; and the time."""
    owner, other = duty("owner"), duty("other")
    for step in range(60):
        now = step * 0.1
        for speaker, listener in ((owner, other), (other, owner)):
            hear(listener, speaker.turn(now).datagrams, now)
    return owner, other, now


def hear(listener, datagrams, now):
    for _, datagram in datagrams:
        listener.receive(datagram, now)


def test_the_claim_is_told_after_the_decision_is_carried_out_and_what_is_due_before():
    owner, other, now = acquainted()
    owner.adopt(PLAN, Standing(1, "e"), now + 0.3)

    turn = owner.turn(now + 0.3)
    hear(other, turn.greetings, now + 0.3)
    while_placing = other.nodes()["owner"].claims
    hear(other, turn.claims, now + 0.3)

    assert (bool(turn.greetings), turn.decision.gained, while_placing) == (True, {VIP}, frozenset())
    assert other.nodes()["owner"].claims == {VIP.packed}


def test_an_address_is_given_up_before_others_are_told_so():
    owner, other, now = acquainted()
    owner.adopt(PLAN, Standing(1, "e"), now + 0.3)
    hear(other, owner.turn(now + 0.3).datagrams, now + 0.3)
    owner.link_up([], now + 0.6)

    turn = owner.turn(now + 0.6)
    hear(other, turn.greetings, now + 0.6)

    assert (turn.decision.lost, other.nodes()["owner"].claims) == ({VIP}, {VIP.packed})
