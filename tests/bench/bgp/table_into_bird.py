"""10,000 IPv4 and 10,000 IPv6 prefixes into BIRD: our speaker beside GoBGP and ExaBGP, in one run.

    python tests/bench/bgp/table_into_bird.py [--rounds 3]          (root; BIRD, GoBGP and ExaBGP from Debian)

Each speaker is set up, with all its routes, before BIRD may speak to it. BIRD connects, so that nobody's own pause
before connecting is measured: the clock starts with BIRD's attempt (its log says when) and stops when BIRD's tables
hold all 20,000 routes, which is looked at every 10 ms, the same look for everyone.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
from datetime import datetime
from ipaddress import IPv4Address
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[3]), str(Path(__file__).resolve().parents[2])]

from fix_netns import eventually, network
from routers import LOCAL_AS, NODE4, NODE6, ROUTER4, ROUTER6, ROUTER_AS, BgpLab, Bird, bird_bgp, dual_stack, peer_config

from suite.bgp.export import RouteAttributes
from suite.bgp.prefix import Prefix

COUNT = 10_000
FEEDER, FEEDER_AS = "10.9.0.50", 64514
PREFIXES4 = [f"10.{100 + (n >> 8)}.{n & 255}.1/32" for n in range(COUNT)]
PREFIXES6 = [f"2001:db8:{n:x}::1/128" for n in range(COUNT)]
CHANNELS = "ipv4 { import all; export none; }; ipv6 { import all; export none; };"


def routes_in(bird: Bird) -> int:
    lines = bird.birdc("show", "route", "count").splitlines()
    return sum(int(line.split()[0]) for line in lines if " in table " in line)


def measure(bird: Bird, *protocols: str) -> float:
    """Seconds from BIRD's attempt to connect (the last, of two sessions) until the last route is in its tables."""
    for protocol in protocols or ("node",):
        bird.birdc("enable", protocol)
    assert eventually(lambda: routes_in(bird) == 2 * COUNT, 60), f"{routes_in(bird)} routes\n{bird.log()[-500:]}"
    ended = datetime.now()  # noqa: DTZ005 - BIRD's log has local time
    attempts = [line for line in bird.log().splitlines() if ": Connecting to" in line]
    return (ended - datetime.fromisoformat(attempts[-1][:23])).total_seconds()


def ours(lab: BgpLab, bird: Bird) -> float:
    with lab.speaker() as speaker:
        peer = speaker.peer(peer_config(passive=True, hold_time=90, **dual_stack()), listen=True)
        routes = dict.fromkeys(map(Prefix.parse, PREFIXES4 + PREFIXES6), RouteAttributes())
        speaker.call(peer.announce, routes)
        return measure(bird)


def gobgp(lab: BgpLab, bird: Bird) -> float:
    """GoBGP learns the routes from a feeder of ours over BGP, and only then may speak to BIRD.

    It gives IPv6 routes of an IPv4 session an IPv4 next hop, which BIRD refuses, so it gets a session per family.
    """
    config = lab.folder / "bench.toml"
    neighbors = ((ROUTER4, ROUTER_AS), (ROUTER6, ROUTER_AS), (FEEDER, FEEDER_AS))
    config.write_text(
        f'[global.config]\n as = {LOCAL_AS}\n router-id = "{NODE4}"\n'
        + "".join(
            f'[[neighbors]]\n [neighbors.config]\n neighbor-address = "{address}"\n peer-as = {asn}\n'
            " [neighbors.transport.config]\n passive-mode = true\n"
            + "".join(
                f'[[neighbors.afi-safis]]\n [neighbors.afi-safis.config]\n afi-safi-name = "{family}-unicast"\n'
                for family in ("ipv4", "ipv6")
            )
            for address, asn in neighbors
        ),
        encoding="ascii",
    )
    lab.node.ip("address", "add", f"{FEEDER}/24", "dev", "eth0")
    lab.node.spawn("gobgpd", "-f", str(config), stdout=subprocess.DEVNULL)
    assert eventually(lambda: lab.node.run("gobgp", "neighbor").returncode == 0, 10)
    with lab.speaker() as feeder:
        own = {"local_as": FEEDER_AS, "peer_as": LOCAL_AS, "identifier": IPv4Address(FEEDER), "hold_time": 90}
        peer = feeder.peer(peer_config(NODE4, source=IPv4Address(FEEDER), **dual_stack(**own)))
        feeder.call(peer.announce, dict.fromkeys(map(Prefix.parse, PREFIXES4 + PREFIXES6), RouteAttributes()))
        assert eventually(lambda: gobgp_routes(lab) == 2 * COUNT, 60, every=0.5), gobgp_routes(lab)
        return measure(bird, "node", "node6")


def gobgp_routes(lab: BgpLab) -> int:
    """How many routes GoBGP holds itself, before BIRD may speak to it."""
    total = 0
    for family in ("ipv4", "ipv6"):
        text = lab.node.run("gobgp", "global", "rib", "summary", "-a", family).stdout
        total += int(text.split("Destination:")[1].split(",")[0]) if "Destination:" in text else 0
    return total


def exabgp(lab: BgpLab, bird: Bird) -> float:
    config = lab.folder / "exabgp.conf"
    statics = [f"route {p} next-hop {NODE4};" for p in PREFIXES4] + [f"route {p} next-hop {NODE6};" for p in PREFIXES6]
    config.write_text(
        f"neighbor {ROUTER4} {{ router-id {NODE4}; local-address {NODE4}; local-as {LOCAL_AS}; peer-as {ROUTER_AS}; "
        f"passive true; listen 179; family {{ ipv4 unicast; ipv6 unicast; }} static {{\n"
        + "\n".join(statics)
        + "\n} }\n",
        encoding="ascii",
    )
    log = (lab.folder / "exabgp.log").open("w", encoding="utf-8")
    lab.node.spawn(
        *("env", "exabgp.daemon.user=root", "exabgp.api.cli=false", "exabgp", str(config)), stdout=log, stderr=log
    )
    listening = eventually(lambda: ":179" in lab.node.run("ss", "-ltn").stdout, 60, every=0.1)
    assert listening, (lab.folder / "exabgp.log").read_text()
    return measure(bird)


def once(speaker: str) -> float:
    with network() as netlab, tempfile.TemporaryDirectory() as folder:
        lab = BgpLab(netlab, Path(folder))
        options = "disabled yes; debug { events }; connect delay time 1;"
        second = bird_bgp(options, CHANNELS, f"neighbor {NODE6} as {LOCAL_AS};").replace("bgp node", "bgp node6")
        bird = lab.bird(bird_bgp(options, CHANNELS) + second)
        return {"suite": ours, "gobgp": gobgp, "exabgp": exabgp}[speaker](lab, bird)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--speakers", default="suite,gobgp,exabgp")
    arguments = parser.parse_args()
    medians = {}
    for speaker in arguments.speakers.split(","):
        times = [once(speaker) for _ in range(arguments.rounds)]
        medians[speaker] = statistics.median(times)
        print(f"{speaker:8} median {medians[speaker]:6.2f} s   all {' '.join(f'{t:.2f}' for t in sorted(times))}")
    others = {name: median for name, median in medians.items() if name != "suite"}
    if "suite" in medians and others:
        fastest = min(others, key=lambda name: others[name])
        ratio = medians["suite"] / others[fastest]
        print(f"suite is {ratio:.2f} x {fastest} (goal: 1.5), which is the faster of the others here")


if __name__ == "__main__":
    main()
