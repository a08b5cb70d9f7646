"""A process without the controller's role: it follows what others commit with the right to read, and writes nothing."""

import asyncio
import contextlib
from datetime import UTC, datetime
from ipaddress import ip_address

import pytest
from fix_db import EVERYTHING
from sqlalchemy import make_url

from suite.controller.follower import DatabaseFollower
from suite.model.announcement import Announcement
from suite.model.changes import Changes
from suite.model.configuration import Configuration
from suite.model.service import Service, ServiceRef
from suite.store import open_store
from suite.store.errors import Unavailable

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
READER = "suite_reader"


@pytest.fixture
def writer(postgres_db):
    store = postgres_db.open()
    store.commit(EVERYTHING, store.read(), now=NOON)
    return store


@pytest.fixture
def reader(postgres_db, writer):  # noqa: ARG001 - the tables are there first
    """A store of a user who may only SELECT."""
    with contextlib.closing(postgres_db.server.connect(make_url(postgres_db.url).database)) as admin:
        admin.execute(f"DROP ROLE IF EXISTS {READER}")
        admin.execute(f"CREATE ROLE {READER} LOGIN")
        admin.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {READER}")
        url = postgres_db.url.replace(f"{postgres_db.server.user}@", f"{READER}@")
        with open_store(url, create=False) as store:
            yield store
        admin.execute(f"DROP OWNED BY {READER}")
        admin.execute(f"DROP ROLE {READER}")


async def followed(reader, writer):
    """What a follower tells of one commit by somebody else."""
    told = asyncio.Queue()
    follower = DatabaseFollower(reader, told.put, lambda: NOON, Configuration())
    await follower.load()
    running = asyncio.create_task(follower.run())
    try:
        async with asyncio.timeout(10):
            await told.get()
            tea = Changes(services=(Service(ServiceRef("default", "cocoa")),))
            await asyncio.to_thread(writer.commit, tea, writer.read(), now=NOON)
            return (await told.get()).snapshot, follower
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def test_the_right_to_read_is_enough_to_follow(writer, reader):
    snapshot, follower = asyncio.run(followed(reader, writer))

    assert ServiceRef("default", "cocoa") in snapshot.services
    assert follower.trouble == ""


def test_a_report_that_may_not_be_written_is_not_taken_for_written(reader):
    follower = DatabaseFollower(reader, lambda _publication: None, lambda: NOON, Configuration())
    claim = Announcement(ip_address("10.0.42.0"), "n1", "layer2", "eth0")

    assert not asyncio.run(follower.announce("n1", frozenset({claim})))


def test_a_commit_without_the_right_says_what_is_missing(reader):
    with pytest.raises(Unavailable, match="does not let this user do that"):
        reader.commit(Changes(services=(Service(ServiceRef("a", "b")),)), reader.read(), now=NOON)
