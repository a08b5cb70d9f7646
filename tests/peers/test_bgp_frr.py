"""Our speaker against FRR: what `show bgp` says is the proof."""

import json
import signal
from ipaddress import IPv4Address

import pytest
from fix_netns import eventually
from routers import (
    NODE4,
    NODE6,
    PLAIN,
    ROUTER4,
    ROUTER6,
    VIP,
    VIP6,
    BgpLab,
    dual_stack,
    frr_bgp,
    frr_families,
    peer_config,
    prefixes,
    stays,
)

from suite.bgp.export import RouteAttributes
from suite.bgp.negotiation import PeerKind
from suite.bgp.prefix import IPV6
from suite.bgp.session import Stop

pytestmark = [pytest.mark.peer, pytest.mark.net]


def test_ipv4_routes_arrive_with_their_attributes(bgplab: BgpLab) -> None:
    frr = bgplab.frr(frr_bgp())

    with bgplab.speaker() as speaker:
        peer = speaker.peer(peer_config())
        attributes = RouteAttributes(communities=(0xFC000064,), large_communities=((64512, 1, 2),), med=7)
        speaker.call(peer.announce, {VIP: attributes})

        assert frr.has("10.10.10.10/32"), frr.log()
        path = json.loads(frr.vtysh("show bgp ipv4 unicast 10.10.10.10/32 json"))["paths"][0]
        assert path["community"]["string"] == "64512:100"
        assert path["largeCommunity"]["string"] == "64512:1:2"
        assert (path["metric"], path["aspath"]["string"], path["origin"]) == (7, "64513", "IGP")
        assert path["nexthops"][0]["ip"] == NODE4


def test_both_families_share_one_session(bgplab: BgpLab) -> None:
    frr = bgplab.frr(frr_bgp(families=frr_families("ipv4", "ipv6")))

    with bgplab.announcing(peer_config(**dual_stack()), VIP, VIP6):
        assert frr.has("10.10.10.10/32"), frr.log()
        assert frr.has("2001:db8:10::10/128", family="ipv6"), frr.log()


def test_ipv6_routes_arrive_over_an_ipv6_session(bgplab: BgpLab) -> None:
    frr = bgplab.frr(frr_bgp(families=frr_families("ipv6", remote=NODE6), remote=NODE6))

    with bgplab.announcing(peer_config(ROUTER6, families=frozenset({IPV6})), VIP6):
        assert frr.has("2001:db8:10::10/128", family="ipv6"), frr.log()


def test_ipv4_routes_with_ipv6_next_hops_arrive(bgplab: BgpLab) -> None:
    frr = bgplab.frr(frr_bgp("capability extended-nexthop", families=frr_families("ipv4", remote=NODE6), remote=NODE6))

    with bgplab.announcing(peer_config(ROUTER6, extended_next_hop=True)):
        assert frr.has("10.10.10.10/32"), frr.log()
        path = json.loads(frr.vtysh("show bgp ipv4 unicast 10.10.10.10/32 json"))["paths"][0]
        assert path["nexthops"][0]["ip"] == NODE6


@pytest.mark.parametrize("kind", [PeerKind.INTERNAL, 64512])
def test_internal_peers_get_local_preference_and_an_empty_path(bgplab: BgpLab, kind: PeerKind | int) -> None:
    frr = bgplab.frr(frr_bgp(asn="internal"))

    with bgplab.speaker() as speaker:
        peer = speaker.peer(peer_config(local_as=64512, peer_as=kind))
        speaker.call(peer.announce, {VIP: RouteAttributes(local_pref=250)})

        assert frr.has("10.10.10.10/32"), frr.log()
        path = json.loads(frr.vtysh("show bgp ipv4 unicast 10.10.10.10/32 json"))["paths"][0]
        assert (path["locPrf"], path["aspath"]["length"], path["peer"]["type"]) == (250, 0, "internal")


def test_as_numbers_above_65535(bgplab: BgpLab) -> None:
    frr = bgplab.frr(frr_bgp(asn=4200000001))

    with bgplab.announcing(peer_config(local_as=4200000001, peer_as=PeerKind.EXTERNAL)):
        assert frr.has("10.10.10.10/32"), frr.log()


def test_md5_with_the_right_password(bgplab: BgpLab) -> None:
    frr = bgplab.frr(frr_bgp("password secret"))

    with bgplab.announcing(peer_config(password="secret")):
        assert frr.has("10.10.10.10/32"), frr.log()


def test_md5_over_ipv6(bgplab: BgpLab) -> None:
    frr = bgplab.frr(frr_bgp("password secret", families=frr_families("ipv6", remote=NODE6), remote=NODE6))

    with bgplab.announcing(peer_config(ROUTER6, password="secret", families=frozenset({IPV6})), VIP6, listen=True):
        assert frr.has("2001:db8:10::10/128", family="ipv6"), frr.log()


def test_md5_with_the_wrong_password_never_connects(bgplab: BgpLab) -> None:
    bgplab.frr(frr_bgp("password secret"))

    with bgplab.speaker() as speaker:
        peer = speaker.peer(peer_config(password="guess"))

        assert stays(lambda: speaker.state(peer) in {"Connect", "Idle"}, 3)


def test_ttl_security_on_both_sides(bgplab: BgpLab) -> None:
    frr = bgplab.frr(frr_bgp("ttl-security hops 1"))

    with bgplab.announcing(peer_config(security_hops=1)):
        assert frr.has("10.10.10.10/32"), frr.log()


@pytest.mark.parametrize("hold", [3, 0])
def test_short_and_endless_hold_times(bgplab: BgpLab, hold: int) -> None:
    frr = bgplab.frr(frr_bgp(f"timers {hold // 3} {hold}"))

    with bgplab.announcing(peer_config(hold_time=hold)) as (speaker, peer):
        assert frr.has("10.10.10.10/32"), frr.log()
        assert speaker.call(peer.status).hold_time == hold
        assert stays(lambda: speaker.state(peer) == "Established", 1.2 * hold or 0.5)


def test_a_router_that_falls_silent_is_given_up_when_the_hold_time_ends(bgplab: BgpLab) -> None:
    frr = bgplab.frr(frr_bgp("timers 1 3"))

    with bgplab.speaker() as speaker:
        peer = speaker.peer(peer_config(hold_time=3))
        assert speaker.is_up(peer), frr.log()

        frr.processes[-1].send_signal(signal.SIGSTOP)  # bgpd; its kernel goes on to take what we send

        def causes() -> list[str]:
            return [change.cause.text for change in speaker.call(peer.status).history if change.cause]

        assert eventually(lambda: "sent hold timer expired" in causes(), 20)


def test_a_router_that_let_routes_pass_by_gets_them_when_it_refreshes(bgplab: BgpLab) -> None:
    """What FRR's filter refused it has forgotten: only the whole table anew can bring it back."""
    family = "\n".join(
        (" address-family ipv4 unicast", f"  neighbor {NODE4} activate", f"  neighbor {NODE4} prefix-list ONE in")
    )
    closed = "ip prefix-list ONE seq 5 permit 10.10.10.11/32\n"
    frr = bgplab.frr(closed + frr_bgp(families=f"{family}\n exit-address-family"))

    with bgplab.speaker() as speaker:
        peer = speaker.peer(peer_config())
        speaker.call(peer.announce, dict.fromkeys(prefixes("10.10.10.10/32", "10.10.10.11/32"), PLAIN))
        assert frr.has("10.10.10.11/32"), frr.log()
        assert "10.10.10.10/32" not in frr.table()

        frr.vtysh("configure terminal", "ip prefix-list ONE seq 10 permit any")
        frr.vtysh(f"clear bgp ipv4 unicast {NODE4} in")

        assert frr.has("10.10.10.10/32", "10.10.10.11/32"), frr.log()
        assert speaker.call(peer.status).counters["route_refresh_received"] >= 1


def test_a_neighbor_range_needs_no_entry_per_node(bgplab: BgpLab) -> None:
    config = f"""
router bgp 64512
 bgp router-id {ROUTER4}
 no bgp ebgp-requires-policy
 neighbor nodes peer-group
 neighbor nodes remote-as external
 bgp listen range 10.9.0.0/24 peer-group nodes
"""
    frr = bgplab.frr(config)

    with bgplab.announcing(peer_config()):
        assert frr.has("10.10.10.10/32"), frr.log()


def test_a_shutdown_tells_the_router_why(bgplab: BgpLab) -> None:
    frr = bgplab.frr(frr_bgp())

    with bgplab.announcing(peer_config()) as (speaker, peer):
        assert frr.has("10.10.10.10/32"), frr.log()

        speaker.call(peer.stop, Stop.CEASE, "node drained, back at 14:00")

        assert frr.lacks("10.10.10.10/32")
        neighbor = json.loads(frr.vtysh(f"show bgp neighbors {NODE4} json"))[NODE4]
        assert neighbor["lastShutdownDescription"] == "node drained, back at 14:00"


def test_a_router_that_shuts_down_is_heard_and_asked_again(bgplab: BgpLab) -> None:
    frr = bgplab.frr(frr_bgp())

    with bgplab.announcing(peer_config()) as (speaker, peer):
        assert speaker.is_up(peer), frr.log()

        frr.vtysh("configure", "router bgp 64512", f"neighbor {NODE4} shutdown message cabling")

        assert frr.lacks("10.10.10.10/32")
        causes = [change.cause.text for change in speaker.call(peer.status).history if change.cause]
        assert "received cease/administrative shutdown: cabling" in causes


def test_routes_stay_through_a_graceful_restart(bgplab: BgpLab) -> None:
    frr = bgplab.frr(frr_bgp("graceful-restart-helper"))
    with bgplab.speaker() as speaker:
        peer = speaker.peer(peer_config(graceful_restart=30))
        speaker.call(peer.announce, dict.fromkeys(prefixes("10.10.10.10/32", "10.10.10.11/32"), PLAIN))
        assert frr.has("10.10.10.10/32", "10.10.10.11/32"), frr.log()

        speaker.call(peer.stop, Stop.GRACEFUL)

    assert stays(lambda: "10.10.10.10/32" in frr.table(), 1.5), frr.log()
    with bgplab.speaker() as speaker:
        again = speaker.peer(peer_config(graceful_restart=30, restarting=True))
        speaker.call(again.announce, {VIP: PLAIN})

        assert speaker.is_up(again), frr.log()
        assert frr.lacks("10.10.10.11/32"), frr.log()
        assert "10.10.10.10/32" in frr.table()


def test_without_graceful_restart_routes_go_when_the_process_is_killed(bgplab: BgpLab) -> None:
    frr = bgplab.frr(frr_bgp())
    with bgplab.announcing(peer_config(identifier=IPv4Address("10.9.0.2"))):
        assert frr.has("10.10.10.10/32"), frr.log()

    assert frr.lacks("10.10.10.10/32"), frr.log()


def test_a_storm_of_resets_ends_with_the_routes_in_place(bgplab: BgpLab) -> None:
    frr = bgplab.frr(frr_bgp())

    with bgplab.announcing(peer_config(idle_hold_max=0.4)) as (speaker, peer):
        assert speaker.is_up(peer), frr.log()
        for _ in range(5):
            frr.vtysh(f"clear bgp {NODE4}")
            speaker.is_up(peer)

        assert frr.has("10.10.10.10/32", within=15), frr.log()
        assert speaker.call(peer.status).counters["dropped"] >= 3
