"""The asyncio shell around BFD sessions: UDP on port 3784 for one hop, 4784 for several (RFC 5881, RFC 5883).

One receiving socket per family and kind serves all sessions; each session sends from a socket of its own, since its
source port must be its own and from 49152 up. A single-hop packet that does not arrive with TTL 255 was not sent by a
neighbor and is dropped before anything looks into it.
"""

import asyncio
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
    """A session with its socket and timer."""

    peer: BfdPeer
    session: BfdSession
    on_change: Callable[[BfdChange], None]
    sender: socket.socket
    timer: asyncio.TimerHandle | None = None


class BfdLink:
    """All BFD sessions of this process, on the running loop. `random` gives numbers from 0 to 1."""

    def __init__(self, random: Callable[[], float]) -> None:
        self._loop = asyncio.get_running_loop()
        self._random = random
        self._receivers: dict[tuple[int, bool], socket.socket] = {}
        self._watched: dict[int, _Watched] = {}
        self.dropped: Counter[str] = Counter()

    def watch(self, peer: BfdPeer, on_change: Callable[[BfdChange], None]) -> int:
        """Start a session; its number is for the other calls. OSError if the port is taken by another daemon."""
        self._listen(peer.remote.version, multihop=peer.multihop)
        number = self._free_number()
        session = BfdSession(peer.profile, number, self._random)
        watched = _Watched(peer, session, on_change, self._sender(peer))
        self._watched[number] = watched
        session.start(self._loop.time())
        self._move(watched)
        return number

    def unwatch(self, number: int) -> None:
        """End a session; the peer is told AdminDown once, so that it does not take this for a failure."""
        watched = self._watched.pop(number, None)
        if watched is None:
            return
        watched.session.disable(self._loop.time())
        self._send(watched)
        if watched.timer is not None:
            watched.timer.cancel()
        watched.sender.close()

    def status(self, number: int) -> BfdStatus:
        """A picture of a session; KeyError if it is not watched."""
        return self._watched[number].session.status()

    def close(self) -> None:
        """End every session without a word, as the end of the process would."""
        for watched in self._watched.values():
            if watched.timer is not None:
                watched.timer.cancel()
            watched.sender.close()
        for receiver in self._receivers.values():
            self._loop.remove_reader(receiver)
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
        self._loop.add_reader(receiver, self._readable, receiver, multihop)

    def _readable(self, receiver: socket.socket, multihop: bool) -> None:
        for _ in range(BATCH):
            try:
                octets, ancillary, _flags, source = receiver.recvmsg(256, 128)
            except BlockingIOError:
                return
            except OSError:  # an ICMP error of an earlier packet; the next read is about something else
                continue
            self._received(octets, _ttl(ancillary), _source(source), multihop=multihop)

    def _received(self, octets: bytes, ttl: int, source: Address, *, multihop: bool) -> None:
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
            watched.session.receive_packet(packet, self._loop.time())
            self._move(watched)

    def _choose(self, discriminator: int, source: Address, *, multihop: bool) -> _Watched | None:
        """By our discriminator where the peer knows it, else by its address; the address must fit either way."""
        watched = self._watched.get(discriminator)
        if discriminator:
            fits = watched is not None and _matches(watched.peer, source, multihop=multihop)
            return watched if fits else None
        return next((w for w in self._watched.values() if _matches(w.peer, source, multihop=multihop)), None)

    def _move(self, watched: _Watched) -> None:
        """Timers, packets, events, and the next timer."""
        now = self._loop.time()
        watched.session.handle_timer(now)
        self._send(watched)
        while (change := watched.session.next_event()) is not None:
            watched.on_change(change)
        due = watched.session.next_timer()
        if watched.timer is not None:
            watched.timer.cancel()
        watched.timer = None if due is None else self._loop.call_at(due, self._move, watched)

    def _send(self, watched: _Watched) -> None:
        port = MULTI_HOP_PORT if watched.peer.multihop else SINGLE_HOP_PORT
        for packet in watched.session.packets_to_send(self._loop.time()):
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


def _source(name: tuple[Any, ...]) -> Address:
    """The sender's address; a link-local one with the interface's name as zone."""
    text = str(name[0]).partition("%")[0]
    if len(name) == 4 and name[3]:
        return ip_address(f"{text}%{socket.if_indextoname(name[3])}")
    return ip_address(text)


def _socket_address(address: Address, port: int) -> tuple[Any, ...]:
    if address.version == 4:
        return str(address), port
    zone = address.scope_id
    return str(address).partition("%")[0], port, 0, socket.if_nametoindex(zone) if zone else 0
