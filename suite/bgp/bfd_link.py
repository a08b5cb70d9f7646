"""The sockets around BFD sessions: UDP on port 3784 for one hop, 4784 for several (RFC 5881, RFC 5883).

One receiving socket per family and kind serves all sessions; each session sends from a socket of its own, since its
source port must be its own and from 49152 up. A single-hop packet that does not arrive with TTL 255 was not sent by a
neighbor and is dropped before anything looks into it.

The loop around it is the caller's: `receive` what is readable, `turn` when `next_timer` says so; nothing here waits.
"""

import contextlib
import errno
import socket
import struct
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from suite.bgp.bfd import BfdChange, BfdProfile, BfdSession, BfdStatus
from suite.bgp.bfd_packet import decode_packet
from suite.bgp.prefix import Address

SINGLE_HOP_PORT, MULTI_HOP_PORT = 3784, 4784
SOURCE_PORTS = range(49152, 65536)  # RFC 5881 section 4
BATCH = 64  # packets read per wake-up, so that a flood cannot keep the loop from sending

_IP_RECVTTL, _IPV6_RECVHOPLIMIT = 12, 51
_IP_TTL_MESSAGE, _IPV6_HOPLIMIT_MESSAGE = 2, 52


@dataclass(frozen=True, slots=True)
class BfdPeer:
    """Whom a session watches. `local` is needed with `multihop`, and lets two sessions to one peer differ."""

    remote: Address
    local: Address | None = None
    device: str | None = None
    multihop: bool = False
    profile: BfdProfile = BfdProfile()  # noqa: RUF009 - frozen, so one default serves all


@dataclass(eq=False, slots=True)
class _Watched:
    """A session with its socket."""

    peer: BfdPeer
    session: BfdSession
    sender: socket.socket


class BfdLink:
    """All BFD sessions of one process. `random` gives numbers from 0 to 1; `now` is seconds of one clock throughout."""

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self._receivers: dict[tuple[int, bool], socket.socket] = {}
        self._watched: dict[int, _Watched] = {}
        self.dropped: Counter[str] = Counter()

    def watch(self, peer: BfdPeer, now: float) -> int:
        """Start a session; its number is for the other calls. OSError if the port is taken by another daemon."""
        self._listen(peer.remote.version, multihop=peer.multihop)
        number = self._free_number()
        watched = _Watched(peer, BfdSession(peer.profile, number, self._random), self._sender(peer))
        self._watched[number] = watched
        watched.session.start(now)
        return number

    def unwatch(self, number: int, now: float) -> None:
        """End a session; the peer is told AdminDown once, so that it does not take this for a failure."""
        watched = self._watched.pop(number, None)
        if watched is None:
            return
        watched.session.disable(now)
        self._send(watched, now)
        watched.sender.close()

    def filenos(self) -> list[int]:
        """For a selector: readable when `receive` has something; more of them after `watch`."""
        return [receiver.fileno() for receiver in self._receivers.values()]

    def receive(self, now: float) -> None:
        """Take what arrived, a portion from each socket; never waits."""
        for (_version, multihop), receiver in self._receivers.items():
            self._read(receiver, now, multihop=multihop)

    def turn(self, now: float) -> list[tuple[int, BfdChange]]:
        """Send what is due, and tell which session changed how."""
        changes = []
        for number, watched in self._watched.items():
            watched.session.handle_timer(now)
            self._send(watched, now)
            while (change := watched.session.next_event()) is not None:
                changes.append((number, change))
        return changes

    def next_timer(self) -> float | None:
        """When to call `turn` at the latest; after `receive` and `watch`, at once."""
        timers = (watched.session.next_timer() for watched in self._watched.values())
        return min((timer for timer in timers if timer is not None), default=None)

    def status(self, number: int) -> BfdStatus:
        """A picture of a session; KeyError if it is not watched."""
        return self._watched[number].session.status()

    def close(self) -> None:
        """End every session without a word, as the end of the process would."""
        for watched in self._watched.values():
            watched.sender.close()
        for receiver in self._receivers.values():
            receiver.close()
        self._watched.clear()
        self._receivers.clear()

    def _listen(self, version: int, *, multihop: bool) -> None:
        if (version, multihop) in self._receivers:
            return
        port = MULTI_HOP_PORT if multihop else SINGLE_HOP_PORT
        receiver = socket.socket(socket.AF_INET if version == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
        try:
            receiver.setblocking(False)
            if version == 4:
                receiver.setsockopt(socket.IPPROTO_IP, _IP_RECVTTL, 1)
                receiver.bind(("0.0.0.0", port))  # noqa: S104 - sessions come with any local address
            else:
                receiver.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                receiver.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVHOPLIMIT, 1)
                receiver.bind(("::", port))
        except OSError:
            receiver.close()
            raise
        self._receivers[version, multihop] = receiver

    def _read(self, receiver: socket.socket, now: float, *, multihop: bool) -> None:
        for _ in range(BATCH):
            try:
                octets, ancillary, _flags, source = receiver.recvmsg(256, 128)
            except BlockingIOError:
                return
            except OSError:  # an ICMP error of an earlier packet; the next read is about something else
                continue
            address = _source(source)
            if address is not None:
                self._take(octets, _ttl(ancillary), address, now, multihop=multihop)

    def _take(self, octets: bytes, ttl: int, source: Address, now: float, *, multihop: bool) -> None:
        """Choose the session (RFC 5880 section 6.3, RFC 5881 section 3) and judge the TTL by it."""
        if not multihop and ttl != 255:  # RFC 5881 section 5
            self.dropped["ttl"] += 1
            return
        packet = decode_packet(octets)
        if isinstance(packet, str):
            self.dropped[packet] += 1
            return
        watched = self._choose(packet.your_discriminator, source, multihop=multihop)
        if watched is None:
            self.dropped["no session"] += 1
        elif multihop and ttl < watched.peer.profile.minimum_ttl:
            self.dropped["ttl"] += 1
        else:
            watched.session.receive_packet(packet, now)

    def _choose(self, discriminator: int, source: Address, *, multihop: bool) -> _Watched | None:
        """By our discriminator where the peer knows it, else by its address; the address must fit either way."""
        watched = self._watched.get(discriminator)
        if discriminator:
            fits = watched is not None and _matches(watched.peer, source, multihop=multihop)
            return watched if fits else None
        return next((w for w in self._watched.values() if _matches(w.peer, source, multihop=multihop)), None)

    def _send(self, watched: _Watched, now: float) -> None:
        port = MULTI_HOP_PORT if watched.peer.multihop else SINGLE_HOP_PORT
        for packet in watched.session.packets_to_send(now):
            # No route, no neighbor, a full queue: the peer's detection time is the judge of all of them.
            with contextlib.suppress(OSError):
                watched.sender.sendto(packet, _socket_address(watched.peer.remote, port))

    def _sender(self, peer: BfdPeer) -> socket.socket:
        """A socket with TTL 255 and a source port of its own."""
        family = socket.AF_INET if peer.remote.version == 4 else socket.AF_INET6
        sender = socket.socket(family, socket.SOCK_DGRAM)
        try:
            sender.setblocking(False)
            if family == socket.AF_INET:
                sender.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 255)
                sender.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 0xC0)
            else:
                sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 255)
                sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, 0xC0)
            if peer.device is not None:
                sender.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, peer.device.encode() + b"\0")
            self._bind(sender, peer)
        except OSError:
            sender.close()
            raise
        return sender

    def _bind(self, sender: socket.socket, peer: BfdPeer) -> None:
        any_address = ip_address("0.0.0.0" if peer.remote.version == 4 else "::")  # noqa: S104 - only sends
        first = int(self._random() * len(SOURCE_PORTS))
        for offset in range(len(SOURCE_PORTS)):
            port = SOURCE_PORTS[(first + offset) % len(SOURCE_PORTS)]
            try:
                sender.bind(_socket_address(peer.local or any_address, port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
            else:
                return
        raise OSError("no free source port for BFD")

    def _free_number(self) -> int:
        """A random discriminator, so that a restart does not meet the numbers of the run before."""
        number = int(self._random() * 0xFFFF0000) + 1
        while number in self._watched:
            number += 1
        return number


def _matches(peer: BfdPeer, source: Address, *, multihop: bool) -> bool:
    return peer.multihop == multihop and peer.remote == source


def _ttl(ancillary: list[tuple[int, int, bytes]]) -> int:
    """The TTL or hop limit a packet arrived with; 0 if the kernel did not say."""
    wanted = {(socket.IPPROTO_IP, _IP_TTL_MESSAGE), (socket.IPPROTO_IPV6, _IPV6_HOPLIMIT_MESSAGE)}
    values = (struct.unpack("=i", value[:4])[0] for level, kind, value in ancillary if (level, kind) in wanted)
    return int(next(values, 0))


def _source(name: tuple[Any, ...]) -> Address | None:
    """The sender's address, a link-local one with the interface's name as zone; None if that interface is gone."""
    text = str(name[0]).partition("%")[0]
    if len(name) == 4 and name[3]:
        try:
            return ip_address(f"{text}%{socket.if_indextoname(name[3])}")
        except OSError:
            return None
    return ip_address(text)


def _socket_address(address: Address, port: int) -> tuple[Any, ...]:
    if address.version == 4:
        return str(address), port
    zone = address.scope_id
    return str(address).partition("%")[0], port, 0, socket.if_nametoindex(zone) if zone else 0
