"""Our speaker against BIRD 2: what BIRD has in its tables and says in its log is the proof."""

from ipaddress import IPv4Address

import pytest
from routers import NODE4, NODE6, PLAIN, ROUTER6, VIP, VIP6, BgpLab, bird_bgp, dual_stack, peer_config, prefixes, stays

from suite.bgp.export import RouteAttributes
from suite.bgp.prefix import IPV6
from suite.bgp.session import Stop

pytestmark = [pytest.mark.peer, pytest.mark.net]

DUAL = "ipv4 { import all; export none; }; ipv6 { import all; export none; };"


def test_ipv4_routes_arrive_with_their_attributes(bgplab: BgpLab) -> None:
    bird = bgplab.bird(bird_bgp())

    with bgplab.speaker() as speaker:
        peer = speaker.peer(peer_config())
        attributes = RouteAttributes(communities=(0xFC000064,), large_communities=((64512, 1, 2),), med=7)
        speaker.call(peer.announce, {VIP: attributes})

        assert bird.has("10.10.10.10/32", "BGP.community: (64512,100)", "(64512, 1, 2)", "BGP.med: 7"), bird.log()
        assert "BGP.as_path: 64513" in bird.routes()
        assert f"BGP.next_hop: {NODE4}" in bird.routes()


def test_ipv6_routes_arrive_over_an_ipv6_session(bgplab: BgpLab) -> None:
    neighbor = f"neighbor {NODE6} as 64513;"
    bird = bgplab.bird(bird_bgp(channels="ipv6 { import all; export none; };", neighbor=neighbor))

    with bgplab.announcing(peer_config(ROUTER6, families=frozenset({IPV6})), VIP6):
        assert bird.has("2001:db8:10::10/128", f"BGP.next_hop: {NODE6}"), bird.log()


def test_both_families_share_one_session(bgplab: BgpLab) -> None:
    bird = bgplab.bird(bird_bgp(channels=DUAL))

    with bgplab.announcing(peer_config(**dual_stack()), VIP, VIP6):
        assert bird.has("10.10.10.10/32", "2001:db8:10::10/128"), bird.log()


def test_ipv4_routes_with_ipv6_next_hops_arrive(bgplab: BgpLab) -> None:
    channels = "ipv4 { import all; export none; extended next hop on; };"
    bird = bgplab.bird(bird_bgp(channels=channels, neighbor=f"neighbor {NODE6} as 64513;"))

    with bgplab.announcing(peer_config(ROUTER6, extended_next_hop=True)):
        assert bird.has("10.10.10.10/32", f"BGP.next_hop: {NODE6}"), bird.log()


def test_link_local_peers_get_link_local_next_hops(bgplab: BgpLab) -> None:
    node, router = (host.ip("-6", "-br", "address", "show", "eth0") for host in (bgplab.node, bgplab.router))
    theirs = next(word.partition("/")[0] for word in router.split() if word.startswith("fe80"))
    ours = next(word.partition("/")[0] for word in node.split() if word.startswith("fe80"))
    neighbor = f"neighbor {ours}%eth0 as 64513; local {theirs}%eth0 as 64512; passive on;"
    bird = bgplab.bird(bird_bgp(channels="ipv6 { import all; export none; };", neighbor=neighbor))

    with bgplab.announcing(peer_config(f"{theirs}%eth0", families=frozenset({IPV6})), VIP6):
        assert bird.has("2001:db8:10::10/128", f"via {ours} on eth0"), bird.log()


def test_a_router_several_hops_away(bgplab: BgpLab) -> None:
    bgplab.router.ip("address", "add", "192.168.1.1/32", "dev", "lo")
    bgplab.node.ip("route", "add", "192.168.1.1/32", "via", "10.9.0.1")
    bird = bgplab.bird(bird_bgp("multihop 4; source address 192.168.1.1;"))

    with bgplab.announcing(peer_config("192.168.1.1", ttl=4)):
        assert bird.has("10.10.10.10/32"), bird.log()


def test_internal_peers_get_local_preference_and_an_empty_path(bgplab: BgpLab) -> None:
    bird = bgplab.bird(bird_bgp(neighbor=f"neighbor {NODE4} as 64512;"))

    with bgplab.speaker() as speaker:
        peer = speaker.peer(peer_config(local_as=64512))
        speaker.call(peer.announce, {VIP: RouteAttributes(local_pref=250)})

        assert bird.has("10.10.10.10/32", "BGP.local_pref: 250"), bird.log()
        assert "BGP.as_path: \n" in bird.routes()


def test_as_numbers_above_65535(bgplab: BgpLab) -> None:
    bird = bgplab.bird(bird_bgp(neighbor=f"neighbor {NODE4} as 4200000001;"))

    with bgplab.announcing(peer_config(local_as=4200000001)):
        assert bird.has("BGP.as_path: 4200000001"), bird.log()


def test_a_peer_that_knows_two_octet_numbers_only(bgplab: BgpLab) -> None:
    bird = bgplab.bird(bird_bgp("enable as4 off;"))

    with bgplab.announcing(peer_config()) as (speaker, peer):
        assert bird.has("10.10.10.10/32", "BGP.as_path: 64513"), bird.log()
        assert speaker.call(lambda: peer.session.negotiated.dialect.four_octet) is False


def test_md5_with_the_right_password(bgplab: BgpLab) -> None:
    bird = bgplab.bird(bird_bgp('password "secret";'))

    with bgplab.announcing(peer_config(password="secret")):
        assert bird.has("10.10.10.10/32"), bird.log()


def test_md5_with_the_wrong_password_never_connects(bgplab: BgpLab) -> None:
    bgplab.bird(bird_bgp('password "secret";'))

    with bgplab.speaker() as speaker:
        peer = speaker.peer(peer_config(password="guess"))

        assert stays(lambda: speaker.state(peer) in {"Connect", "Idle"}, 3)


def test_a_passive_session_waits_for_the_router(bgplab: BgpLab) -> None:
    bird = bgplab.bird(bird_bgp('password "secret";'))

    with bgplab.announcing(peer_config(passive=True, password="secret"), listen=True):
        assert bird.has("10.10.10.10/32"), bird.log()


def test_when_both_connect_one_connection_stays(bgplab: BgpLab) -> None:
    bird = bgplab.bird(bird_bgp("connect delay time 1;"))

    with bgplab.announcing(peer_config(), listen=True) as (speaker, peer):
        assert bird.has("10.10.10.10/32"), bird.log()
        assert stays(lambda: speaker.state(peer) == "Established", 2)


def test_ttl_security_on_both_sides(bgplab: BgpLab) -> None:
    bird = bgplab.bird(bird_bgp("ttl security on; direct;"))

    with bgplab.announcing(peer_config(security_hops=1)):
        assert bird.has("10.10.10.10/32"), bird.log()


def test_with_ttl_security_a_peer_that_does_not_prove_to_be_near_is_not_heard(bgplab: BgpLab) -> None:
    bgplab.bird(bird_bgp("passive on;"))

    with bgplab.speaker() as speaker:
        peer = speaker.peer(peer_config(security_hops=1))

        # BIRD's listening socket answers with TTL 255, but its OPEN leaves with 1 and must not be read.
        assert stays(lambda: speaker.state(peer) in {"Connect", "OpenSent"}, 3)


@pytest.mark.parametrize("hold", [3, 0])
def test_short_and_endless_hold_times(bgplab: BgpLab, hold: int) -> None:
    bird = bgplab.bird(bird_bgp(f"hold time {hold};"))

    with bgplab.announcing(peer_config(hold_time=hold)) as (speaker, peer):
        assert bird.has("10.10.10.10/32"), bird.log()
        assert speaker.call(peer.status).hold_time == hold
        assert stays(lambda: speaker.state(peer) == "Established", 1.2 * hold or 0.5)


def test_a_router_that_refreshes_gets_the_table_between_marks(bgplab: BgpLab) -> None:
    bird = bgplab.bird(bird_bgp())

    with bgplab.announcing(peer_config()) as (speaker, peer):
        assert bird.has("10.10.10.10/32"), bird.log()

        bird.birdc("reload", "in", "node")

        assert stays(lambda: "10.10.10.10/32" in bird.routes(), 1)
        counters = speaker.call(peer.status).counters
        assert (counters["route_refresh_received"], counters["route_refresh_sent"]) == (1, 2)


def test_changes_and_withdrawals_are_followed(bgplab: BgpLab) -> None:
    bird = bgplab.bird(bird_bgp(channels=DUAL))
    routes = {VIP: PLAIN, VIP6: PLAIN, **dict.fromkeys(prefixes("10.10.11.0/24", "10.10.12.0/22"), PLAIN)}

    with bgplab.speaker() as speaker:
        peer = speaker.peer(peer_config(**dual_stack()))
        speaker.call(peer.announce, routes)
        assert bird.has(*map(str, routes)), bird.log()

        speaker.call(peer.announce, {VIP: RouteAttributes(med=9)})

        assert bird.has("10.10.10.10/32", "BGP.med: 9")
        assert bird.lacks("2001:db8:10::10", "10.10.11.0/24", "10.10.12.0/22")


def test_a_shutdown_tells_the_router_why(bgplab: BgpLab) -> None:
    bird = bgplab.bird(bird_bgp())

    with bgplab.announcing(peer_config()) as (speaker, peer):
        assert bird.has("10.10.10.10/32"), bird.log()

        speaker.call(peer.stop, Stop.CEASE, "node drained, back at 14:00")

        assert bird.lacks("10.10.10.10/32")
        assert "Administrative shutdown" in bird.log()
        assert "node drained, back at 14:00" in bird.log()


def test_a_drain_withdraws_before_the_session_closes(bgplab: BgpLab) -> None:
    bird = bgplab.bird("debug protocols { routes, states };\n" + bird_bgp())

    with bgplab.announcing(peer_config()) as (speaker, peer):
        assert bird.has("10.10.10.10/32"), bird.log()

        speaker.call(peer.drain, "drained", 0.3)

        log = bird.log()
        assert 0 < log.find("removed [sole] 10.10.10.10/32") < log.find("Administrative shutdown"), log


def test_a_router_that_shuts_down_is_heard_and_asked_again(bgplab: BgpLab) -> None:
    bird = bgplab.bird(bird_bgp())

    with bgplab.announcing(peer_config()) as (speaker, peer):
        assert speaker.is_up(peer), bird.log()

        bird.birdc("disable", "node", '"cabling"')
        assert bird.lacks("10.10.10.10/32")
        status = speaker.call(peer.status)
        bird.birdc("enable", "node")

        assert status.last_cause.text == "received cease/administrative shutdown: cabling"
        assert bird.has("10.10.10.10/32"), bird.log()


def test_routes_stay_through_a_graceful_restart(bgplab: BgpLab) -> None:
    bird = bgplab.bird(bird_bgp("graceful restart on;"))
    with bgplab.announcing(peer_config(graceful_restart=30)) as (speaker, peer):
        assert bird.has("10.10.10.10/32"), bird.log()

        speaker.call(peer.stop, Stop.GRACEFUL)

    assert stays(lambda: "10.10.10.10/32" in bird.routes(), 1.5), bird.log()
    with bgplab.speaker() as speaker:
        again = speaker.peer(peer_config(graceful_restart=30, restarting=True))
        speaker.call(again.announce, {VIP: PLAIN})

        assert speaker.is_up(again), bird.log()
        assert stays(lambda: "10.10.10.10/32" in bird.routes(), 1), bird.log()
        assert "restart" in bird.birdc("show", "protocols", "all", "node").lower()


def test_after_a_graceful_restart_routes_not_announced_again_go(bgplab: BgpLab) -> None:
    bird = bgplab.bird(bird_bgp("graceful restart on;"))
    with bgplab.speaker() as speaker:
        peer = speaker.peer(peer_config(graceful_restart=30))
        speaker.call(peer.announce, dict.fromkeys(prefixes("10.10.10.10/32", "10.10.10.11/32"), PLAIN))
        assert bird.has("10.10.10.10/32", "10.10.10.11/32"), bird.log()
        speaker.call(peer.stop, Stop.GRACEFUL)

    with bgplab.speaker() as speaker:
        again = speaker.peer(peer_config(graceful_restart=30, restarting=True))
        speaker.call(again.announce, {VIP: PLAIN})

        assert bird.lacks("10.10.10.11/32"), bird.log()
        assert "10.10.10.10/32" in bird.routes()


def test_a_router_that_falls_silent_is_given_up_when_the_hold_time_ends(bgplab: BgpLab) -> None:
    bgplab.bird(bird_bgp("hold time 3; keepalive time 1;"))

    with bgplab.speaker() as speaker:
        peer = speaker.peer(peer_config(hold_time=3))
        assert speaker.is_up(peer)

        bgplab.router.down()

        assert not stays(lambda: speaker.state(peer) == "Established", 6)
        assert speaker.call(peer.status).last_cause.text == "sent hold timer expired"


def test_a_storm_of_resets_ends_with_the_routes_in_place(bgplab: BgpLab) -> None:
    bird = bgplab.bird(bird_bgp())

    with bgplab.announcing(peer_config(idle_hold_max=0.4)) as (speaker, peer):
        assert speaker.is_up(peer), bird.log()
        for _ in range(4):
            bird.birdc("restart", "node")
            speaker.is_up(peer)

        assert bird.has("10.10.10.10/32", within=15), bird.log()
        assert speaker.call(peer.status).counters["dropped"] >= 2


def test_a_wrong_as_number_is_refused_with_the_reason(bgplab: BgpLab) -> None:
    bird = bgplab.bird(bird_bgp())

    with bgplab.speaker() as speaker:
        peer = speaker.peer(peer_config(peer_as=65000))

        assert not stays(lambda: "bad peer as" not in str(speaker.call(peer.status).last_cause), 5), bird.log()


def test_what_the_router_sends_is_counted_and_dropped(bgplab: BgpLab) -> None:
    statics = "protocol static { ipv4; " + "".join(f"route 10.20.{n}.0/24 unreachable; " for n in range(50)) + "}\n"
    bgplab.bird(statics + bird_bgp(channels="ipv4 { import all; export all; };"))

    with bgplab.speaker() as speaker:
        peer = speaker.peer(peer_config(identifier=IPv4Address("10.9.0.2")))

        assert not stays(lambda: speaker.call(peer.status).counters.get("prefixes_received", 0) < 50, 8)
        assert len(speaker.call(peer.status).received) == 20
