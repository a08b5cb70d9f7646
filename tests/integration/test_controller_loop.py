"""The controller over a real database: what it does when writers race, the clock jumps, or the database goes away."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from fix_world import load_balancer, pool, ref

from suite.cluster.source import Batch
from suite.controller.loop import Controller
from suite.controller.operator import Order, drain
from suite.metrics.names import new_registry
from suite.model.changes import Changes, Closing
from suite.model.configuration import Configuration
from suite.model.event import Actor
from suite.model.problem import Problem
from suite.model.publication import Publication

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fix_db import DatabaseUnderTest

    from suite.store.store import Store

CONFIGURATION = Configuration((pool("default", "10.0.0.0/24"),), hold_time=60, cooling_time=0, digest="first")


@dataclass
class Clock:
    """A wall clock that tests turn, and the uptime, which goes on."""

    now: datetime = field(default_factory=lambda: datetime(2100, 1, 1, tzinfo=UTC))
    uptime: float = 0.0

    def __call__(self) -> datetime:
        return self.now

    def pass_time(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.uptime += seconds


@dataclass
class Desk:
    """A running controller, and what it told."""

    controller: Controller
    told: list[Publication]
    clock: Clock

    def has(self, name: str) -> list[str]:
        return [str(lease.address) for lease in self.controller.snapshot.bound(ref(name))]


@asynccontextmanager
async def running(store: "Store", instance: str = "one", clock: Clock | None = None) -> "AsyncIterator[Desk]":
    told: list[Publication] = []
    clock = clock or Clock()

    async def tell(publication: Publication) -> None:
        told.append(publication)

    controller = Controller(store, tell, new_registry(), instance, clock, uptime=lambda: clock.uptime)
    await controller.load()
    task = asyncio.create_task(controller.run())
    try:
        yield Desk(controller, told, clock)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(fact: Callable[[], bool], seconds: float = 30) -> bool:
    """Whether the fact comes true in time."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not fact():
        if asyncio.get_running_loop().time() > deadline:
            return False
        await asyncio.sleep(0.01)
    return True


async def settled(desk: Desk, *services: object, configuration: Configuration = CONFIGURATION) -> None:
    assert await until(lambda: desk.controller.is_leading)
    await desk.controller.configure(configuration, ())
    await desk.controller.hear(Batch(services=services, is_full=True))  # type: ignore[arg-type]


def run(story: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(story())  # type: ignore[arg-type]


def test_nothing_is_told_before_the_first_full_list(db: "DatabaseUnderTest") -> None:
    async def story() -> None:
        async with running(db.open()) as desk:
            await until(lambda: desk.controller.is_leading)
            await desk.controller.configure(CONFIGURATION, ())
            await desk.controller.hear(Batch(services=(load_balancer("a"),)))

            assert desk.told == []
            assert desk.controller.not_ready() == ("the source has not listed everything yet",)

    run(story)


def test_a_batch_is_committed_before_it_is_told(db: "DatabaseUnderTest") -> None:
    async def story() -> None:
        async with running(db.open()) as desk:
            await settled(desk, load_balancer("a"))

            assert desk.told[-1].snapshot.bound(ref("a"))
            assert db.rows("SELECT address, state FROM lease WHERE valid_to IS NULL") == [("10.0.0.0", "bound")]

    run(story)


def test_a_rejected_configuration_is_in_the_log_once(db: "DatabaseUnderTest") -> None:
    async def story() -> None:
        async with running(db.open()) as desk:
            await settled(desk, load_balancer("a"))
            for _ in range(2):
                await desk.controller.configure(None, (Problem("address-pools[0]", "no pool", source="suite.yaml"),))

            rows = db.rows("SELECT reason FROM event WHERE action = 'config-rejected'")
            assert rows == [("suite.yaml: address-pools[0]: no pool",)]
            assert desk.has("a") == ["10.0.0.0"]

    run(story)


def test_an_operators_commit_is_noticed_and_acted_on(db: "DatabaseUnderTest") -> None:
    async def story() -> None:
        async with running(db.open()) as desk:
            await settled(desk, load_balancer("a"))
            other = db.open()
            changes = drain(other.read(), "default", Order(Actor("operator", "test")))
            assert isinstance(changes, Changes)
            other.commit(changes, other.read(), now=desk.clock())

            assert await until(lambda: desk.controller.snapshot.drained == {"default"})
            await desk.controller.hear(Batch(services=(load_balancer("b"),)))
            assert desk.has("b") == []

    run(story)


def test_of_two_controllers_one_leads_and_the_other_takes_over_without_moving_an_address(
    db: "DatabaseUnderTest",
) -> None:
    async def story() -> None:
        first, second = db.open(), db.open()
        async with running(second, "two") as standby:
            await until(lambda: standby.controller.is_leading, 0.1)
            second.resign()
            async with running(first, "one") as leader:
                await settled(leader, load_balancer("a"), load_balancer("b"))
            first.resign()

            await settled(standby, load_balancer("b"), load_balancer("a"))

            assert await until(lambda: standby.has("a") == ["10.0.0.0"] and standby.has("b") == ["10.0.0.1"])

    run(story)


def test_a_held_address_is_freed_when_its_time_is_over_though_nobody_says_anything(db: "DatabaseUnderTest") -> None:
    async def story() -> None:
        async with running(db.open()) as desk:
            await settled(desk, load_balancer("a"))
            await desk.controller.hear(Batch(services_gone=(ref("a"),)))
            desk.clock.pass_time(61)
            await desk.controller.hear(Batch(services=(load_balancer("b"),)))

            assert desk.has("b") == ["10.0.0.0"]

    run(story)


def test_a_clock_that_jumps_back_never_makes_history_run_backwards(db: "DatabaseUnderTest") -> None:
    async def story() -> None:
        async with running(db.open()) as desk:
            await settled(desk, load_balancer("a"))
            desk.clock.now -= timedelta(days=400)
            await desk.controller.hear(Batch(services=(load_balancer("b"),)))
            await desk.controller.hear(Batch(services_gone=(ref("a"),)))

            times = [row[0] for row in db.rows("SELECT at FROM event ORDER BY revision, n")]
            assert times == sorted(times)
            assert db.rows("SELECT count(*) FROM lease WHERE valid_to < valid_from") == [(0,)]

    run(story)


def test_a_clock_that_jumps_back_and_forth_lets_a_held_address_wait_as_long_as_was_promised(
    sqlite_db: "DatabaseUnderTest",
) -> None:
    """Only the uptime counts while the clock is set; the configuration holds for 60 s and cools for none."""

    async def story() -> None:
        async with running(sqlite_db.open()) as desk:
            await settled(desk, load_balancer("a"))
            await desk.controller.hear(Batch(services_gone=(ref("a"),)))
            owned = []
            for jump, seconds in ((timedelta(days=-400), 59), (timedelta(days=-1), 2)):
                desk.clock.now += jump
                desk.clock.pass_time(seconds)
                await desk.controller.hear(Batch())
                owned.append(len(desk.controller.snapshot.leases))

            assert owned == [1, 0]

    run(story)


def test_a_clock_set_forward_ends_no_cooling_early(sqlite_db: "DatabaseUnderTest") -> None:
    cooling = replace(CONFIGURATION, hold_time=0, cooling_time=660, digest="cooling")

    async def story() -> None:
        async with running(sqlite_db.open()) as desk:
            await settled(desk, load_balancer("a"), configuration=cooling)
            await desk.controller.hear(Batch(services_gone=(ref("a"),)))
            desk.clock.now += timedelta(days=1)
            waiting = []
            for seconds in (1, 600, 70):
                desk.clock.pass_time(seconds)
                await desk.controller.hear(Batch())
                waiting.append(len(desk.controller.snapshot.leases))

            assert waiting == [1, 1, 0]

    run(story)


@pytest.mark.postgres
def test_while_postgresql_is_away_nothing_is_lost_and_afterwards_everything_is_done(
    postgres_db: "DatabaseUnderTest", postgres_server: object
) -> None:
    async def story() -> None:
        async with running(postgres_db.open()) as desk:
            await settled(desk, load_balancer("a"))
            postgres_server.stop("immediate")  # type: ignore[attr-defined]
            hearing = asyncio.create_task(desk.controller.hear(Batch(services=(load_balancer("b"),))))
            assert await until(lambda: bool(desk.controller.trouble))
            assert desk.has("a") == ["10.0.0.0"]
            postgres_server.start()  # type: ignore[attr-defined]

            await asyncio.wait_for(hearing, 30)
            assert desk.has("b") == ["10.0.0.1"]
            assert desk.controller.trouble == ""

    run(story)


@pytest.mark.postgres
def test_an_outage_is_logged_once_even_when_nothing_was_to_be_written(
    postgres_db: "DatabaseUnderTest", postgres_server: object, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        async with running(postgres_db.open()) as desk:
            await settled(desk, load_balancer("a"))
            postgres_server.stop("immediate")  # type: ignore[attr-defined]
            assert await until(lambda: bool(desk.controller.trouble))
            postgres_server.start()  # type: ignore[attr-defined]
            assert await until(lambda: not desk.controller.trouble)

    run(story)

    said = [record.getMessage() for record in caplog.records if record.name == "suite.controller.trouble"]
    assert [text.partition(":")[0] for text in said] == ["the database cannot be used", "the database is back"]


@pytest.mark.postgres
def test_one_that_follows_finds_back_after_an_outage(postgres_db: "DatabaseUnderTest", postgres_server: object) -> None:
    async def story() -> None:
        async with running(postgres_db.open()) as leader:
            # Alone: of two that begin together the other one may lead, and it has no configuration.
            await settled(leader, load_balancer("a"))
            async with running(postgres_db.open(), "two") as spare:
                postgres_server.stop("immediate")  # type: ignore[attr-defined]
                assert await until(lambda: bool(leader.controller.trouble and spare.controller.trouble))
                postgres_server.start()  # type: ignore[attr-defined]

                assert await until(lambda: not leader.controller.trouble and not spare.controller.trouble)
                everything = Batch(services=(load_balancer("a"), load_balancer("b")), is_full=True)
                for each in (leader, spare):  # both watch one cluster, and either may lead now
                    await each.controller.hear(everything)
                assert await until(lambda: leader.has("b") == spare.has("b") == ["10.0.0.1"])

    run(story)


async def alone(store: "Store", told: list[Publication]) -> Controller:
    """A controller that leads and is complete, and hears of other commits only by its own."""

    async def tell(publication: Publication) -> None:
        told.append(publication)

    clock = Clock()
    controller = Controller(store, tell, new_registry(), "one", clock, uptime=lambda: clock.uptime)
    await controller.load()
    await controller.led(store.lead("one", clock.now))
    await controller.configure(CONFIGURATION, ())
    await controller.hear(Batch(is_full=True))
    told.clear()
    return controller


def test_what_another_committed_meanwhile_is_told_with_ones_own(db: "DatabaseUnderTest") -> None:
    async def story() -> None:
        told: list[Publication] = []
        controller = await alone(db.open(), told)
        await controller.hear(Batch(services=(load_balancer("coffee"),)))
        told.clear()
        other = db.open()
        other.commit(Changes(services=(load_balancer("other"),)), other.read(), now=Clock().now)

        await controller.hear(Batch(services=(replace(load_balancer("coffee"), labels=(("shop", "yes"),)),)))

        assert ref("other") in told[0].snapshot.services
        assert told[0].touched is None

    run(story)


def test_a_race_that_leaves_nothing_to_do_is_told_too(db: "DatabaseUnderTest") -> None:
    async def story() -> None:
        told: list[Publication] = []
        controller = await alone(db.open(), told)
        await controller.hear(Batch(services=(load_balancer("coffee"),)))
        told.clear()
        other = db.open()
        gone = Changes(
            closed=tuple(Closing(lease, "released") for lease in controller.snapshot.bound(ref("coffee"))),
            services_gone=(ref("coffee"),),
        )
        other.commit(gone, other.read(), now=Clock().now)

        await controller.hear(Batch(services_gone=(ref("coffee"),)))

        assert [ref("coffee") in each.snapshot.services for each in told] == [False]

    run(story)
