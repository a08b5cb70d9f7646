"""BFD with BIRD and FRR: sessions come up, and a node that dies without a word loses its routes long before the hold time ends.

How long that takes is measured by tests/bench/bgp/silent_node.py; here what both sides agreed on is compared, and who found it out.
"""

import json
import signal
from collections.abc import Callable
from ipaddress import ip_address

import pytest
from fix_netns import eventually
from routers import (
    NODE4,
    NODE6,
    PLAIN,
    ROUTER4,
    ROUTER6,
    BgpLab,
    Bird,
    Frr,
    Speaker,
    bird_bgp,
    frr_bgp,
    peer_config,
    prefixes,
    stays,
)

from suite.bgp.bfd import BfdProfile
from suite.bgp.bfd_link import BfdPeer
from suite.bgp.peer import Peer
from suite.bgp.session import Stop

pytestmark = [pytest.mark.peer, pytest.mark.net]

TEXT = "10.10.10.10/32"
(VIP,) = prefixes(TEXT)
HOLD_TIME = 90
FAST = BfdProfile(receive_interval=100, transmit_interval=100)
FAR = BfdProfile(receive_interval=100, transmit_interval=100, minimum_ttl=60)  # BIRD sends the system's 64 over hops
BIRD_BFD = """
protocol bfd {
  interface "eth0" { min rx interval 100 ms; min tx interval 100 ms; idle tx interval 300 ms; multiplier 3; };
}
"""
FRR_BFD = f"""
bfd
 peer {NODE4} interface eth0
  receive-interval 100
  transmit-interval 100
"""


def watched(address: str = ROUTER4) -> BfdPeer:
    return BfdPeer(ip_address(address), profile=FAST)


@pytest.mark.parametrize(("router", "node"), [(ROUTER4, NODE4), (ROUTER6, NODE6)])
def test_a_session_with_bird_comes_up_at_the_agreed_pace(bgplab: BgpLab, router: str, node: str) -> None:
    bird = bgplab.bird(BIRD_BFD.replace("}\n", f'  neighbor {node} dev "eth0";\n}}\n'))

    with bgplab.speaker() as speaker:
        path, changes = speaker.watch(watched(router))

        assert eventually(lambda: [change.new.name for change in changes][-1:] == ["UP"], 8), bird.log()
        assert "Up" in bird.birdc("show", "bfd", "sessions")
        assert stays(lambda: speaker.call(path.status).state.name == "UP", 1)
        assert eventually(lambda: speaker.call(path.status).transmit_time == pytest.approx(0.1), 3)
        assert speaker.call(path.status).detection_time == pytest.approx(0.3)


def test_a_multihop_session_with_bird(bgplab: BgpLab) -> None:
    bird = bgplab.bird(
        "protocol bfd { multihop { interval 100 ms; multiplier 3; }; "
        f"neighbor {NODE4} local {ROUTER4} multihop; }}\n"
    )

    with bgplab.speaker() as speaker:
        _, changes = speaker.watch(BfdPeer(ip_address(ROUTER4), ip_address(NODE4), multihop=True, profile=FAR))

        assert eventually(lambda: [change.new.name for change in changes][-1:] == ["UP"], 8), bird.log()


def test_a_session_with_frr_comes_up_and_stays_on_control_packets_where_frr_would_echo(bgplab: BgpLab) -> None:
    frr = bgplab.frr(frr_bgp() + FRR_BFD + "  echo-mode\n", bfd=True)

    with bgplab.speaker() as speaker:
        path, changes = speaker.watch(watched())

        assert eventually(lambda: [change.new.name for change in changes][-1:] == ["UP"], 8), frr.log()
        assert eventually(lambda: speaker.call(path.status).detection_time == pytest.approx(0.3)), frr.log()
        assert stays(lambda: json.loads(frr.vtysh("show bfd peers json"))[0]["status"] == "up", 1)
        counters = json.loads(frr.vtysh("show bfd peers counters json"))[0]
        assert (counters["echo-packet-output"], counters["echo-packet-input"]) == (0, 0), counters


def test_bird_drops_the_routes_of_a_silent_node_before_the_hold_time_ends(bgplab: BgpLab) -> None:
    bird = bgplab.bird(BIRD_BFD + bird_bgp("bfd on; hold time 90;"))

    with bgplab.speaker() as speaker:
        _, changes = speaker.watch(watched())
        peer = speaker.peer(peer_config(hold_time=HOLD_TIME))
        speaker.call(peer.announce, {VIP: PLAIN})
        assert bird.has("10.10.10.10/32"), bird.log()
        assert eventually(lambda: [change.new.name for change in changes][-1:] == ["UP"], 8), bird.log()

        bgplab.fall_silent()

        assert bird.lacks("10.10.10.10/32", within=HOLD_TIME / 3), bird.log()
        assert "BFD session down" in bird.birdc("show", "protocols", "all", "node")


def test_frr_drops_the_routes_of_a_silent_node_before_the_hold_time_ends(bgplab: BgpLab) -> None:
    frr = bgplab.frr(frr_bgp("bfd") + FRR_BFD, bfd=True)

    with bgplab.speaker() as speaker:
        _, changes = speaker.watch(watched())
        peer = speaker.peer(peer_config(hold_time=HOLD_TIME))
        speaker.call(peer.announce, {VIP: PLAIN})
        assert frr.has("10.10.10.10/32"), frr.log()
        assert eventually(lambda: [change.new.name for change in changes][-1:] == ["UP"], 8), frr.log()

        bgplab.fall_silent()

        assert frr.lacks("10.10.10.10/32", within=HOLD_TIME / 3), frr.log()
        assert json.loads(frr.vtysh("show bfd peers json"))[0]["diagnostic"] == "control detection time expired"


def test_we_see_a_silent_router_when_the_detection_time_is_over(bgplab: BgpLab) -> None:
    bird = bgplab.bird(BIRD_BFD.replace("}\n", f'  neighbor {NODE4} dev "eth0";\n}}\n'))

    with bgplab.speaker() as speaker:
        path, changes = speaker.watch(watched())
        assert eventually(lambda: [change.new.name for change in changes][-1:] == ["UP"], 8)
        assert eventually(lambda: speaker.call(path.status).detection_time == pytest.approx(0.3))
        bird.process.send_signal(signal.SIGSTOP)

        assert eventually(lambda: changes[-1].new.name == "DOWN", HOLD_TIME / 3)
        assert changes[-1].diagnostic.name == "DETECTION_TIME_EXPIRED"


def test_bird_keeps_the_routes_through_a_graceful_restart_with_bfd_on(bgplab: BgpLab) -> None:
    bird = bgplab.bird(BIRD_BFD + bird_bgp("bfd graceful; graceful restart on; hold time 90;"))
    with bgplab.speaker() as speaker:
        peer = watched_peer(speaker, lambda: TEXT in bird.routes() and bfd_is_up(bird))

        speaker.call(peer.stop, Stop.GRACEFUL)

    assert eventually(lambda: not bfd_is_up(bird), 10), bird.log()
    assert stays(lambda: TEXT in bird.routes(), 1), bird.log()


def test_bird_keeps_the_routes_when_the_process_is_killed_with_bfd_on(bgplab: BgpLab) -> None:
    bird = bgplab.bird(BIRD_BFD + bird_bgp("bfd graceful; graceful restart on; hold time 90;"))
    with bgplab.speaker() as speaker:
        watched_peer(speaker, lambda: TEXT in bird.routes() and bfd_is_up(bird))

    assert eventually(lambda: not bfd_is_up(bird), 10), bird.log()
    assert stays(lambda: TEXT in bird.routes(), 1), bird.log()


def test_bird_takes_the_silence_of_a_dead_node_for_a_restart_and_keeps_its_routes_for_the_restart_time(
    bgplab: BgpLab,
) -> None:
    bird = bgplab.bird(BIRD_BFD + bird_bgp("bfd graceful; graceful restart on; hold time 90;"))
    with bgplab.speaker() as speaker:
        watched_peer(speaker, lambda: TEXT in bird.routes() and bfd_is_up(bird), restart_time=4)

        bgplab.fall_silent()

        assert eventually(lambda: "Neighbor graceful restart active" in bird.birdc("show", "protocols", "all", "node"))
        assert TEXT in bird.routes()
        assert bird.lacks(TEXT, within=HOLD_TIME / 3), bird.log()


@pytest.mark.parametrize("is_announced", [True, False], ids=["ends", "killed"])
def test_frr_keeps_the_routes_of_a_process_that_ends_or_is_killed_though_bfd_goes_down_then(
    bgplab: BgpLab, is_announced: bool
) -> None:
    frr = bgplab.frr(frr_bgp("bfd\ngraceful-restart-helper") + FRR_BFD, bfd=True)
    with bgplab.speaker() as speaker:
        peer = watched_peer(speaker, lambda: TEXT in frr.table() and bfd_state(frr) == "up")
        if is_announced:
            speaker.call(peer.stop, Stop.GRACEFUL)

    assert eventually(lambda: bfd_state(frr) == "down", 10), frr.log()
    assert stays(lambda: TEXT in frr.table(), 1), frr.log()


@pytest.mark.parametrize(
    ("line", "is_kept"), [("", False), ("\nbfd check-control-plane-failure", True)], ids=["as written", "not written"]
)
def test_frr_believes_a_dead_node_dead_with_graceful_restart_too_unless_it_is_told_not_to(
    bgplab: BgpLab, line: str, is_kept: bool
) -> None:
    """Why `suite router-config` does not write that line: it lets FRR ignore BFD, whose process restarts with BGP's."""
    frr = bgplab.frr(frr_bgp(f"bfd{line}\ngraceful-restart-helper") + FRR_BFD, bfd=True)
    with bgplab.speaker() as speaker:
        watched_peer(speaker, lambda: TEXT in frr.table() and bfd_state(frr) == "up")

        bgplab.fall_silent()

        assert eventually(lambda: bfd_state(frr) == "down", 10), frr.log()
        assert stays(lambda: TEXT in frr.table(), 2) if is_kept else frr.lacks(TEXT, within=HOLD_TIME / 3), frr.log()


def watched_peer(speaker: Speaker, is_told: Callable[[], object], restart_time: int = 30) -> Peer:
    """A peer that restarts gracefully, with its path watched and a route told: as far as the router is concerned too."""
    speaker.watch(watched())
    peer = speaker.peer(peer_config(graceful_restart=restart_time, hold_time=HOLD_TIME))
    speaker.call(peer.announce, {VIP: PLAIN})
    assert eventually(is_told, 20)
    return peer


def bfd_state(frr: Frr) -> str:
    """What FRR says of the path."""
    return str(json.loads(frr.vtysh("show bfd peers json"))[0]["status"])


def bfd_is_up(bird: Bird) -> bool:
    """Whether BIRD has the path up."""
    return " Up " in bird.birdc("show", "bfd", "sessions")
