"""FRR and BIRD load what is rendered for them and take our pools, and nothing else, from our nodes."""

from ipaddress import IPv4Address, ip_address, ip_network
from pathlib import Path

import pytest
from fix_netns import NetLab, eventually
from routers import NODE4, ROUTER4, BgpLab, dual_stack, peer_config, prefixes, stays

from suite.bgp.export import RouteAttributes
from suite.bgp.router_config import RouterSide, bird, frr

pytestmark = [pytest.mark.peer, pytest.mark.net]

INSIDE = prefixes("10.10.10.10/32", "2001:db8:10::10/128")
OUTSIDE = prefixes("10.66.0.0/24", "2001:db8:66::/64")
ROUTES = dict.fromkeys(INSIDE + OUTSIDE, RouteAttributes())
WAYS = [
    pytest.param({"nodes": (ip_address(NODE4),)}, id="one node"),
    pytest.param({"ranges": (ip_network("10.9.0.0/24"),)}, id="a range"),
    pytest.param({"nodes": (ip_address(NODE4),), "node_as": 64512, "paths": 4}, id="equal AS numbers, several paths"),
    pytest.param({"nodes": (ip_address(NODE4),), "password": "secret", "graceful_restart": True}, id="MD5, restart"),
    pytest.param({"nodes": (ip_address(NODE4),), "bfd": True, "graceful_restart": True}, id="BFD and restart"),
]


@pytest.fixture
def bgplab(netlab: NetLab, tmp_path: Path) -> BgpLab:
    return BgpLab(netlab, tmp_path)


def side(**changes: object) -> RouterSide:
    pools = (ip_network("10.10.10.0/24"), ip_network("2001:db8:10::/64"))
    fields = {"asn": 64512, "node_as": 64513, "identifier": IPv4Address(ROUTER4), "pools": pools, **changes}
    return RouterSide(**fields)


def speak(rendered: RouterSide) -> dict[str, object]:
    """The settings of our side that fit a rendered router."""
    return {**dual_stack(local_as=rendered.node_as), "password": rendered.password or None}


@pytest.mark.parametrize("way", WAYS)
def test_frr_takes_our_pools_and_nothing_else(bgplab: BgpLab, way: dict[str, object]) -> None:
    rendered = side(**way)
    router = bgplab.frr(frr(rendered), bfd=rendered.bfd)

    with bgplab.speaker() as speaker:
        peer = speaker.peer(peer_config(**speak(rendered)))
        speaker.call(peer.announce, ROUTES)

        assert router.has("10.10.10.10/32"), router.log()
        assert router.has("2001:db8:10::10/128", family="ipv6"), router.log()
        assert set(router.table()) == {"10.10.10.10/32"}


@pytest.mark.parametrize("way", WAYS)
def test_bird_takes_our_pools_and_nothing_else(bgplab: BgpLab, way: dict[str, object]) -> None:
    rendered = side(**way)
    router = bgplab.bird(bird(rendered))

    with bgplab.speaker() as speaker:
        peer = speaker.peer(peer_config(**speak(rendered)))
        speaker.call(peer.announce, ROUTES)

        assert router.has("10.10.10.10/32", "2001:db8:10::10/128", within=12), router.log()
        assert "10.66.0.0" not in router.routes()
        assert "2001:db8:66" not in router.routes()


def test_frr_stops_at_the_limit(bgplab: BgpLab) -> None:
    router = bgplab.frr(frr(side(nodes=(ip_address(NODE4),), prefix_limit=2)))
    many = prefixes(*(f"10.10.10.{n}/32" for n in range(1, 9)))

    with bgplab.speaker() as speaker:
        peer = speaker.peer(peer_config(**dual_stack()))
        speaker.call(peer.announce, dict.fromkeys(many, RouteAttributes()))

        def told() -> bool:
            return any(
                change.cause is not None and "maximum prefixes" in change.cause.text
                for change in speaker.call(peer.status).history
            )

        assert eventually(told, 8), router.log()
        assert stays(lambda: len(router.table()) <= 2, 0.5)
