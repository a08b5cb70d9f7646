"""What the database keeps of routes and sessions: every address with the route that leads to it, sessions that were heard of."""

from ipaddress import ip_address, ip_network

import pytest
from rpds import HashTrieMap

from suite.model.announcement import Announcement
from suite.model.peering import Peering, SessionState
from suite.model.service import ServiceRef
from suite.speaker.peerings import session_states
from suite.speaker.plan import Part, Plan, Route
from suite.speaker.route_view import by_bgp, silence

V4 = frozenset({4})
VIP = ip_address("10.10.10.10")
SINGLE, WHOLE = Route(ip_network("10.10.10.10/32")), Route(ip_network("10.10.10.0/24"), peers=("rack",))


def plan(*routes: Route) -> Plan:
    return Plan(parts=HashTrieMap({ServiceRef("default", "coffee"): Part(routes=routes, addresses=(VIP,))}))


def told(peer: str, prefix: str) -> Announcement:
    return Announcement(VIP, "node1", "bgp", peer=peer, prefix=prefix)


def test_each_peer_that_is_up_has_a_row_for_each_address() -> None:
    rows = by_bgp(plan(SINGLE), "node1", {"gateway": V4, "rack": V4})

    assert rows == {told("gateway", "10.10.10.10/32"), told("rack", "10.10.10.10/32")}


def test_an_address_has_no_row_for_a_session_that_does_not_carry_its_family() -> None:
    assert by_bgp(plan(SINGLE), "node1", {"gateway": frozenset({6}), "rack": frozenset()}) == frozenset()


def test_an_aggregate_stands_with_the_addresses_it_leads_to() -> None:
    rows = by_bgp(plan(WHOLE), "node1", {"gateway": V4, "rack": V4})

    assert rows == {told("rack", "10.10.10.0/24")}


@pytest.mark.parametrize(
    ("state", "why", "kept"),
    [
        ("Established", "", {SessionState("node1", "gateway", "192.168.1.1", True, 64512, "192.168.1.1")}),
        ("Idle", "refused", {SessionState("node1", "gateway", "192.168.1.1", False, why="refused")}),
        ("Connect", "", set()),
    ],
    ids=["up", "down for a reason", "not heard of yet"],
)
def test_a_session_is_kept_once_something_is_known_of_it(state: str, why: str, kept: set[SessionState]) -> None:
    peering = Peering("gateway", "node1", "192.168.1.1", state, 1.0, 64512, "192.168.1.1", why=why)

    assert session_states([peering]) == kept


UP = Peering("gateway", "node1", "192.168.1.1", "Established", 1.0, families=("ipv4",))
DOWN = Peering("rack", "node1", "10.9.0.1", "Connect", 1.0, why="connect: no answer")


@pytest.mark.parametrize(
    ("route", "peerings", "faults", "said"),
    [
        (SINGLE, [UP, DOWN], {}, None),
        (SINGLE, [DOWN], {}, "the session with rack is not up (connect: no answer)"),
        (WHOLE, [UP, DOWN], {}, "the session with rack is not up (connect: no answer)"),
        (SINGLE, [], {"rack": "peer rack waits: eth1 has no router"}, "peer rack waits: eth1 has no router"),
        (SINGLE, [], {}, "it has no BGP peer for it"),
    ],
    ids=["one hears", "nobody answers", "its own peer is down", "no session can be", "no peer"],
)
def test_an_address_that_no_router_hears_of_has_its_reason(route, peerings, faults, said) -> None:
    found = silence(plan(route), "node1", peerings, faults)

    assert [each.message for each in found.values()] == ([f"node1 can tell no router of it: {said}"] if said else [])


def test_an_address_of_a_family_that_no_session_carries_has_its_reason() -> None:
    vip6 = ip_address("2001:db8:10::10")
    made = Plan(parts=HashTrieMap({ServiceRef("a", "b"): Part(routes=(Route(ip_network(vip6)),), addresses=(vip6,))}))

    message = silence(made, "node1", [UP], {})[vip6].message

    assert message == "node1 can tell no router of it: the session with gateway carries no IPv6"
