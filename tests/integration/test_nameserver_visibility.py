"""A publication is in the very next answer, and what the nameserver lacks is told, not guessed."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from ipaddress import ip_address
from typing import TYPE_CHECKING

import dns.asyncquery
import dns.edns
import dns.message
import dns.rcode
import pytest
from rpds import HashTrieMap
from zone_worlds import load_balancer, snapshot_of

from suite.dns.cookie import siphash24
from suite.metrics.names import DNS_QUERIES, DNS_SERIAL, new_registry
from suite.model.configuration import DnsSettings, Listen
from suite.model.publication import Publication
from suite.nameserver.loop import Nameserver

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from suite.metrics.registry import Registry
    from suite.model.snapshot import Snapshot

BEFORE = snapshot_of(load_balancer("coffee"), leases={"coffee": "10.0.42.0"})
AFTER = replace(snapshot_of(load_balancer("coffee"), leases={"coffee": "10.0.42.1"}), revision=9)


class Clock:
    """Seconds as the test sets them."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def running(test: Callable[[Nameserver, Clock, Registry], Awaitable[None]]) -> None:
    """Run a test beside a nameserver on a free port."""

    async def run() -> None:
        clock, registry = Clock(), new_registry()
        server = Nameserver(DnsSettings(listen=(Listen(ip_address("127.0.0.1"), 0),)), "node", clock, registry)
        assert await server.open()
        task = asyncio.create_task(server.run())
        try:
            await test(server, clock, registry)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await server.stop()

    asyncio.run(run())


async def ask(server: Nameserver, name: str = "coffee.default.service") -> tuple[str, list[str]]:
    host, port = server.addresses[0]
    reply = await dns.asyncquery.udp(dns.message.make_query(name, "A"), host, 5, port)
    return dns.rcode.to_text(reply.rcode()), [rdata.to_text() for rrset in reply.answer for rdata in rrset]


async def comes_to_be(holds: Callable[[], Awaitable[bool]]) -> bool:
    deadline = time.monotonic() + 5
    while not await holds():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.02)
    return True


def with_address(number: int) -> Snapshot:
    changed = snapshot_of(load_balancer("coffee"), leases={"coffee": f"10.0.42.{number}"})
    return replace(changed, revision=10 + number, configuration=BEFORE.configuration)


def test_every_commit_is_in_the_next_answer() -> None:
    async def test(server: Nameserver, _clock: Clock, _registry: Registry) -> None:
        await server.follow(Publication(BEFORE))
        for number in range(1, 60):
            await server.follow(Publication(with_address(number), frozenset(BEFORE.services.keys())))
            assert await ask(server) == ("NOERROR", [f"10.0.42.{number}"])

    running(test)


def test_before_the_first_snapshot_nothing_is_denied() -> None:
    async def test(server: Nameserver, _clock: Clock, _registry: Registry) -> None:
        assert await ask(server) == ("SERVFAIL", [])
        assert "it has no snapshot yet and answers SERVFAIL" in server.instance().reasons

    running(test)


def test_past_the_stale_limit_leased_names_fail_and_come_back_with_contact() -> None:
    async def test(server: Nameserver, clock: Clock, _registry: Registry) -> None:
        await server.follow(Publication(BEFORE))
        clock.now += BEFORE.configuration.dns.stale_limit + 1

        async def is_servfail() -> bool:
            return await ask(server) == ("SERVFAIL", [])

        async def answers() -> bool:
            return await ask(server) == ("NOERROR", ["10.0.42.0"])

        assert await comes_to_be(is_servfail)
        assert (await ask(server, "tea.default.service"))[0] == "NXDOMAIN"
        server.contact()
        assert await comes_to_be(answers)

    running(test)


def test_an_address_that_is_taken_is_told_and_tried_again_with_everything_there_is() -> None:
    async def run() -> None:
        first = Nameserver(DnsSettings(listen=(Listen(ip_address("127.0.0.1"), 0),)), "one", Clock(), new_registry())
        assert await first.open()
        host, port = first.addresses[0]
        second = Nameserver(
            DnsSettings(listen=(Listen(ip_address(host), port),)), "two", time.monotonic, new_registry()
        )
        assert not await second.open()
        assert "DNS cannot listen on" in second.instance().reasons[0]
        await second.follow(Publication(BEFORE))
        task = asyncio.create_task(second.run())
        await first.stop()

        async def answers() -> bool:
            return not second.instance().reasons and await ask(second) == ("NOERROR", ["10.0.42.0"])

        assert await comes_to_be(answers)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await second.stop()

    asyncio.run(run())


def test_answers_and_zones_are_metrics() -> None:
    async def test(server: Nameserver, _clock: Clock, registry: Registry) -> None:
        await server.follow(Publication(BEFORE))
        await ask(server)

        async def is_counted() -> bool:
            return (
                registry.value(DNS_QUERIES, "udp", "A", "NOERROR") == 1 and registry.value(DNS_SERIAL, "service.") == 7
            )

        assert await comes_to_be(is_counted)

    running(test)


@pytest.mark.parametrize(
    ("content", "told"),
    [(None, "No such file or directory"), ("transfer secret", "line 1: here a key should stand"), ("", "transfer")],
    ids=["missing", "damaged", "without-the-key"],
)
def test_keys_that_cannot_be_used_are_told_and_names_are_answered(tmp_path, content: str | None, told: str) -> None:
    file = tmp_path / "keys"
    if content is not None:
        file.write_text(content)
    secure = snapshot_of(
        load_balancer("coffee"),
        leases={"coffee": "10.0.42.0"},
        transfer_acl=("key:transfer",),
        tsig_keys_file=str(file),
    )

    async def test(server: Nameserver, _clock: Clock, _registry: Registry) -> None:
        await server.follow(Publication(secure))

        assert told in server.instance().notes[0]
        assert await ask(server) == ("NOERROR", ["10.0.42.0"])

    running(test)


def test_a_setting_that_changes_holds_from_the_next_answer_on() -> None:
    loud = replace(snapshot_of(load_balancer("coffee"), leases={"coffee": "10.0.42.0"}, nsid="rack1"), revision=9)

    async def test(server: Nameserver, _clock: Clock, _registry: Registry) -> None:
        query = dns.message.make_query("coffee.default.service", "A", options=[dns.edns.GenericOption(3, b"")])
        host, port = server.addresses[0]
        told = []
        for snapshot in (BEFORE, loud):
            await server.follow(Publication(snapshot))
            reply = await dns.asyncquery.udp(query, host, 5, port)
            told.append([option.nsid for option in reply.options if option.otype == dns.edns.NSID])

        assert told == [[], [b"rack1"]]

    running(test)


async def _server_cookie(server: Nameserver) -> bytes:
    client = bytes(8)
    query = dns.message.make_query("coffee.default.service", "A", options=[dns.edns.GenericOption(10, client)])
    reply = await dns.asyncquery.udp(query, *server.addresses[0][:1], 5, server.addresses[0][1])
    return next(bytes(each.server) for each in reply.options if each.otype == dns.edns.COOKIE)


def test_cookie_secrets_that_change_in_their_file_hold_without_a_word_in_the_configuration(tmp_path) -> None:
    file = tmp_path / "cookies"
    file.write_text("00" * 16 + "\n")
    shared = snapshot_of(
        load_balancer("coffee"), leases={"coffee": "10.0.42.0"}, cookie_secret_file=str(file), transfer_acl=()
    )

    async def test(server: Nameserver, _clock: Clock, _registry: Registry) -> None:
        await server.follow(Publication(shared))
        client = ip_address("127.0.0.1").packed

        async def is_made_with(secret: bytes) -> bool:
            made = await _server_cookie(server)
            return siphash24(secret, bytes(8) + made[:8] + client) == made[8:]

        assert await is_made_with(bytes(16))
        file.write_text("11" * 16 + "\n")
        assert await comes_to_be(lambda: is_made_with(b"\x11" * 16))

    running(test)


def test_a_winner_that_goes_leaves_its_name_to_the_next() -> None:
    first = load_balancer("first", hostnames=("www",), claimed=(("www", 1),))
    second = load_balancer("second", hostnames=("www",), claimed=(("www", 2),))
    both = snapshot_of(first, second, leases={"first": "10.0.42.1", "second": "10.0.42.2"})
    one = replace(both, revision=9, services=HashTrieMap({second.ref: second}))

    async def test(server: Nameserver, _clock: Clock, _registry: Registry) -> None:
        await server.follow(Publication(both))
        assert await ask(server, "www") == ("NOERROR", ["10.0.42.1"])
        await server.follow(Publication(one, frozenset({first.ref})))
        assert await ask(server, "www") == ("NOERROR", ["10.0.42.2"])

    running(test)
