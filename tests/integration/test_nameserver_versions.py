"""Two nameservers on one database: equal serials mean equal content, and either one goes on where the other was."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import dns.asyncquery
import dns.message
import dns.rdatatype
from zone_worlds import load_balancer, snapshot_of

from suite.metrics.names import new_registry
from suite.model.configuration import DnsSettings, Listen
from suite.model.publication import Publication
from suite.nameserver.loop import Nameserver
from suite.store.remote.kept_versions import NAME, KeptVersions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from suite.model.snapshot import Snapshot
    from suite.nameserver.numbering import VersionStore

FIRST = snapshot_of(load_balancer("coffee"), leases={"coffee": "10.0.42.0"}, transfer_acl=("127.0.0.0/8",))
TOUCHED = frozenset(FIRST.services.keys())


def at(revision: int, address: int | None = None) -> Snapshot:
    """The Service has this address; without one, the address follows the revision."""
    changed = snapshot_of(load_balancer("coffee"), leases={"coffee": f"10.0.42.{address or revision}"})
    return replace(changed, revision=revision, configuration=FIRST.configuration)


@asynccontextmanager
async def nameserver(store: VersionStore | None, before: Snapshot | None = None) -> AsyncIterator[Nameserver]:
    server = Nameserver(
        DnsSettings(listen=(Listen(ip_address("127.0.0.1"), 0),)), "node", time.monotonic, new_registry()
    )
    server.versions = store
    if before is not None:
        server.before = before
    assert await server.open()
    try:
        yield server
    finally:
        await server.stop()


async def soa(server: Nameserver) -> int:
    host, port = server.addresses[0]
    reply = await dns.asyncquery.udp(dns.message.make_query("service.", "SOA"), host, 5, port)
    return int(reply.answer[0][0].serial)


async def ixfr(server: Nameserver, serial: int) -> list[Any]:
    """Serials of the SOA records and addresses of the A records of a transfer, in order; a whole zone has two SOAs."""
    host, port = server.addresses[0]
    query = dns.message.make_query("service.", "IXFR")
    query.authority.append(dns.rrset.from_text("service.", 0, "IN", "SOA", f". . {serial} 0 0 0 0"))
    reply = await dns.asyncquery.tcp(query, host, 5, port, one_rr_per_rrset=True)
    shown = {dns.rdatatype.SOA: lambda data: data.serial, dns.rdatatype.A: lambda data: data.address}
    return [shown[each.rdtype](each[0]) for each in reply.answer if each.rdtype in shown]


STEP = [12, 10, "10.0.42.10", 12, "10.0.42.12", 12]


def test_a_server_that_skips_a_revision_serves_the_serial_of_the_one_that_did_not(db) -> None:
    async def run() -> None:
        async with nameserver(db.open()) as one, nameserver(db.open()) as other:
            for server in (one, other):
                await server.follow(Publication(at(10)))
            for snapshot in (at(11), at(12), at(13, address=12)):
                await one.follow(Publication(snapshot, TOUCHED))
            await other.follow(Publication(at(13, address=12), TOUCHED))

            assert [await soa(one), await soa(other)] == [12, 12]
            assert await ixfr(one, 11) == await ixfr(other, 11) == [12, 11, "10.0.42.11", 12, "10.0.42.12", 12]

    asyncio.run(run())


def test_a_server_that_starts_goes_on_with_what_the_others_did(db) -> None:
    async def run() -> None:
        async with nameserver(db.open()) as one:
            await one.follow(Publication(at(10)))
            await one.follow(Publication(at(12), TOUCHED))
            async with nameserver(db.open()) as other:
                await other.follow(Publication(at(14, address=12)))

                assert [await soa(one), await soa(other)] == [12, 12]
                assert await ixfr(one, 10) == await ixfr(other, 10) == STEP

    asyncio.run(run())


def test_what_changed_while_a_server_was_down_is_a_difference(db) -> None:
    async def run() -> None:
        async with nameserver(db.open()) as server:
            await server.follow(Publication(at(10)))
        async with nameserver(db.open(), before=at(10)) as server:
            await server.follow(Publication(at(12)))

            assert await ixfr(server, 10) == STEP

    asyncio.run(run())


def test_without_a_database_a_serial_is_the_revision() -> None:
    async def run() -> None:
        async with nameserver(None) as server:
            await server.follow(Publication(at(10)))
            await server.follow(Publication(at(12), TOUCHED))

            assert await ixfr(server, 10) == STEP

    asyncio.run(run())


def test_without_a_database_secondaries_go_on_by_differences_after_a_restart(tmp_path) -> None:
    async def run() -> None:
        async with nameserver(KeptVersions(tmp_path / NAME)) as server:
            await server.follow(Publication(at(10)))
            await server.follow(Publication(at(12), TOUCHED))
        async with nameserver(KeptVersions(tmp_path / NAME), before=at(12)) as server:
            await server.follow(Publication(at(14, address=12)))
            first = await soa(server), await ixfr(server, 10)
            await server.follow(Publication(at(15), TOUCHED))

            assert first == (12, STEP)
            assert await ixfr(server, 12) == [15, 12, "10.0.42.12", 15, "10.0.42.15", 15]

    asyncio.run(run())


def test_without_a_database_other_content_at_a_known_revision_gets_a_serial_of_its_own(tmp_path) -> None:
    async def run() -> None:
        async with nameserver(KeptVersions(tmp_path / NAME)) as server:
            await server.follow(Publication(at(10)))
        async with nameserver(KeptVersions(tmp_path / NAME)) as server:
            await server.follow(Publication(at(10, address=99)))

            assert await soa(server) == 11

    asyncio.run(run())


def test_a_disk_that_takes_nothing_stops_no_answer(tmp_path) -> None:
    async def run() -> None:
        async with nameserver(KeptVersions(tmp_path / "no such folder" / NAME)) as server:
            await server.follow(Publication(at(10)))

            assert await soa(server) == 10

    asyncio.run(run())


def test_zones_are_written_only_where_somebody_may_transfer_them(db) -> None:
    closed = snapshot_of(load_balancer("coffee"), leases={"coffee": "10.0.42.0"})

    async def run() -> None:
        async with nameserver(db.open()) as server:
            await server.follow(Publication(closed))

    asyncio.run(run())
    assert db.rows("SELECT count(*) FROM zone_version") == [(0,)]


def test_a_zone_that_stays_the_same_writes_nothing(db) -> None:
    async def run() -> None:
        async with nameserver(db.open()) as server:
            for revision in range(10, 20):
                await server.follow(Publication(at(revision, address=1), TOUCHED))

    asyncio.run(run())
    assert db.rows("SELECT count(*) FROM zone_version WHERE origin = 'service.'") == [(1,)]
