"""What `suite router-config` writes keeps the router safe: of a node that announces anything at all, FRR and BIRD take our pools' prefixes."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest
from fix_netns import eventually
from routers import NODE4, NODE6, ROUTER4, BgpLab, Bird, Frr, dual_stack, peer_config, prefixes

from suite.bgp.export import RouteAttributes
from suite.bgp.prefix import Prefix
from suite.model.address import parse_range
from suite.model.advertisement import BgpAdvertisement
from suite.model.configuration import Configuration
from suite.model.node import Node
from suite.model.peer import Peer
from suite.model.pool import Pool
from suite.speaker.neighbours import neighbour
from suite.speaker.router_bird import bird
from suite.speaker.router_config import MAXIMUM_PREFIXES, Router, router_of
from suite.speaker.router_frr import frr

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.peer, pytest.mark.net]

CONFIGURATION = Configuration(
    pools=(Pool("bgp", (parse_range("10.10.10.10-10.10.10.250"), parse_range("2001:db8:10::/64"))),),
    bgp_advertisements=(BgpAdvertisement("each", pools=("bgp",)),),
)
NODES = (Node("node1", addresses=(ip_address(NODE4), ip_address(NODE6))),)
PEER = Peer("gateway", 64512, 64512, address=ip_address(ROUTER4), dual_stack_address_family=True)
OURS = ("10.10.10.10/32", "2001:db8:10::10/128")
FOREIGN = (
    "0.0.0.0/0",
    "10.10.10.0/24",
    "10.10.10.9/32",
    "192.168.1.0/24",
    "::/0",
    "2001:db8:10::/64",
    "2001:db8:11::1/128",
)
MINE = dual_stack(local_as=64512, hold_time=90)


def router(peer: Peer = PEER) -> Router:
    made = router_of(CONFIGURATION, NODES, peer, ["service."])
    assert isinstance(made, Router), made
    return made


def running_bird(lab: BgpLab, peer: Peer = PEER) -> Bird:
    return lab.bird(bird(router(peer))[0].text)


def running_frr(lab: BgpLab, peer: Peer = PEER) -> Frr:
    return lab.frr(frr(router(peer))[0].text)


def plain(*texts: str) -> dict[Prefix, RouteAttributes]:
    return dict.fromkeys(prefixes(*texts), RouteAttributes())


def one_too_many() -> dict[Prefix, RouteAttributes]:
    """More addresses of the pool than any node has Services: a mistake of ours, say."""
    return plain(*(f"2001:db8:10::{number:x}/128" for number in range(MAXIMUM_PREFIXES + 1)))


def test_bird_takes_our_prefixes_and_no_others(bgplab: BgpLab) -> None:
    router = running_bird(bgplab)

    with bgplab.speaker() as speaker:
        peer = speaker.peer(peer_config(**MINE))
        speaker.call(peer.announce, plain(*FOREIGN, *OURS))

        assert router.has(*OURS), router.log()
        assert not [prefix for prefix in FOREIGN if f"\n{prefix} " in router.birdc("show", "route")]


def test_frr_takes_our_prefixes_and_no_others(bgplab: BgpLab) -> None:
    router = running_frr(bgplab)

    with bgplab.speaker() as speaker:
        peer = speaker.peer(peer_config(**MINE))
        speaker.call(peer.announce, plain(*FOREIGN, *OURS))

        assert router.has(OURS[0]), router.log()
        assert router.has(OURS[1], family="ipv6"), router.log()
        assert set(router.table()) | set(router.table("ipv6")) == set(OURS)


def test_bird_takes_no_more_than_the_limit(bgplab: BgpLab) -> None:
    router = running_bird(bgplab)

    with bgplab.speaker() as speaker:
        peer = speaker.peer(peer_config(**MINE))
        speaker.call(peer.announce, one_too_many())

        assert eventually(lambda: "limit" in router.log(), 20, every=0.1), router.log()
        assert f"{MAXIMUM_PREFIXES} of {MAXIMUM_PREFIXES} routes" in router.birdc("show", "route", "count")


def test_frr_ends_the_session_of_a_node_that_goes_over_the_limit(bgplab: BgpLab) -> None:
    running_frr(bgplab)

    with bgplab.speaker() as speaker:
        peer = speaker.peer(peer_config(idle_hold_time=60, idle_hold_max=60, **MINE))
        speaker.call(peer.announce, one_too_many())

        def causes() -> list[str]:
            return [change.cause.text for change in speaker.call(peer.status).history if change.cause]

        assert eventually(lambda: "received cease/maximum prefixes" in causes(), 20, 0.1), causes()


@pytest.mark.parametrize("asn", [64512, 64513], ids=["internal", "external"])
@pytest.mark.parametrize("start", [running_bird, running_frr], ids=["bird", "frr"])
def test_with_ttl_security_what_is_written_for_the_router_and_what_we_do_meet(
    bgplab: BgpLab, start: Callable[[BgpLab, Peer], Bird | Frr], asn: int
) -> None:
    near = replace(PEER, my_asn=asn, ttl_security=1)
    router, ours = start(bgplab, near), neighbour(near, NODES[0], ())

    with bgplab.speaker() as speaker:
        peer = speaker.peer(ours.config)
        speaker.call(peer.announce, plain(*OURS))

        assert router.has(OURS[0]), router.log()
        assert "ttl security on" in router.config or "ttl-security hops 1" in router.config
