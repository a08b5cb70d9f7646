"""Our speaker against GoBGP and ExaBGP, whose stacks are unlike the routers'."""

import sys
from pathlib import Path

import pytest
from fix_netns import NetLab, eventually, require_tools
from routers import LOCAL_AS, NODE4, ROUTER4, ROUTER_AS, BgpLab, dual_stack, peer_config, prefixes

from suite.bgp.export import RouteAttributes
from suite.bgp.session import Stop

pytestmark = [pytest.mark.peer, pytest.mark.net]

PLAIN = RouteAttributes()
VIP, VIP6 = prefixes("10.10.10.10/32", "2001:db8:10::10/128")
GOBGP = f"""
[global.config]
  as = {ROUTER_AS}
  router-id = "{ROUTER4}"
[[neighbors]]
  [neighbors.config]
    neighbor-address = "{NODE4}"
    peer-as = {LOCAL_AS}
  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = "ipv4-unicast"
  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = "ipv6-unicast"
"""
EXABGP = f"""
process dump {{{{ run {sys.executable} {{program}}; encoder json; }}}}
neighbor {NODE4} {{{{
  router-id {ROUTER4}; local-address {ROUTER4}; local-as {ROUTER_AS}; peer-as {LOCAL_AS}; hold-time 9;
  family {{{{ ipv4 unicast; ipv6 unicast; }}}}
  static {{{{ route 10.30.0.0/16 next-hop self community [64512:1] large-community [64512:1:2]; }}}}
  api {{{{ processes [dump]; receive {{{{ parsed; update; }}}} }}}}
}}}}
"""


@pytest.fixture
def bgplab(netlab: NetLab, tmp_path: Path) -> BgpLab:
    return BgpLab(netlab, tmp_path)


def test_gobgp_takes_both_families(bgplab: BgpLab) -> None:
    gobgp = bgplab.gobgp(GOBGP)

    with bgplab.speaker() as speaker:
        peer = speaker.peer(peer_config(**dual_stack()), listen=True)
        speaker.call(peer.announce, {VIP: RouteAttributes(communities=(0xFC000064,)), VIP6: PLAIN})

        assert gobgp.has("10.10.10.10/32", "64512:100", within=20)
        assert gobgp.has("2001:db8:10::10/128", family="ipv6")


def test_gobgp_hears_a_shutdown(bgplab: BgpLab) -> None:
    gobgp = bgplab.gobgp(GOBGP)

    with bgplab.speaker() as speaker:
        peer = speaker.peer(peer_config(**dual_stack()), listen=True)
        speaker.call(peer.announce, {VIP: PLAIN})
        assert gobgp.has("10.10.10.10/32", within=20)

        speaker.call(peer.stop, Stop.CEASE, "drained")

        assert eventually(lambda: "10.10.10.10" not in gobgp.gobgp("global", "rib").stdout, 5)


def test_exabgp_takes_routes_and_its_own_are_counted(bgplab: BgpLab, tmp_path: Path) -> None:
    require_tools("exabgp")
    seen = tmp_path / "seen.json"
    program = tmp_path / "dump.py"
    program.write_text(
        f"import sys\nwith open({str(seen)!r}, 'a') as out:\n"
        "    for line in sys.stdin:\n        out.write(line)\n        out.flush()\n",
        encoding="utf-8",
    )
    (tmp_path / "exabgp.conf").write_text(EXABGP.format(program=program), encoding="utf-8")
    with (tmp_path / "exabgp.log").open("w", encoding="utf-8") as log:
        # It connects and does not listen unless told to; one attempt to connect is enough for it.
        bgplab.router.spawn(
            *("env", "exabgp.daemon.user=root", "exabgp.api.cli=false", "exabgp.tcp.bind="),
            *("exabgp", str(tmp_path / "exabgp.conf")),
            stdout=log,
        )

    with bgplab.speaker() as speaker:
        peer = speaker.peer(peer_config(passive=True, **dual_stack()), listen=True)
        speaker.call(peer.announce, {VIP: PLAIN, VIP6: PLAIN})

        arrived = eventually(
            lambda: seen.exists() and all(t in seen.read_text() for t in ("10.10.10.10/32", "2001:db8:10::10/128")), 20
        )
        assert arrived, (tmp_path / "exabgp.log").read_text()
        assert speaker.call(peer.status).counters["prefixes_received"] == 1
