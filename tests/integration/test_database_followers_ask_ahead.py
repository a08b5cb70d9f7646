"""Speakers on one PostgreSQL, with a standby controller or none beside them, look ahead like all others."""

import asyncio
from datetime import UTC, datetime
from ipaddress import ip_address

import pytest
from fix_world import load_balancer, pool, ref
from following import running, until

from suite.cluster.source import Batch
from suite.controller.follower import DatabaseFollower
from suite.controller.loop import Controller
from suite.metrics.names import new_registry
from suite.model.configuration import Configuration

CONFIGURATION = Configuration((pool("default", "10.0.0.0/24"),), hold_time=0, cooling_time=0, digest="first")
NEXT = tuple(ip_address(f"10.0.0.{number}") for number in range(4))


def now():
    return datetime.now(UTC)


async def nobody_listens(_publication):
    """For who follows no publication."""


async def leader_on(store):
    """A controller that has had its first turn; `run` starts its loop, as that of every other."""
    controller = Controller(store, nobody_listens, new_registry(), "one", now)
    await controller.load()
    return controller


async def has_begun(controller):
    await until(lambda: controller.is_leading)
    await controller.configure(CONFIGURATION, ())
    await controller.hear(Batch(is_full=True))


async def other_has_begun(other):
    if isinstance(other, Controller):
        await other.configure(CONFIGURATION, ())
        await other.hear(Batch(is_full=True))


async def get(controller, name):
    await controller.hear(Batch(services=(load_balancer(name),)))
    return [str(lease.address) for lease in controller.snapshot.bound(ref(name))]


@pytest.mark.parametrize("kind", ["follower", "standby"])
def test_who_follows_is_told_which_service_a_commit_touched(sqlite_db, kind):
    async def story():
        told = []

        async def tell(publication):
            told.append(publication)

        controller = await leader_on(sqlite_db.open())
        if kind == "follower":
            other = DatabaseFollower(sqlite_db.open(), tell, now, Configuration())
        else:
            other = Controller(sqlite_db.open(), tell, new_registry(), "two", now)
        async with running(controller):
            await has_begun(controller)
            await other.load()
            async with running(other):
                await other_has_begun(other)
                await until(lambda: told)
                await get(controller, "web")
                await until(lambda: told[-1].snapshot.bound(ref("web")))
        return told[-1].touched

    assert asyncio.run(story()) == {ref("web")}


def test_a_follower_of_the_database_knows_which_addresses_come_next(db):
    async def story():
        told = []

        async def tell(publication):
            told.append(publication.ahead)

        controller = await leader_on(db.open())
        follower = DatabaseFollower(db.open(), tell, now, Configuration(), looks_ahead=True)
        async with running(controller, follower):
            await has_begun(controller)
            await until(lambda: NEXT in told)
            await get(controller, "web")
            await until(lambda: tuple(address + 1 for address in NEXT) in told)
        return told[0]

    assert asyncio.run(story()) == ()


def test_an_address_that_a_follower_found_to_be_nobodys_is_given_first(postgres_db):
    async def story():
        store = postgres_db.open()
        controller = await leader_on(store)
        follower = DatabaseFollower(postgres_db.open(), nobody_listens, now, Configuration())
        async with running(controller):
            await has_begun(controller)
            await follower.load()
            async with running(follower):
                return await found(controller, follower)

    assert asyncio.run(story()) == ["10.0.0.2"]


async def found(controller, origin):
    """What a new Service gets once the leader knows what a speaker beside `origin` found."""
    origin.probed(ip_address("10.0.0.77"))  # nothing that comes next
    origin.probed(NEXT[2])
    await until(controller.proven)
    assert controller.proven() == (NEXT[2],)
    return await get(controller, "web")


def test_an_address_found_beside_a_standby_controller_is_given_first(postgres_db):
    async def story():
        leader = await leader_on(postgres_db.open())
        async with running(leader):
            await has_begun(leader)
            standby = Controller(postgres_db.open(), nobody_listens, new_registry(), "two", now)
            await standby.load()
            async with running(standby):
                return await found(leader, standby)

    assert asyncio.run(story()) == ["10.0.0.2"]
