"""The predicted best path is the one FRR and BIRD mark."""

import json
import re
from collections.abc import Callable
from ipaddress import IPv4Address, ip_address
from pathlib import Path as File

import pytest
from fix_netns import NetLab, eventually
from routers import ROUTER4, BgpLab, Speaker, peer_config, prefixes

from suite.bgp.bestpath import BIRD, FRR, Path, choose
from suite.bgp.export import RouteAttributes

pytestmark = [pytest.mark.peer, pytest.mark.net]

(VIP,) = prefixes("10.10.10.10/32")
NODES = {f"10.9.0.{n}": identifier for n, identifier in ((103, "10.0.0.9"), (101, "10.0.0.30"), (102, "10.0.0.5"))}
CASES = [
    pytest.param(64512, {}, id="equal AS numbers"),
    pytest.param(64513, {}, id="different AS numbers"),
    pytest.param(64512, {"10.9.0.101": 200}, id="one preferred"),
]


@pytest.fixture
def bgplab(netlab: NetLab, tmp_path: File) -> BgpLab:
    lab = BgpLab(netlab, tmp_path)
    for address in NODES:
        lab.node.ip("address", "add", f"{address}/24", "dev", "eth0")
    return lab


def announce(
    speaker: Speaker, asn: int, preferences: dict[str, int], marked: Callable[[], list[tuple[str, bool]]]
) -> list[Path]:
    """Each node announces when the router has marked a best one of those before; the paths as the router sees them.

    Without that wait FRR may see all of them before it chooses for the first time, and then none is the oldest.
    """
    paths = []
    for order, (address, identifier) in enumerate(NODES.items()):
        source = ip_address(address)
        peer = speaker.peer(peer_config(source=source, identifier=IPv4Address(identifier), local_as=asn))
        preference = preferences.get(address)
        speaker.call(peer.announce, {VIP: RouteAttributes(local_pref=preference)})
        assert speaker.is_up(peer)
        assert eventually(lambda count=order + 1: len(marked()) == count and any(best for _, best in marked()), 8)
        internal = asn == 64512
        paths.append(
            Path(source, IPv4Address(identifier), internal, asn, int(not internal), preference or 100, order=order)
        )
    return paths


@pytest.mark.parametrize(("asn", "preferences"), CASES)
def test_frr_marks_the_predicted_path(bgplab: BgpLab, asn: int, preferences: dict[str, int]) -> None:
    neighbors = "".join(f" neighbor {address} remote-as {asn}\n neighbor {address} passive\n" for address in NODES)
    frr = bgplab.frr(f"router bgp 64512\n bgp router-id {ROUTER4}\n no bgp ebgp-requires-policy\n{neighbors}")

    with bgplab.speaker() as speaker:

        def marked() -> list[tuple[str, bool]]:
            found = json.loads(frr.vtysh("show bgp ipv4 unicast 10.10.10.10/32 json")).get("paths", [])
            return [(path["peer"]["peerId"], "overall" in path.get("bestpath", {})) for path in found]

        predicted = choose(announce(speaker, asn, preferences, marked), FRR).best.neighbor

        assert eventually(lambda: (str(predicted), True) in marked(), 3), frr.vtysh(
            "show bgp ipv4 unicast 10.10.10.10/32 json"
        )


@pytest.mark.parametrize(("asn", "preferences"), CASES)
def test_bird_marks_the_predicted_path(bgplab: BgpLab, asn: int, preferences: dict[str, int]) -> None:
    protocols = "".join(
        f"protocol bgp n{n} {{ local as 64512; neighbor {address} as {asn}; passive on; ipv4 {{ import all; export none; }}; }}\n"
        for n, address in enumerate(NODES)
    )
    bird = bgplab.bird(protocols)

    with bgplab.speaker() as speaker:

        def marked() -> list[tuple[str, bool]]:
            text = bird.birdc("show", "route", "10.10.10.10/32", "all")
            found = re.findall(r"\[n(\d) [^\]]*\] (\*?)", text)
            return [(list(NODES)[int(number)], bool(star)) for number, star in found]

        predicted = choose(announce(speaker, asn, preferences, marked), BIRD).best.neighbor

        assert eventually(lambda: (str(predicted), True) in marked(), 8), (predicted, bird.birdc("show", "route"))
