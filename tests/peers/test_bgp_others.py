"""Our speaker against GoBGP and ExaBGP, whose stacks are unlike the routers'.

ExaBGP asks for routes again (RFC 2918). GoBGP never does: it keeps all that it was told, and its `softresetin` works on that.
"""

from __future__ import annotations

import re
import signal
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from fix_netns import eventually, require_tools
from routers import (
    LOCAL_AS,
    NODE4,
    NODE6,
    PLAIN,
    ROUTER4,
    ROUTER6,
    ROUTER_AS,
    VIP,
    VIP6,
    BgpLab,
    GoBgp,
    dual_stack,
    peer_config,
    stays,
)

from suite.bgp.export import RouteAttributes
from suite.bgp.prefix import IPV4, IPV6
from suite.bgp.session import Stop

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from routers import Speaker

    from suite.bgp.peer import Peer
    from suite.bgp.peer_config import PeerConfig
    from suite.bgp.prefix import Prefix

pytestmark = [pytest.mark.peer, pytest.mark.net]

GOBGP_FAMILY = """
  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = "{}-unicast"
"""
GOBGP = f"""
[global.config]
  as = {ROUTER_AS}
  router-id = "{ROUTER4}"
[[neighbors]]
  [neighbors.config]
    neighbor-address = "{NODE4}"
    peer-as = {LOCAL_AS}
  [neighbors.timers.config]
    connect-retry = 1
{GOBGP_FAMILY.format("ipv4")}{GOBGP_FAMILY.format("ipv6")}"""
EXABGP = f"""
process dump {{{{ run {sys.executable} {{program}}; encoder json; }}}}
neighbor {NODE4} {{{{
  router-id {ROUTER4}; local-address {ROUTER4}; local-as {ROUTER_AS}; peer-as {LOCAL_AS}; hold-time 9;
  family {{{{ ipv4 unicast; ipv6 unicast; }}}}
  capability {{{{ route-refresh enable; }}}}
  static {{{{ route 10.30.0.0/16 next-hop self community [64512:1] large-community [64512:1:2]; }}}}
  api {{{{ processes [dump]; receive {{{{ parsed; update; }}}} }}}}
}}}}
"""

DUMP = """
import sys
asked = False
with open({seen!r}, "a") as out:
    for line in sys.stdin:
        out.write(line)
        out.flush()
        if "10.10.10.10/32" in line and not asked:
            asked = True
            print("announce route-refresh ipv4 unicast", flush=True)
"""


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


def test_exabgp_takes_routes_again_when_it_asks_and_its_own_are_counted(bgplab: BgpLab, tmp_path: Path) -> None:
    require_tools("exabgp")
    seen = tmp_path / "seen.json"
    program = tmp_path / "dump.py"
    program.write_text(DUMP.format(seen=str(seen)), encoding="utf-8")
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
        asked = eventually(lambda: speaker.call(peer.status).counters.get("route_refresh_received"), 10)
        assert asked, (tmp_path / "exabgp.log").read_text()
        assert eventually(lambda: seen.read_text().count("10.10.10.10/32") == 2, 10), seen.read_text()


FAMILIES = {"ipv4": IPV4, "ipv6": IPV6}
ADDRESSES = {"ipv4": VIP, "ipv6": VIP6}


@dataclass(frozen=True)
class Way:
    """One way to hold a session: AS number on our side, hold time on ours, the router's address, its password, the families."""

    asn: int = LOCAL_AS
    router_asn: int = ROUTER_AS
    hold: int = 9
    router: str = ROUTER4
    node: str = NODE4
    password: str = ""
    families: tuple[str, ...] = ("ipv4", "ipv6")

    @property
    def told(self) -> dict[Prefix, RouteAttributes]:
        """What is announced: an address of each family of the session."""
        return {ADDRESSES[family]: PLAIN for family in self.families}

    def config(self, password: str = "", *, passive: bool = False) -> PeerConfig:
        """Our side, with another password if asked for; passive for ExaBGP, which connects and does not listen."""
        key = {"password": password or self.password} if self.password else {}
        own = dual_stack(local_as=self.asn, peer_as=self.router_asn, hold_time=self.hold, idle_hold_max=0.4)
        own["families"] = frozenset(FAMILIES[family] for family in self.families)
        return peer_config(self.router, passive=passive, **own, **key)


SHORTEST = 3
"""Seconds: the shortest hold time there is (RFC 4271 section 4.2), which a test can wait for."""
WAYS = {
    "internal, a large AS number, signed, 3 s": Way(4200000001, 4200000001, SHORTEST, password="sesame"),
    "external, over IPv6, no hold time": Way(hold=0, router=ROUTER6, node=NODE6),
    "IPv4 only": Way(families=("ipv4",)),
    "IPv6 only, signed": Way(router=ROUTER6, node=NODE6, password="sesame", families=("ipv6",)),
}
ways = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
SIGNED = next(iter(WAYS.values()))


def causes(speaker: Speaker, peer: Peer) -> list[str]:
    """Why the session fell, each time."""
    return [change.cause.text for change in speaker.call(peer.status).history if change.cause]


def start_gobgp(lab: BgpLab, way: Way) -> GoBgp:
    text = GOBGP
    for family in FAMILIES.keys() - set(way.families):
        text = text.replace(GOBGP_FAMILY.format(family), "")
    text = text.replace(f"as = {ROUTER_AS}", f"as = {way.router_asn}").replace(NODE4, way.node)
    text = text.replace(f"peer-as = {LOCAL_AS}", f"peer-as = {way.asn}")
    key = f'peer-as = {way.asn}\n    auth-password = "{way.password}"' if way.password else f"peer-as = {way.asn}"
    return lab.gobgp(text.replace(f"peer-as = {way.asn}", key))


def start_exabgp(lab: BgpLab, way: Way) -> Path:
    """The file that what it receives is written into."""
    require_tools("exabgp")
    seen, program = lab.folder / "seen.json", lab.folder / "dump.py"
    program.write_text(DUMP.format(seen=str(seen)), encoding="utf-8")
    text = EXABGP.format(program=program).replace(f"neighbor {NODE4}", f"neighbor {way.node}")
    text = text.replace(f"local-address {ROUTER4}", f"local-address {way.router}").replace(
        "hold-time 9", f"hold-time {way.hold}"
    )
    text = text.replace(f"local-as {ROUTER_AS}; peer-as {LOCAL_AS}", f"local-as {way.router_asn}; peer-as {way.asn}")
    text = text.replace("ipv4 unicast; ipv6 unicast;", " ".join(f"{family} unicast;" for family in way.families))
    if "ipv4" not in way.families:
        text = re.sub(r"static \{ .*\n", "", text)  # a route of its own in the family that the session does not carry
    key = f'md5-password "{way.password}"; md5-ip {way.router};' if way.password else ""
    (lab.folder / "exabgp.conf").write_text(text.replace("family {", key + " family {"), encoding="utf-8")
    with (lab.folder / "exabgp.log").open("w", encoding="utf-8") as log:
        lab.router.spawn(
            *("env", "exabgp.daemon.user=root", "exabgp.api.cli=false", "exabgp.tcp.bind="),
            *("exabgp", str(lab.folder / "exabgp.conf")),
            stdout=log,
        )
    return seen


@ways
def test_gobgp_holds_a_session_in_other_ways(bgplab: BgpLab, way: Way) -> None:
    gobgp = start_gobgp(bgplab, way)

    with bgplab.speaker() as speaker:
        peer = speaker.peer(way.config(), listen=True)
        speaker.call(peer.announce, way.told)

        assert all(gobgp.has(str(ADDRESSES[family]), family=family, within=20) for family in way.families)
        assert speaker.call(peer.status).hold_time == way.hold
        assert stays(lambda: speaker.state(peer) == "Established", 1.2 * SHORTEST if way.hold == SHORTEST else 1)


@ways
def test_exabgp_holds_a_session_in_other_ways(bgplab: BgpLab, way: Way) -> None:
    seen = start_exabgp(bgplab, way)

    with bgplab.speaker() as speaker:
        peer = speaker.peer(way.config(passive=True), listen=True)
        speaker.call(peer.announce, way.told)

        assert eventually(lambda: arrived(seen, way), 20), (bgplab.folder / "exabgp.log").read_text()
        assert speaker.call(peer.status).hold_time == way.hold


def arrived(seen: Path, way: Way) -> bool:
    """Whether ExaBGP has been told everything since the file is there."""
    return seen.exists() and all(str(prefix) in seen.read_text() for prefix in way.told)


@pytest.mark.parametrize("start", [start_gobgp, start_exabgp], ids=["gobgp", "exabgp"])
def test_a_wrong_password_never_connects(bgplab: BgpLab, start: Callable[[BgpLab, Way], object]) -> None:
    start(bgplab, SIGNED)

    with bgplab.speaker() as speaker:
        peer = speaker.peer(SIGNED.config("guess"), listen=True)

        assert stays(lambda: speaker.state(peer) in {"Connect", "Active", "Idle"}, 3)


@pytest.mark.parametrize("start", [start_gobgp, start_exabgp], ids=["gobgp", "exabgp"])
def test_a_daemon_that_falls_silent_is_given_up_when_the_hold_time_ends(
    bgplab: BgpLab, start: Callable[[BgpLab, Way], object]
) -> None:
    way = Way(hold=3)
    start(bgplab, way)

    with bgplab.speaker() as speaker:
        peer = speaker.peer(way.config(passive=start is start_exabgp), listen=True)
        assert speaker.is_up(peer, 20)

        bgplab.router.processes[-1].send_signal(signal.SIGSTOP)

        assert eventually(lambda: causes(speaker, peer)[-1:] == ["sent hold timer expired"], 20)


@pytest.mark.parametrize("start", [start_gobgp, start_exabgp], ids=["gobgp", "exabgp"])
def test_a_storm_of_resets_ends_with_the_routes_in_a_daemon_that_forgot_them_each_time(
    bgplab: BgpLab, start: Callable[[BgpLab, Way], GoBgp | Path]
) -> None:
    way = Way()
    daemon = start(bgplab, way)

    with bgplab.speaker() as speaker:
        peer = speaker.peer(way.config(passive=start is start_exabgp), listen=True)
        speaker.call(peer.announce, way.told)
        for _ in range(3):
            assert eventually(lambda: has_all(daemon, way), 20)
            bgplab.router.processes[-1].kill()  # the kernel resets the connection
            bgplab.router.processes[-1].wait(5)
            (bgplab.folder / "seen.json").unlink(missing_ok=True)
            start(bgplab, way)

        assert eventually(lambda: has_all(daemon, way), 20)


def has_all(daemon: GoBgp | Path, way: Way) -> bool:
    """Whether the daemon (ExaBGP by the file it writes) has every route now."""
    if isinstance(daemon, GoBgp):
        return all(daemon.has(str(ADDRESSES[family]), family=family, within=1) for family in way.families)
    return arrived(daemon, way)
