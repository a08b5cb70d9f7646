"""How long a router keeps the routes of a node that dies without a word, with BFD at 3 times 300 ms (the default) and 3 times
100 ms, and with graceful restart beside it. The router is told what `suite router-config` writes for it.

    python tests/bench/bgp/silent_node.py [--rounds 5]              (root; BIRD and FRR from Debian)

The node's packets to the router are dropped from one moment on (nothing closes, no carrier is lost); the clock stops
when the router has lost the route: with FRR its kernel, with BIRD, which has no kernel protocol here, its own table (asking
vtysh would take longer than what is measured). The hold time is 90 s, so only BFD can be the reason.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from fix_netns import eventually, network
from routers import LOCAL_AS, NODE4, ROUTER4, ROUTER_AS, BgpLab, Bird, Frr, peer_config

from suite.bgp.bfd import BfdProfile, BfdStatus
from suite.bgp.bfd_link import BfdPeer
from suite.bgp.export import RouteAttributes
from suite.bgp.prefix import Prefix
from suite.model.address import parse_range
from suite.model.advertisement import BgpAdvertisement
from suite.model.configuration import Configuration
from suite.model.node import Node
from suite.model.peer import BfdProfile as Profile
from suite.model.peer import Peer
from suite.model.pool import Pool
from suite.speaker.router_bird import bird
from suite.speaker.router_config import Router, router_of
from suite.speaker.router_frr import frr

GOAL = 1000
"""Milliseconds: a dead node's routes are gone within a second."""


@dataclass(frozen=True)
class Case:
    """BFD's interval in milliseconds, and the seconds that the router keeps routes over a restart; 0 for not at all."""

    interval: int
    restart_time: int = 0

    def __str__(self) -> str:
        """As the line in the output says it."""
        graceful = f", graceful restart with {self.restart_time} s" if self.restart_time else ""
        return f"BFD at 3 times {self.interval} ms{graceful}"

    def goal(self, router: str) -> str:
        """What the router can be asked for: BIRD takes every silence for a restart where there is graceful restart."""
        if router == "bird" and self.restart_time:
            return f"BIRD keeps the route for {self.restart_time} s more"
        return f"goal: {GOAL}"


CASES = (Case(300), Case(100), Case(300, restart_time=3))
VIP = Prefix.parse("10.10.10.10/32")


def written(case: Case) -> Router:
    """What `suite router-config` knows of the one node and its router."""
    peer = Peer(
        "gateway",
        LOCAL_AS,
        ROUTER_AS,
        address=ip_address(ROUTER4),
        bfd_profile="bench",
        graceful_restart=case.restart_time > 0,
        graceful_restart_time=case.restart_time,
    )
    configuration = Configuration(
        pools=(Pool("bgp", (parse_range("10.10.10.10-10.10.10.250"),)),),
        bgp_advertisements=(BgpAdvertisement("bgp", pools=("bgp",)),),
        peers=(peer,),
        bfd_profiles=(Profile("bench", case.interval, case.interval),),
    )
    made = router_of(configuration, [Node("node", addresses=(ip_address(NODE4),))], peer, [])
    assert isinstance(made, Router), made
    return made


def running_bird(lab: BgpLab, case: Case) -> Bird:
    return lab.bird(bird(written(case))[0].text)


def running_frr(lab: BgpLab, case: Case) -> Frr:
    daemons = lab.frr("", bfd=True)
    (daemons.folder / "suite.conf").write_text(frr(written(case))[0].text, encoding="utf-8")
    lab.router.run("vtysh", "--vty_socket", str(daemons.folder), "-f", str(daemons.folder / "suite.conf"))
    return daemons


ROUTERS: dict[str, Callable[[BgpLab, Case], Bird | Frr]] = {"bird": running_bird, "frr": running_frr}


def has_route(lab: BgpLab, router: Bird | Frr) -> bool:
    """Whether packets for the address would still go to the node."""
    if isinstance(router, Frr):
        return NODE4 in lab.router.ip("route", "show", "10.10.10.10")
    return str(VIP) in router.routes()


def times_of(status: BfdStatus) -> tuple[float | None, float | None]:
    """What both sides agreed on, in seconds: between packets, and until silence is death."""
    return status.transmit_time, round(status.detection_time or 0.0, 3)


def once(make: Callable[[BgpLab, Case], Bird | Frr], case: Case) -> float:
    """Milliseconds from the cut until the route is gone."""
    profile = BfdProfile(receive_interval=case.interval, transmit_interval=case.interval)
    with network() as netlab, tempfile.TemporaryDirectory() as folder:
        lab = BgpLab(netlab, Path(folder))
        router = make(lab, case)
        with lab.speaker() as speaker:
            path, _ = speaker.watch(BfdPeer(ip_address(ROUTER4), profile=profile))
            peer = speaker.peer(peer_config(hold_time=90, graceful_restart=case.restart_time))
            speaker.call(peer.announce, {VIP: RouteAttributes()})
            assert eventually(lambda: has_route(lab, router), 20), router.log()
            agreed = (case.interval / 1000, 3 * case.interval / 1000)
            assert eventually(lambda: times_of(speaker.call(path.status)) == agreed), router.log()
            time.sleep(1)  # until the router has slowed down nothing and sped up everything too
            lab.fall_silent()
            began = time.monotonic()
            assert eventually(lambda: not has_route(lab, router), 30, every=0.005), router.log()
            return (time.monotonic() - began) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    for case in CASES:
        for name, make in ROUTERS.items():
            times = sorted(once(make, case) for _ in range(rounds))
            said = f"median {times[rounds // 2]:.0f} ms, worst {times[-1]:.0f} ms of {rounds} ({case.goal(name)})"
            print(f"a node that dies, {case}: {name:4} {said}")


if __name__ == "__main__":
    main()
