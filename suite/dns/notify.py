"""NOTIFY to secondaries (RFC 1996): a small state machine per zone and target, and the UDP socket that drives it.

A message is repeated with growing pauses until the target answers; a newer version of the zone takes the place of an
older one that is still on its way. The SOA travels in the answer section, so a secondary that has it need not ask.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from suite.dns import message, rrtype, tsig
from suite.dns.message import HEADER_SIZE, Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from suite.dns.settings import Key
    from suite.dns.zone import Zone

PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0)
"""Seconds before each repetition (RFC 1996 section 3.6 asks for a back-off and leaves the figures open)."""


class Target(NamedTuple):
    """A secondary: textual address, port, and the key its messages are signed with."""

    address: str
    port: int = 53
    key: Key | None = None


def build(zone: Zone, ident: int, key: Key | None, now: int) -> bytes:
    """Write one NOTIFY with the zone's SOA."""
    writer = Writer(zone.origin, zone.origin + rrtype.SOA.to_bytes(2) + rrtype.IN.to_bytes(2))
    writer.add(zone.soa, 0xFFFF)
    flags = rrtype.NOTIFY << message.OPCODE_SHIFT | message.AA
    octets = writer.finish(ident, flags, (1, 1, 0, 0))
    return octets if key is None else tsig.sign_request(octets, key, now)[0]


def is_reply(octets: bytes, ident: int) -> bool:
    """Tell whether a packet answers the NOTIFY of this ID, whatever it says: being heard is what counts."""
    return len(octets) >= HEADER_SIZE and int.from_bytes(octets[:2]) == ident and octets[2] >> 3 == 0x10 | rrtype.NOTIFY


class Notifier:
    """Tells every target about every new version. `gave_up` is called with zone origin and target that never answered."""

    def __init__(self, gave_up: Callable[[bytes, Target], None], pauses: tuple[float, ...] = PAUSES) -> None:
        self._gave_up = gave_up
        self._pauses = pauses
        self._running: dict[tuple[bytes, Target], asyncio.Task[None]] = {}

    def tell(self, zone: Zone, targets: Iterable[Target]) -> None:
        """Start telling the targets; what was still on its way about an older version stops."""
        for each in targets:
            old = self._running.pop((zone.origin, each), None)
            if old is not None:
                old.cancel()
            task = self._running[zone.origin, each] = asyncio.create_task(self._tell(zone, each))
            task.add_done_callback(partial(self._forget, (zone.origin, each)))

    async def stop(self) -> None:
        """Stop all that is on its way."""
        tasks = list(self._running.values())
        self._running.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _forget(self, key: tuple[bytes, Target], done: asyncio.Task[None]) -> None:
        if self._running.get(key) is done:
            del self._running[key]

    async def _tell(self, zone: Zone, to: Target) -> None:
        ident = secrets.randbelow(0x10000)
        for pause in self._pauses:
            if await self._send(zone, to, ident, pause):
                return
        self._gave_up(zone.origin, to)

    @staticmethod
    async def _send(zone: Zone, to: Target, ident: int, pause: float) -> bool:
        """Send once and wait a while for the answer."""
        loop = asyncio.get_running_loop()
        heard = loop.create_future()
        try:
            transport, _ = await loop.create_datagram_endpoint(
                lambda: _Ear(heard, ident), remote_addr=(to.address, to.port)
            )
        except OSError:
            await asyncio.sleep(pause)  # no route now; there may be one later
            return False
        try:
            transport.sendto(build(zone, ident, to.key, int(time.time())))
            await asyncio.wait_for(heard, pause)
        except TimeoutError:
            return False
        else:
            return True
        finally:
            transport.close()


class _Ear(asyncio.DatagramProtocol):
    """Hears the answer to one NOTIFY; an ICMP error is no answer."""

    def __init__(self, heard: asyncio.Future[None], ident: int) -> None:
        self._heard, self._ident = heard, ident

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if not self._heard.done() and is_reply(data, self._ident):
            self._heard.set_result(None)
