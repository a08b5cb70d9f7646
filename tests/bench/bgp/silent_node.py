"""How long a router keeps the routes of a node that dies without a word, with BFD at 3 times 300 ms (the default) and 3 times 100 ms.

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
from ipaddress import ip_address
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from fix_netns import eventually, network
from routers import NODE4, ROUTER4, BgpLab, Bird, Frr, bird_bgp, frr_bgp, peer_config

from suite.bgp.bfd import BfdProfile, BfdStatus
from suite.bgp.bfd_link import BfdPeer
from suite.bgp.export import RouteAttributes
from suite.bgp.prefix import Prefix

INTERVALS = (300, 100)
GOAL = 1000
"""Milliseconds: a dead node's routes are gone within a second."""
VIP = Prefix.parse("10.10.10.10/32")


def running_bird(lab: BgpLab, interval: int) -> Bird:
    timers = f"min rx interval {interval} ms; min tx interval {interval} ms; multiplier 3;"
    return lab.bird(f'protocol bfd {{ interface "eth0" {{ {timers} }}; }}\n' + bird_bgp("bfd on; hold time 90;"))


def running_frr(lab: BgpLab, interval: int) -> Frr:
    timers = f"  receive-interval {interval}\n  transmit-interval {interval}\n"
    return lab.frr(frr_bgp("bfd") + f"bfd\n peer {NODE4} interface eth0\n{timers}", bfd=True)


ROUTERS: dict[str, Callable[[BgpLab, int], Bird | Frr]] = {"bird": running_bird, "frr": running_frr}


def has_route(lab: BgpLab, router: Bird | Frr) -> bool:
    """Whether packets for the address would still go to the node."""
    if isinstance(router, Frr):
        return NODE4 in lab.router.ip("route", "show", "10.10.10.10")
    return str(VIP) in router.routes()


def times_of(status: BfdStatus) -> tuple[float | None, float | None]:
    """What both sides agreed on, in seconds: between packets, and until silence is death."""
    return status.transmit_time, round(status.detection_time or 0.0, 3)


def once(make: Callable[[BgpLab, int], Bird | Frr], interval: int) -> float:
    """Milliseconds from the cut until the route is gone."""
    profile = BfdProfile(receive_interval=interval, transmit_interval=interval)
    with network() as netlab, tempfile.TemporaryDirectory() as folder:
        lab = BgpLab(netlab, Path(folder))
        router = make(lab, interval)
        with lab.speaker() as speaker:
            path, _ = speaker.watch(BfdPeer(ip_address(ROUTER4), profile=profile))
            peer = speaker.peer(peer_config(hold_time=90))
            speaker.call(peer.announce, {VIP: RouteAttributes()})
            assert eventually(lambda: has_route(lab, router)), router.log()
            agreed = (interval / 1000, 3 * interval / 1000)
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
    for interval in INTERVALS:
        for name, make in ROUTERS.items():
            times = sorted(once(make, interval) for _ in range(rounds))
            said = f"median {times[rounds // 2]:.0f} ms, worst {times[-1]:.0f} ms of {rounds} (goal: {GOAL})"
            print(f"a node that dies, BFD at 3 times {interval} ms: {name:4} {said}")


if __name__ == "__main__":
    main()
