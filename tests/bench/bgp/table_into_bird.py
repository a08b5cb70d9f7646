"""10,000 IPv4 and 10,000 IPv6 prefixes into BIRD: our speaker beside GoBGP and ExaBGP, in one run.

    python tests/bench/bgp/table_into_bird.py [--rounds 3]          (root; BIRD, GoBGP and ExaBGP from Debian)

Each speaker is set up, with all its routes, before BIRD may speak to it; the clock starts when BIRD's protocol is
enabled and stops when BIRD's tables hold all 20,000 routes. BIRD looks every 10 ms; the same look for everyone.
BIRD connects; every speaker listens, so nobody's own pause before connecting is measured.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from ipaddress import IPv6Address
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[3]), str(Path(__file__).resolve().parents[2])]

from fix_netns import eventually, network
from routers import LOCAL_AS, NODE4, NODE6, ROUTER4, ROUTER_AS, BgpLab, Bird, bird_bgp, dual_stack, peer_config

from suite.bgp.export import RouteAttributes
from suite.bgp.prefix import Prefix

COUNT = 10_000
PREFIXES4 = [f"10.{100 + (n >> 8)}.{n & 255}.1/32" for n in range(COUNT)]
PREFIXES6 = [f"2001:db8:{n:x}::1/128" for n in range(COUNT)]
CHANNELS = "ipv4 { import all; export none; }; ipv6 { import all; export none; };"


def routes_in(bird: Bird) -> int:
    lines = bird.birdc("show", "route", "count").splitlines()
    return sum(int(line.split()[0]) for line in lines if " in table " in line)


def measure(bird: Bird) -> float:
    """Seconds from enabling the protocol until the last route is in BIRD's tables."""
    began = time.perf_counter()
    bird.birdc("enable", "node")
    assert eventually(lambda: routes_in(bird) == 2 * COUNT, 30), f"{routes_in(bird)} routes\n{bird.log()}"
    return time.perf_counter() - began


def ours(lab: BgpLab, bird: Bird) -> float:
    with lab.speaker() as speaker:
        peer = speaker.peer(peer_config(passive=True, hold_time=90, **dual_stack()), listen=True)
        routes = dict.fromkeys(map(Prefix.parse, PREFIXES4 + PREFIXES6), RouteAttributes())
        speaker.call(peer.announce, routes)
        return measure(bird)


def gobgp(lab: BgpLab, bird: Bird) -> float:
    config = lab.folder / "bench.toml"
    config.write_text(
        f'[global.config]\n as = {LOCAL_AS}\n router-id = "{NODE4}"\n'
        f'[[neighbors]]\n [neighbors.config]\n neighbor-address = "{ROUTER4}"\n peer-as = {ROUTER_AS}\n'
        " [neighbors.transport.config]\n passive-mode = true\n"
        + "".join(
            f'[[neighbors.afi-safis]]\n [neighbors.afi-safis.config]\n afi-safi-name = "{family}-unicast"\n'
            for family in ("ipv4", "ipv6")
        ),
        encoding="ascii",
    )
    lab.node.spawn("gobgpd", "-f", str(config), stdout=subprocess.DEVNULL)
    assert eventually(lambda: lab.node.run("gobgp", "neighbor").returncode == 0, 10)
    dump = lab.folder / "routes.mrt"
    dump.write_bytes(mrt())
    assert eventually(lambda: gobgp_has_all(lab, dump), 60), gobgp_routes(lab)
    return measure(bird)


def gobgp_has_all(lab: BgpLab, dump: Path) -> bool:
    """Give GoBGP the routes once more, since its injector closes before the last ones are in, and count."""
    lab.node.must("gobgp", "mrt", "inject", "global", str(dump), timeout=60)
    return eventually(lambda: gobgp_routes(lab) == 2 * COUNT, 1)


def gobgp_routes(lab: BgpLab) -> int:
    """How many routes GoBGP holds itself, before BIRD may speak to it."""
    total = 0
    for family in ("ipv4", "ipv6"):
        text = lab.node.run("gobgp", "global", "rib", "summary", "-a", family).stdout
        total += int(text.split("Destination:")[1].split(",")[0]) if "Destination:" in text else 0
    return total


def mrt() -> bytes:
    """The routes as an MRT table dump (RFC 6396), which is how GoBGP is given many at once.

    GoBGP 3.10 wants MP_REACH_NLRI whole, with its family and prefix, where the RFC leaves only the next hop.
    """
    peer = b"\x02" + bytes((10, 9, 0, 2)) + bytes((10, 9, 0, 2)) + LOCAL_AS.to_bytes(4)
    index = bytes((10, 9, 0, 2)) + b"\0\0" + b"\0\1" + peer
    parts = [_record(1, index)]
    head4 = "40010100" + "400200" + "400304" + "0a090002"
    attributes4 = bytes.fromhex(head4)
    for number, text in enumerate(PREFIXES4 + PREFIXES6):
        nlri = Prefix.parse(text).nlri
        reach = b"\0\2\1\x10" + IPv6Address(NODE6).packed + b"\0" + nlri
        attributes6 = bytes.fromhex("40010100" + "400200" + "800e") + bytes((len(reach),)) + reach
        attributes = attributes4 if number < COUNT else attributes6
        entry = b"\0\0" + bytes(4) + len(attributes).to_bytes(2) + attributes
        parts.append(_record(2 if number < COUNT else 4, number.to_bytes(4) + nlri + b"\0\1" + entry))
    return b"".join(parts)


def _record(subtype: int, body: bytes) -> bytes:
    return bytes(4) + b"\0\x0d" + subtype.to_bytes(2) + len(body).to_bytes(4) + body


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
        bird = lab.bird(bird_bgp("disabled yes; connect delay time 1;", channels=CHANNELS))
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
        print(f"suite is {medians['suite'] / others[fastest]:.2f} x {fastest}, which is the faster of the others here")


if __name__ == "__main__":
    main()
