"""How long a router keeps the routes of a node that dies without a word, with BFD at 3 times 100 ms.

    python tests/bench/bgp/silent_node.py [--rounds 5]              (root; BIRD and FRR from Debian)

The node's packets to the router are dropped from one moment on (nothing closes, no carrier is lost); the clock stops
when the router's table has lost the route. The hold time is 90 s, so only BFD can be the reason.
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

from suite.bgp.bfd import BfdProfile
from suite.bgp.bfd_link import BfdPeer
from suite.bgp.export import RouteAttributes
from suite.bgp.prefix import Prefix

PROFILE = BfdProfile(receive_interval=100, transmit_interval=100)
VIP = Prefix.parse("10.10.10.10/32")
BIRD = 'protocol bfd { interface "eth0" { min rx interval 100 ms; min tx interval 100 ms; multiplier 3; }; }\n'
FRR = f"bfd\n peer {NODE4} interface eth0\n  receive-interval 100\n  transmit-interval 100\n"
ROUTERS: dict[str, Callable[[BgpLab], Bird | Frr]] = {
    "bird": lambda lab: lab.bird(BIRD + bird_bgp("bfd on; hold time 90;")),
    "frr": lambda lab: lab.frr(frr_bgp("bfd") + FRR, bfd=True),
}


def once(make: Callable[[BgpLab], Bird | Frr]) -> float:
    """Milliseconds from the cut until the route is gone."""
    with network() as netlab, tempfile.TemporaryDirectory() as folder:
        lab = BgpLab(netlab, Path(folder))
        router = make(lab)
        with lab.speaker() as speaker:
            path, _ = speaker.watch(BfdPeer(ip_address(ROUTER4), profile=PROFILE))
            peer = speaker.peer(peer_config(hold_time=90))
            speaker.call(peer.announce, {VIP: RouteAttributes()})
            assert router.has(str(VIP)), router.log()
            assert eventually(lambda: speaker.call(path.status).transmit_time == PROFILE.transmit_interval / 1000)
            time.sleep(1)  # until the router has slowed down nothing and sped up everything too
            lab.fall_silent()
            began = time.monotonic()
            assert router.lacks(str(VIP), within=30), router.log()
            return (time.monotonic() - began) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    for name, make in ROUTERS.items():
        times = sorted(once(make) for _ in range(rounds))
        print(f"{name:5} median {times[rounds // 2]:.0f} ms, worst {times[-1]:.0f} ms of {rounds}")


if __name__ == "__main__":
    main()
