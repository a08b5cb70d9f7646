"""A peer that is named by an interface: router and node find each other on the cable, and no address is written down."""

from __future__ import annotations

import os
import re
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from fix_netns import NetLab, eventually, require_tools
from routers import BgpLab, Frr

from suite.bgp.advert import RouterOnLink
from suite.bgp.advert_link import AdvertLink

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.peer, pytest.mark.net]

VIP, VIP6 = "10.10.10.10", "2001:db8:10::10"
CONFIGURATION = f"""\
address-pools:
  - {{name: bgp, protocol: bgp, addresses: [{VIP}/32, {VIP6}/128]}}
peers:
  - {{name: rack, interface: eth0, dynamic-asn: external, my-asn: 64513, connect-time: 1s, OPTIONS}}
bfd-profiles:
  - {{name: fast, receive-interval: 150, transmit-interval: 150}}
nodes:
  - {{name: node1, addresses: [10.9.0.2]}}
"""
SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: coffee, namespace: default}
spec:
  type: LoadBalancer
  ipFamilyPolicy: RequireDualStack
  ipFamilies: [IPv4, IPv6]
  selector: {app: coffee}
  ports: [{port: 80}]
"""
FRR = """
router bgp 64512
 bgp router-id 192.168.1.1
 no bgp ebgp-requires-policy
 neighbor eth0 interface remote-as external
 NEIGHBOR
 address-family ipv6 unicast
  neighbor eth0 activate
"""

SILENCE = """
table inet cut {
  chain out { type filter hook output priority 0; policy drop; }
}
"""


@pytest.fixture
def bgplab(netlab: NetLab, tmp_path: Path) -> BgpLab:
    lab = BgpLab(netlab, tmp_path)
    for host in (lab.router, lab.node):
        host.ip("address", "flush", "dev", "eth0", "scope", "global")
    return lab


@contextmanager
def program(lab: BgpLab, options: str = "graceful-restart: false") -> Iterator[Path]:
    """The suite on the node; the path of its log."""
    folder, log = lab.folder, lab.folder / "suite.log"
    (folder / "manifests").mkdir()
    (folder / "manifests" / "coffee.yaml").write_text(SERVICE)
    (folder / "suite.yaml").write_text(CONFIGURATION.replace("OPTIONS", options))
    command = [sys.executable, "-m", "suite", "run", "--config", str(folder / "suite.yaml"), "--node", "node1"]
    command += ["--manifests", str(folder / "manifests"), "--state", str(folder / "state")]
    command += ["--role", "controller", "--role", "speaker", "--role", "web"]
    with log.open("a") as out:
        running = lab.node.spawn(*command, stdout=out, env=os.environ | {"SUITE_TRACEBACK": "1"})
    try:
        yield log
    finally:
        running.terminate()
        running.wait(20)


def configure(lab: BgpLab, frr: Frr) -> None:
    """The router is told what `suite router-config` writes for it."""
    where = ("--config", str(lab.folder / "suite.yaml"), "--state", str(lab.folder / "none"))
    written = lab.node.python(
        *("-m", "suite", "router-config", "--vendor", "frr", "--part", "bgp", "--interface", "eth0"),
        *("--asn", "64512", *where),
    )
    assert written.returncode == 0, written.stderr
    path = frr.folder / "suite.conf"
    path.write_text(written.stdout)
    told = lab.router.run("vtysh", "--vty_socket", str(frr.folder), "-f", str(path))
    assert "%" not in told.stdout + told.stderr, told.stdout + told.stderr


def link_local(host: object) -> str:
    found = re.search(r"fe80::[0-9a-f:]+", host.ip("-6", "-br", "address", "show", "eth0"))  # type: ignore[attr-defined]
    assert found is not None
    return found[0]


def next_hops(frr: Frr, lab: BgpLab) -> bool:
    """Whether FRR has both addresses from the node, by its link-local address."""
    ours = link_local(lab.node)
    tables = ((f"{VIP}/32", "ipv4"), (f"{VIP6}/128", "ipv6"))
    return all(ours in str(frr.table(family).get(prefix)) for prefix, family in tables)


def test_both_families_reach_a_router_that_has_no_address_on_the_link(bgplab: BgpLab) -> None:
    bgplab.router.ip("address", "add", "192.168.1.1/32", "dev", "lo")  # its router identifier
    frr = bgplab.frr("")

    with program(bgplab) as log:
        configure(bgplab, frr)
        assert eventually(lambda: next_hops(frr, bgplab), 30, 0.1), log.read_text() + frr.log()
        way = f"via inet6 {link_local(bgplab.node)} dev eth0"
        assert eventually(lambda: way in bgplab.router.ip("route", "show", VIP), 5, 0.1), frr.log()


def test_a_silent_node_loses_its_routes_with_bfd_between_link_local_addresses(bgplab: BgpLab) -> None:
    require_tools("nft")
    frr = bgplab.frr(FRR.replace("NEIGHBOR", "neighbor eth0 bfd"), bfd=True)

    with program(bgplab, "bfd-profile: fast") as log:
        assert eventually(lambda: next_hops(frr, bgplab), 30, 0.1), log.read_text() + frr.log()
        assert eventually(lambda: "Status: up" in frr.vtysh("show bfd peers"), 20, 0.1), frr.vtysh("show bfd peers")

        bgplab.node.run("nft", "-f", "-", stdin=SILENCE)

        assert frr.lacks(f"{VIP}/32", within=30), frr.log()  # the hold time is 90 s


def test_advertisements_pass_between_neighbors_and_say_who_sent_them(bgplab: BgpLab) -> None:
    with bgplab.router.entered():
        theirs = AdvertLink("eth0")
    with bgplab.node.entered():
        ours = AdvertLink("eth0")
    known = RouterOnLink()

    def is_heard() -> bool:
        theirs.send()
        return any(known.hear(address, 0.0) for address in ours.receive())

    assert eventually(is_heard, 10, 0.1)
    assert str(known.address) == f"{link_local(bgplab.router)}%eth0"
    theirs.close()
    ours.close()
