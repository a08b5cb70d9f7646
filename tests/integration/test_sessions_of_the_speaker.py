"""The speaker's sessions against a router of our own on loopback: what it is told, and when."""

from __future__ import annotations

import asyncio
import random
import socket
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import wraps
from ipaddress import IPv4Address, ip_address, ip_network
from typing import TYPE_CHECKING, Any

import pytest
from rpds import HashTrieMap

from suite.bgp.fsm import State
from suite.bgp.negotiation import SessionConfig
from suite.bgp.peer import Listener
from suite.bgp.peer import Peer as Speaker
from suite.bgp.peer_config import PeerConfig
from suite.config.document import read_text
from suite.config.loading import load
from suite.metrics import names
from suite.metrics.names import new_registry
from suite.model.lease import Lease, LeaseState
from suite.model.node import Node
from suite.model.peer import Peer
from suite.model.publication import Publication
from suite.model.service import Service, ServiceRef, ServiceType
from suite.model.snapshot import Snapshot
from suite.speaker.loop import Speaker as NodeSpeaker
from suite.speaker.neighbours import Neighbour, neighbour
from suite.speaker.paths import Paths
from suite.speaker.plan import Plan, Route, counted
from suite.speaker.sessions import Sessions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

NODE = Node("node1", addresses=(ip_address("127.0.0.1"),))
ROUTER = ip_address("127.0.0.2")
ONE, TWO, THREE = (ip_network(f"10.10.10.{last}/32") for last in (10, 11, 12))

UNWATCHED = Paths(lambda _order: None)


@dataclass
class Router:
    """The other end; it remembers what it received."""

    speaker: Speaker
    port: int

    def heard(self) -> list[str]:
        """Every route in the order it came, withdrawn ones with a minus."""
        received = self.speaker.status().received
        return [("-" if each.withdrawn else "") + str(each.prefix) for each in received]


@asynccontextmanager
async def router() -> AsyncIterator[Router]:
    with socket.socket() as free:
        free.bind((str(ROUTER), 0))
        port = free.getsockname()[1]
    config = SessionConfig(64512, 64512, IPv4Address("192.168.1.1"), passive=True, graceful_restart=60)
    speaker = Speaker(PeerConfig(config, ip_address("127.0.0.1")), random.Random(1).random)
    listener = Listener()
    listener.add(speaker)
    await listener.open([ROUTER], port)
    speaker.start()
    try:
        yield Router(speaker, port)
    finally:
        listener.close()
        speaker.abort()


def towards(router: Router, **changes: object) -> Neighbour:
    peer = Peer("gateway", 64512, 64512, address=ROUTER, port=router.port, connect_time=1, **changes)  # type: ignore[arg-type]
    made = neighbour(peer, NODE, ())
    assert isinstance(made, Neighbour), made
    return made


def announcing(*prefixes: object, after: Plan | None = None) -> Plan:
    """A plan of these prefixes, made from another."""
    wanted = counted(Plan().prefixes, [Route(prefix) for prefix in prefixes], 1)  # type: ignore[arg-type]
    before = set(after.prefixes) if after is not None else set()
    return Plan(prefixes=wanted, touched=frozenset(before ^ set(wanted)))


async def eventually(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - what is looked at belongs to others
            await asyncio.sleep(0.01)


def on_a_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """The test on an event loop of its own."""

    @wraps(test)
    def run(**arguments: Any) -> None:
        asyncio.run(test(**arguments))

    return run


def sessions() -> Sessions:
    return Sessions(random.Random(2).random, new_registry(), UNWATCHED)


@on_a_loop
async def test_a_changed_plan_is_told_as_its_difference() -> None:
    async with router() as peer:
        ours, neighbours = sessions(), [towards(peer)]
        first = announcing(ONE, TWO)
        await ours.follow(neighbours, first)
        await eventually(lambda: len(peer.heard()) == 2)

        await ours.follow(neighbours, announcing(TWO, THREE, after=first))

        await eventually(lambda: len(peer.heard()) == 4)
        assert sorted(peer.heard()[2:]) == ["-10.10.10.10/32", "10.10.10.12/32"]
        assert peer.speaker.status().counters["established"] == 1
        await ours.stop()


@on_a_loop
async def test_a_prefix_of_a_family_that_the_session_does_not_carry_is_no_prefix_of_it() -> None:
    async with router() as peer:
        registry = new_registry()
        ours = Sessions(random.Random(2).random, registry, UNWATCHED)

        await ours.follow([towards(peer)], announcing(ONE, ip_network("2001:db8:10::10/128")))

        assert registry.value(names.OWN_BGP_PREFIXES, "gateway", "wanted") == 1
        await ours.stop()


@on_a_loop
async def test_a_session_that_carries_less_than_it_should_says_so() -> None:
    async with router() as peer:
        ours = sessions()
        await ours.follow([towards(peer, dual_stack_address_family=True)], announcing(ONE))
        await eventually(lambda: ours.peerings("node1")[0].state == "Established")

        assert ours.peerings("node1")[0].why.startswith("no ipv6: the router does not take it here")
        await ours.stop()


@on_a_loop
async def test_changed_settings_make_the_session_anew() -> None:
    async with router() as peer:
        ours, plan = sessions(), announcing(ONE)
        await ours.follow([towards(peer)], plan)
        await eventually(lambda: peer.heard() == ["10.10.10.10/32"])

        await ours.follow([towards(peer, hold_time=30)], plan)

        await eventually(lambda: peer.speaker.status().hold_time == 30)
        assert peer.speaker.status().counters["established"] == 2
        causes = [change.cause.text for change in peer.speaker.status().history if change.cause]
        assert causes[-1] == "received cease/configuration change"
        await ours.stop()


@on_a_loop
async def test_ending_withdraws_before_the_session_closes() -> None:
    async with router() as peer:
        ours = sessions()
        await ours.follow([towards(peer)], announcing(ONE))
        await eventually(lambda: peer.heard() == ["10.10.10.10/32"])

        await ours.stop()

        await eventually(lambda: peer.speaker.status().state is not State.ESTABLISHED)
        assert peer.heard() == ["10.10.10.10/32", "-10.10.10.10/32"]
        assert "the suite ends" in str(peer.speaker.status().last_cause)


@pytest.mark.parametrize(("is_drain", "heard"), [(False, 1), (True, 2)], ids=["a restart", "a drain"])
@on_a_loop
async def test_a_graceful_peer_keeps_the_routes_over_a_restart_but_not_over_a_drain(is_drain: bool, heard: int) -> None:
    async with router() as peer:
        ours = sessions()
        await ours.follow([towards(peer, graceful_restart=True)], announcing(ONE))
        await eventually(lambda: peer.heard() == ["10.10.10.10/32"])

        await ours.stop(is_drain=is_drain)

        await eventually(lambda: peer.speaker.status().state is not State.ESTABLISHED)
        assert len(peer.heard()) == heard


CONFIGURATION = """\
peers: [{name: gateway, peer-address: 127.0.0.2, peer-port: PORT, peer-asn: 64512, my-asn: 64512, graceful-restart: true}]
address-pools: [{name: bgp, protocol: bgp, addresses: [10.10.10.0/24]}]
"""
COFFEE = ServiceRef("default", "coffee")


def published(router: Router, node: Node) -> Publication:
    """One Service with 10.10.10.10, and what the cluster says of this node."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    lease = Lease(ip_address("10.10.10.10"), COFFEE, "bgp", LeaseState.BOUND, "", at)
    snapshot = Snapshot(
        configuration=load(read_text(CONFIGURATION.replace("PORT", str(router.port)))).configuration,
        services=HashTrieMap({COFFEE: Service(COFFEE, type=ServiceType.LOAD_BALANCER)}),
        leases=HashTrieMap({lease.address: (lease,)}),
        holdings=HashTrieMap({COFFEE: (lease,)}),
        nodes=HashTrieMap({node.name: node}),
    )
    return Publication(snapshot, None)


@pytest.mark.parametrize(
    ("state", "heard"),
    [
        ({}, ["10.10.10.10/32"]),
        ({"is_cordoned": True}, ["10.10.10.10/32", "-10.10.10.10/32"]),
        ({"is_being_removed": True}, []),
    ],
    ids=["at work", "cordoned", "being removed"],
)
@on_a_loop
async def test_what_a_router_keeps_of_a_suite_that_ends_depends_on_what_the_cluster_does_with_the_node(
    state: dict[str, bool], heard: list[str]
) -> None:
    async with router() as peer:
        ours = NodeSpeaker("node1", new_registry(), random.Random(2).random)
        await ours.follow(published(peer, replace(NODE, **state)))
        await eventually(lambda: peer.speaker.status().state is State.ESTABLISHED and peer.heard() == heard[:1])
        assert ours.silent() == {}

        await ours.stop()

        await eventually(lambda: peer.speaker.status().state is not State.ESTABLISHED)
        assert peer.heard() == heard


@on_a_loop
async def test_a_node_whose_router_does_not_answer_says_so_of_each_address() -> None:
    async with router() as peer:
        gone = published(peer, NODE)
    ours = NodeSpeaker("node1", new_registry(), random.Random(2).random)

    await ours.follow(gone)

    await eventually(lambda: "connection refused" in str(ours.silent().get(ip_address("10.10.10.10"))))
    assert ours.announced() == {}
    await ours.stop()


@on_a_loop
async def test_a_peer_that_is_gone_from_the_configuration_is_told_so() -> None:
    async with router() as peer:
        ours, plan = sessions(), announcing(ONE)
        await ours.follow([towards(peer)], plan)
        await eventually(lambda: peer.heard() == ["10.10.10.10/32"])

        await ours.follow([], announcing(ONE, after=plan))

        await eventually(lambda: peer.speaker.status().state is not State.ESTABLISHED)
        assert peer.heard()[-1] == "-10.10.10.10/32"
        assert str(peer.speaker.status().last_cause.text) == "received cease/peer deconfigured"
        assert ours.peerings("node1") == ()


@on_a_loop
async def test_a_session_s_picture_says_why_it_is_down() -> None:
    ours = sessions()
    async with router() as peer:
        gone = towards(peer)
    await ours.follow([gone], announcing(ONE))

    await eventually(lambda: ours.peerings("node1")[0].why)

    assert ours.peerings("node1")[0].why == "connect: connection refused"
    await ours.stop()


@on_a_loop
async def test_what_a_session_counted_is_in_the_metrics_when_it_ends() -> None:
    async with router() as peer:
        registry = new_registry()
        ours = Sessions(random.Random(2).random, registry, UNWATCHED)
        await ours.follow([towards(peer)], announcing(ONE))
        await eventually(lambda: peer.heard() == ["10.10.10.10/32"])

        await ours.stop()

        assert registry.value(names.BGP_OPENS_SENT, "gateway") == 1
        assert registry.value(names.BGP_NOTIFICATIONS_SENT, "gateway") == 1
        assert registry.value(names.BGP_UPDATES, "gateway") >= 2


@on_a_loop
async def test_the_gauge_of_announced_prefixes_follows_the_session_down() -> None:
    registry = new_registry()
    ours = Sessions(random.Random(2).random, registry, UNWATCHED)
    async with router() as peer:
        neighbours, first = [towards(peer)], announcing(ONE)
        await ours.follow(neighbours, first)
        await eventually(lambda: peer.heard() == ["10.10.10.10/32"])
        await ours.follow(neighbours, announcing(ONE, TWO, after=first))
        assert registry.value(names.BGP_ANNOUNCED, "gateway") == 2

    await eventually(lambda: registry.value(names.BGP_ANNOUNCED, "gateway") == 0)
    assert registry.value(names.OWN_BGP_PREFIXES, "gateway", "wanted") == 2
    await ours.stop()


@on_a_loop
async def test_a_peer_that_is_gone_leaves_no_gauge_that_an_alert_could_take_for_a_fault() -> None:
    registry = new_registry()
    ours = Sessions(random.Random(2).random, registry, UNWATCHED)
    async with router() as peer:
        await ours.follow([towards(peer)], announcing(ONE))
        await eventually(lambda: registry.value(names.BGP_SESSION_UP, "gateway") == 1)

        await ours.follow([], announcing())

        told = registry.readings().numbers
        assert not {"metallb_bgp_session_up", "suite_bgp_prefixes", "suite_bgp_session_up"} & set(told)
        assert told["metallb_bgp_opens_sent"] == {("gateway",): 1}
        await ours.stop()


@pytest.mark.parametrize(("is_passive", "is_free"), [(False, True), (True, False)], ids=["we connect", "we wait"])
@on_a_loop
async def test_the_port_of_bgp_is_left_to_others_unless_a_peer_shall_connect_to_us(
    is_passive: bool, is_free: bool
) -> None:
    async with router() as peer:
        port = free_port()
        ours = Sessions(random.Random(2).random, new_registry(), UNWATCHED, listen_port=port)

        await ours.follow([towards(peer, passive=is_passive, source_address=OWN)], announcing(ONE))

        assert is_bindable(port) is is_free
        await ours.stop()


@on_a_loop
async def test_the_port_is_given_back_with_the_last_peer_that_shall_connect_to_us() -> None:
    async with router() as peer:
        port = free_port()
        ours, plan = Sessions(random.Random(2).random, new_registry(), UNWATCHED, listen_port=port), announcing(ONE)
        await ours.follow([towards(peer, passive=True, source_address=OWN)], plan)

        await ours.follow([towards(peer, source_address=OWN)], plan)

        assert is_bindable(port)
        await ours.stop()


OWN = ip_address("127.0.0.3")
"""An address that nobody else of these tests listens on."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((str(OWN), 0))
        return int(probe.getsockname()[1])


def is_bindable(port: int) -> bool:
    """Whether another daemon of this node could listen there."""
    with socket.socket() as other:
        try:
            other.bind((str(OWN), port))
        except OSError:
            return False
        return True
