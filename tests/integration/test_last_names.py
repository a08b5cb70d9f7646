"""Names kept on the disk answer while a database takes its time, only as long as the stale limit allows, and then make room."""

import asyncio
import os
import time
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import ip_address

import pytest
from fix_netns import eventually
from rpds import HashTrieMap
from suite_running import ask, free_port
from zone_worlds import load_balancer, snapshot_of

from suite.metrics.names import new_registry
from suite.model.configuration import DnsSettings, Listen
from suite.model.publication import Publication
from suite.nameserver.last_names import NAME, LastNames
from suite.nameserver.loop import Nameserver
from suite.store.remote import kept
from suite.store.remote.reader import Known


def world(*hostnames):
    """Coffee at 10.0.42.0, with these names beside its own."""
    snapshot = snapshot_of(load_balancer("coffee", hostnames=hostnames), leases={"coffee": "10.0.42.0"})
    leases = HashTrieMap({lease.address: (lease,) for each in snapshot.holdings.values() for lease in each})
    return replace(snapshot, leases=leases)


@asynccontextmanager
async def waiting(folder, age=60):
    """A nameserver whose database does not come, what would bring it, and what asks for a name; `board` was served last."""
    kept.keep(folder / NAME, Known(world("board")))
    then = time.time() - age
    os.utime(folder / NAME, (then, then))
    port = free_port()
    listen = (Listen(ip_address("127.0.0.1"), port),)
    nameserver = Nameserver(DnsSettings(listen=listen), "node", time.monotonic, new_registry())
    assert await nameserver.open()
    database = asyncio.get_running_loop().create_future()
    meanwhile = asyncio.create_task(LastNames(nameserver, folder).meanwhile(database))
    try:
        await asyncio.to_thread(eventually, lambda: nameserver.instance().revision, 15, 0.05)
        yield nameserver, database, meanwhile, lambda name: asyncio.to_thread(ask, port, name)
    finally:
        meanwhile.cancel()
        await nameserver.stop()


@pytest.mark.parametrize(
    ("age", "expected"), [(60, ("NOERROR", ["10.0.42.0"])), (3600, ("SERVFAIL", []))], ids=["fresh", "too old"]
)
def test_a_name_is_answered_as_it_was_until_the_stale_limit(tmp_path, age, expected):
    async def answered():
        async with waiting(tmp_path, age) as (*_, look_up):
            return await look_up("coffee.default.service")

    assert asyncio.run(answered()) == expected


def test_what_was_kept_makes_room_for_what_is(tmp_path):
    async def answered():
        async with waiting(tmp_path) as (nameserver, database, meanwhile, look_up):
            before = await look_up("board")
            database.set_result(None)
            await meanwhile
            await nameserver.follow(Publication(replace(world(), revision=8)))
            return before[0], (await look_up("board"))[0], (await look_up("coffee.default.service"))[0]

    assert asyncio.run(answered()) == ("NOERROR", "REFUSED", "NOERROR")
