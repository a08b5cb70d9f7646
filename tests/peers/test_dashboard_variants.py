"""The dashboard story told otherwise: in IPv6, with external peers, both families on one session, and a database server."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fix_netns import NetLab, eventually, missing_for_networks, require_tools
from routers import FRR_DAEMONS

sys.path.insert(0, str(Path(__file__).parents[1] / "lab"))

from dashboard_lan import NODES, ROUTER6, ROUTER_BESIDE, VIP, VIP6, Variant, dashboard_lan, node6, paths, paths6

if TYPE_CHECKING:
    from fix_db import DatabaseUnderTest

pytestmark = [pytest.mark.net, pytest.mark.peer, pytest.mark.timeout(120)]

BOTH = "ipFamilyPolicy: RequireDualStack\n  ipFamilies: [IPv4, IPv6]"


def require_router() -> None:
    if reason := missing_for_networks():
        pytest.skip(reason)
    require_tools("vtysh", f"{FRR_DAEMONS}/bgpd", "dnsmasq", "nslookup", "curl")


def test_the_story_in_ipv6(netlab: NetLab) -> None:
    require_router()
    with dashboard_lan(netlab, policy="ipFamilies: [IPv6]", peer=ROUTER6, variant=Variant(has_ipv6=True)) as lan:
        frr = lan.frr()
        assert eventually(lambda: paths6(frr) == sorted(map(node6, NODES)), 40, 0.1), lan.log() + frr.log()
        lan.dnsmasq()

        assert f"Address: {VIP6}" in lan.ask("nslookup", "-type=AAAA", "k8s-dashboard")
        assert "the dashboard, from" in lan.ask("curl", "-6", "-sS", "-m", "5", "http://k8s-dashboard.service/")


@pytest.mark.parametrize("db", ["postgres"], indirect=True)
def test_the_story_with_external_peers_both_families_on_one_session_and_a_server(
    netlab: NetLab, db: DatabaseUnderTest
) -> None:
    require_router()
    variant = Variant(asn=64999, has_ipv6=True, database=db.url)
    with dashboard_lan(netlab, "dual-stack-address-family: true", BOTH, ROUTER_BESIDE, variant) as lan:
        frr = lan.frr()
        everybody = sorted(NODES.values())
        assert eventually(lambda: paths(frr) == paths6(frr) == everybody, 40, 0.1), lan.log() + frr.log()
        lan.dnsmasq()

        assert "local AS number 64999" in frr.vtysh("show bgp summary")
        for family, address in (("-4", VIP), ("-6", VIP6)):
            curl = ("curl", family, "-sS", "-m", "5", "http://k8s-dashboard.service/")
            assert eventually(lambda curl=curl: "the dashboard, from" in lan.ask(*curl), 15, 0.5), address
