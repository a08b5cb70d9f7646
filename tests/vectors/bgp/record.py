"""Record what real routers say into .hex files: `python tests/vectors/bgp/record.py` as root, with the daemons installed.

The recorder plays a simple peer (AS 64513, both families, four-octet AS numbers), writes down every message it gets
and ends with an administrative reset, so that the router's own Cease or silence is recorded too.
"""

import contextlib
import socket
import subprocess
import sys
import tempfile
from ipaddress import IPv4Address
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "tests")]

from fix_netns import Namespace, network  # noqa: E402
from routers import NODE4, ROUTER4, ROUTER_AS, BgpLab, bird_bgp, frr_bgp, frr_families  # noqa: E402

from suite.bgp.capability import (  # noqa: E402
    EnhancedRouteRefresh,
    FourOctetAs,
    GracefulRestart,
    Multiprotocol,
    RouteRefresh,
)
from suite.bgp.message import KEEPALIVE, MessageReader, encode, frame  # noqa: E402
from suite.bgp.open import Open  # noqa: E402
from suite.bgp.prefix import IPV4, IPV6  # noqa: E402

HELLO = Open(
    64513,
    90,
    IPv4Address(NODE4),
    (
        *(Multiprotocol(IPV4), Multiprotocol(IPV6), RouteRefresh(), EnhancedRouteRefresh(), FourOctetAs(64513)),
        GracefulRestart(60, ((IPV4, True), (IPV6, True))),
    ),
)
BIRD_ROUTES = """
protocol static s4 { ipv4; route 10.20.0.0/16 unreachable { bgp_community.add((64512, 7));
  bgp_large_community.add((64512, 1, 2)); bgp_med = 5; }; route 10.21.0.0/16 unreachable; }
protocol static s6 { ipv6; route 2001:db8:20::/48 unreachable; }
"""
BIRD_CHANNELS = "ipv4 { import all; export all; }; ipv6 { import all; export all; };"
FRR_POLICY = """
route-map out permit 10
 set community 64512:7
 set large-community 64512:1:2
"""


def record(node: Namespace, *, listen: bool) -> list[str]:
    """The messages a router sends within a few seconds, as hex."""
    with node.entered():
        connection = _accepted() if listen else socket.create_connection((ROUTER4, 179), timeout=10)
    reader, found = MessageReader(), []
    with connection:
        connection.settimeout(3)
        connection.sendall(encode(HELLO) + KEEPALIVE)
        with contextlib.suppress(TimeoutError):
            while octets := connection.recv(65536):
                found += [frame(kind, body).hex() for kind, body in reader.feed(octets)]
    return found


def _accepted() -> socket.socket:
    with socket.create_server((NODE4, 179)) as server:
        server.settimeout(30)
        return server.accept()[0]


def version(*argv: str) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).splitlines()[0].strip()


def write(name: str, origin: str, messages: list[str]) -> None:
    text = f"# origin: {origin}, recorded by record.py\n" + "".join(f"{message}\n" for message in messages)
    (Path(__file__).parent / f"{name}.hex").write_text(text, encoding="ascii")


def main() -> None:
    with network() as netlab, tempfile.TemporaryDirectory() as folder:
        lab = BgpLab(netlab, Path(folder))
        bird = lab.bird(BIRD_ROUTES + bird_bgp("graceful restart on;", channels=BIRD_CHANNELS))
        write("bird", version("bird", "--version"), record(lab.node, listen=False))
        bird.kill()
    with network() as netlab, tempfile.TemporaryDirectory() as folder:
        lab = BgpLab(netlab, Path(folder))
        lines = [" no bgp network import-check"]
        for family, route in (("ipv4", "10.20.0.0/16"), ("ipv6", "2001:db8:20::/48")):
            out = f"activate\n  neighbor {NODE4} route-map out out\n  network {route}\n"
            lines.append(frr_families(family).replace("activate\n", out))
        families = "\n".join(lines)
        lab.frr(FRR_POLICY + frr_bgp("description recorder", families=families))
        write("frr", version("/usr/lib/frr/bgpd", "--version"), record(lab.node, listen=False))
    with network() as netlab, tempfile.TemporaryDirectory() as folder:
        lab = BgpLab(netlab, Path(folder))
        gobgp = lab.gobgp(
            f'[global.config]\n as = {ROUTER_AS}\n router-id = "{ROUTER4}"\n'
            f'[[neighbors]]\n [neighbors.config]\n neighbor-address = "{NODE4}"\n peer-as = 64513\n'
        )
        gobgp.gobgp("global", "rib", "add", "10.20.0.0/16", "community", "64512:7", "large-community", "64512:1:2")
        write("gobgp", version("gobgpd", "--version"), record(lab.node, listen=False))
    with network() as netlab, tempfile.TemporaryDirectory() as folder:
        lab = BgpLab(netlab, Path(folder))
        config = Path(folder) / "exabgp.conf"
        config.write_text(
            f"neighbor {NODE4} {{ router-id {ROUTER4}; local-address {ROUTER4}; local-as {ROUTER_AS}; peer-as 64513; "
            "family { ipv4 unicast; ipv6 unicast; } static { route 10.20.0.0/16 next-hop self "
            "community [64512:7] large-community [64512:1:2]; route 2001:db8:20::/48 next-hop 2001:db8:9::1; } }\n",
            encoding="ascii",
        )
        lab.router.spawn("env", "exabgp.daemon.user=root", "exabgp.api.cli=false", "exabgp", str(config))
        write("exabgp", version("exabgp", "--version"), record(lab.node, listen=True))


if __name__ == "__main__":
    main()
