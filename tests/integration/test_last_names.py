"""Names kept on the disk answer while a database takes its time, and only as long as the stale limit allows."""

import asyncio
import os
import time
from dataclasses import replace
from ipaddress import ip_address

import pytest
from fix_netns import eventually
from rpds import HashTrieMap
from suite_running import ask, free_port
from zone_worlds import load_balancer, snapshot_of

from suite.metrics.names import new_registry
from suite.model.configuration import DnsSettings, Listen
from suite.nameserver.last_names import NAME, LastNames
from suite.nameserver.loop import Nameserver
from suite.store.remote import kept
from suite.store.remote.reader import Known


def answered(folder, age):
    """What a name leads to while the database is waited for, when it was served last `age` seconds ago."""
    snapshot = snapshot_of(load_balancer("coffee"), leases={"coffee": "10.0.42.0"})
    leases = HashTrieMap({lease.address: (lease,) for each in snapshot.holdings.values() for lease in each})
    snapshot = replace(snapshot, leases=leases)
    kept.keep(folder / NAME, Known(snapshot))
    then = time.time() - age
    os.utime(folder / NAME, (then, then))
    port = free_port()

    async def wait_in_vain():
        nameserver = Nameserver(
            DnsSettings(listen=(Listen(ip_address("127.0.0.1"), port),)), "node", time.monotonic, new_registry()
        )
        assert await nameserver.open()
        never = asyncio.get_running_loop().create_future()
        waiting = asyncio.create_task(LastNames(nameserver, folder).meanwhile(never))
        try:
            await asyncio.to_thread(eventually, lambda: nameserver.instance().revision, 15, 0.05)
            return await asyncio.to_thread(ask, port, "coffee.default.service")
        finally:
            waiting.cancel()
            await nameserver.stop()

    return asyncio.run(wait_in_vain())


@pytest.mark.parametrize(
    ("age", "expected"), [(60, ("NOERROR", ["10.0.42.0"])), (3600, ("SERVFAIL", []))], ids=["fresh", "too old"]
)
def test_a_name_is_answered_as_it_was_until_the_stale_limit(tmp_path, age, expected):
    assert answered(tmp_path, age) == expected
