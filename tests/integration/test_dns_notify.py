"""NOTIFY (RFC 1996) as a secondary hears it: repeated with growing pauses, signed, the newest version only, and given up."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import dns.message
import dns.name
import dns.opcode
import dns.tsig
import pytest

from suite.dns.name import from_text
from suite.dns.notify import Notifier, Target
from suite.dns.rdata import parse_rdata
from suite.dns.rrset import RRset
from suite.dns.settings import Key
from suite.dns.zone import Zone

if TYPE_CHECKING:
    from collections.abc import Callable

ORIGIN = from_text("service.")
KEY = Key(from_text("notify."), "hmac-sha256", b"a secret of thirty-two octets ...")
KEYRING = {dns.name.from_text("notify."): KEY.secret}
PATIENCE = 20.0
NEVER = 600.0
"""Seconds before a repetition that no test waits for."""


def zone(serial: int) -> Zone:
    soa = RRset(ORIGIN, 6, 30, (parse_rdata(6, f"ns.service. host.service. {serial} 2 3 4 5"),))
    return Zone.build(ORIGIN, [soa])


class Secondary(asyncio.DatagramProtocol):
    """Hears NOTIFYs, ignores the first of them, and answers the others."""

    def __init__(self, deaf_to: int) -> None:
        self.deaf_to = deaf_to
        self.heard: list[tuple[float, bytes]] = []
        self.transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.heard.append((time.monotonic(), data))
        if len(self.heard) > self.deaf_to:
            self.transport.sendto(data[:2] + bytes([data[2] | 0x80]) + data[3:], addr)

    @property
    def serials(self) -> list[int]:
        messages = [dns.message.from_wire(octets, keyring=KEYRING) for _, octets in self.heard]
        assert all(message.opcode() == dns.opcode.NOTIFY for message in messages)
        return [message.answer[0][0].serial for message in messages]

    def target(self) -> Target:
        return Target("127.0.0.1", self.transport.get_extra_info("sockname")[1], KEY)


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not is_so():  # noqa: ASYNC110 - what it waits for has no event
            await asyncio.sleep(0.01)


async def told(pauses: tuple[float, ...], deaf_to: int, *serials: int) -> tuple[Secondary, list[bytes]]:
    """What a secondary heard of these versions, each told once the one before was heard, and the zones it was given up for."""
    loop, lost = asyncio.get_running_loop(), list[bytes]()
    transport, secondary = await loop.create_datagram_endpoint(lambda: Secondary(deaf_to), local_addr=("127.0.0.1", 0))
    notifier = Notifier(lambda origin, _: lost.append(origin), pauses)
    for serial in serials:
        notifier.tell(zone(serial), [secondary.target()])
        await until(lambda serial=serial: serial in secondary.serials)
    await until(lambda: not notifier._running)
    await notifier.stop()
    transport.close()
    return secondary, lost


def test_a_secondary_that_does_not_answer_hears_it_again_after_growing_pauses_until_it_does():
    secondary, lost = asyncio.run(told((0.1, 0.4, NEVER), 2, 7))

    first, second, third = [at for at, _ in secondary.heard]
    assert (secondary.serials, lost) == ([7, 7, 7], [])
    assert second - first >= 0.05
    assert third - second >= 0.2


def test_the_message_is_signed_and_a_wrong_secret_does_not_verify_it():
    secondary, _ = asyncio.run(told((NEVER,), 0, 7))
    ((_, octets),) = secondary.heard

    assert dns.message.from_wire(octets, keyring=KEYRING).had_tsig
    with pytest.raises(dns.tsig.BadSignature):
        dns.message.from_wire(octets, keyring={dns.name.from_text("notify."): b"another"})


def test_a_newer_version_takes_the_place_of_one_that_is_on_its_way():
    secondary, lost = asyncio.run(told((NEVER, NEVER), 1, 7, 8))

    assert (secondary.serials, lost) == ([7, 8], [])


def test_a_secondary_that_never_answers_is_given_up_and_named():
    secondary, lost = asyncio.run(told((0.02, 0.02, 0.02), 99, 7))

    assert (secondary.serials, lost) == ([7, 7, 7], [ORIGIN])
