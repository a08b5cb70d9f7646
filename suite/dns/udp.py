"""UDP in whole batches: `recvmmsg` and `sendmmsg` of libc through ctypes, on buffers laid out once.

Ready-made replies lie on cards of one size (ready.py): those of a batch are joined, and their IDs, lengths and counters
are lifted in and out by strided copies. What is left for Python per packet is one slice and one dict lookup. Any other
reply is written over its query. The sender's address is where sendmmsg wants it, and so is the control message that
names the queried address (IP_PKTINFO) and sends the answer from it.
"""

from __future__ import annotations

import ctypes
import errno
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING, Literal, Protocol

from suite.dns.ready import CARD, COUNTER_AT, KEY_LIMIT, MISS, NOBODY, TALLY_LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from suite.dns.ratelimit import RateLimiter
    from suite.dns.ready import Ready

BATCH = 64
_IP_PKTINFO, _MSG_DONTWAIT = 8, socket.MSG_DONTWAIT
_NAME_SIZE, _CONTROL_SIZE = 28, 64
_SPARED_LIMIT = 65_536


class _Iovec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("len", ctypes.c_size_t))


class _Head(ctypes.Structure):
    """As much of a packet as a ready-made reply is looked up by."""

    _fields_ = (("octets", ctypes.c_char * (KEY_LIMIT + 2)),)


class _Msghdr(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_void_p), ("namelen", ctypes.c_uint32), ("iov", ctypes.c_void_p), ("iovlen", ctypes.c_size_t),
        ("control", ctypes.c_void_p), ("controllen", ctypes.c_size_t), ("flags", ctypes.c_int),
    )  # fmt: skip


class _Mmsghdr(ctypes.Structure):
    _fields_ = (("hdr", _Msghdr), ("len", ctypes.c_uint32))


_libc = ctypes.CDLL(None, use_errno=True)
_HEADER_WORDS = ctypes.sizeof(_Mmsghdr) // 4
_LEN_WORD = _Mmsghdr.len.offset // 4
_CMSG_HEADER = socket.CMSG_LEN(0)
_HEAD = ctypes.sizeof(_Head)
_BEHIND_IDS = list(range(2, BATCH * _HEAD, _HEAD))
_ZEROS = memoryview(bytes(4 * BATCH)).cast("I")
_SIZE: Literal["Q", "I"] = "Q" if ctypes.sizeof(ctypes.c_size_t) == 8 else "I"
_CARD_WORDS = CARD // ctypes.sizeof(ctypes.c_size_t)
_IP_MTU_DISCOVER, _IPV6_MTU_DISCOVER, _PMTUDISC_PROBE = 10, 23, 3


class Answers(Protocol):
    """What the loop asks: ready-made replies first, then a quick try, then the full work."""

    ready: Ready
    limiter: RateLimiter | None
    is_logging: bool

    def settle(self) -> None: ...
    def note(self, packet: bytes, client: bytes, octets: bytes | None) -> None: ...
    def full(self, packet: bytes, client: bytes) -> bytes | None: ...
    def limited(self, limiter: RateLimiter, packet: bytes, reply: bytes, client: bytes) -> bytes | None: ...
    def varied(self, key: bytes, client: bytes) -> bytes | None: ...
    def quick(self, key: bytes, client: bytes) -> bytes | None: ...
    def slow(self, packet: bytes, client: bytes) -> bytes | None: ...


def open_socket(address: str, port: int, receive_buffer: int = 4 << 20) -> socket.socket:
    """Bind a UDP socket that shares its port with other workers and, on a wildcard address, learns who was asked.

    Replies say "do not fragment" whatever ICMP claims about the path: they fit (RFC 9715 section 3.1).
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with ExitStack() as undo:
        sock = undo.enter_context(socket.socket(family, socket.SOCK_DGRAM))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.setblocking(False)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, int(address == "::"))
            sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _PMTUDISC_PROBE)
        else:
            sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, int(address == "0.0.0.0"))  # noqa: S104 - compared
            sock.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _PMTUDISC_PROBE)
        sock.bind((address, port))
        undo.pop_all()
    return sock


class Endpoint:
    """One bound socket with the buffers of its batches."""

    def __init__(self, sock: socket.socket, slot: int = 1280) -> None:
        self.sock = sock
        self.fd = sock.fileno()
        self._slot = slot
        self._is_v6 = sock.family == socket.AF_INET6
        self._is_wildcard = sock.getsockname()[0] in {"::", "0.0.0.0"}  # noqa: S104 - compared, not bound
        self._address_at, self._address_size = (8, 16) if self._is_v6 else (4, 4)
        self._spared: set[int | bytes] = set()
        self._limiter: RateLimiter | None = None
        self._lay_out()

    def serve(self, answers: Answers) -> int:
        """Receive, answer and send one batch; return how many packets came (0: nothing is waiting)."""
        if self._is_wildcard:  # the room for control messages shrinks to what came
            self._receive_words[:] = self._receive_template
        count: int = self._recvmmsg(self.fd, self._receive, BATCH, _MSG_DONTWAIT, None)
        if count <= 0:
            return 0
        limiter = answers.limiter
        if limiter is not self._limiter:  # other settings: who is spared is asked anew
            self._limiter = limiter
            self._spared.clear()
        if answers.is_logging or (limiter is not None and not self._spared.issuperset(self._senders(count))):
            self._serve_each(answers, limiter, count)
            return count
        keys = self._keys(count)
        missed = self._answer_ready(answers, keys)
        if self._is_wildcard:
            self._forget_interfaces(count)
        if missed:
            self._answer_missed(answers, count, keys, missed)
        else:
            self._send(0, count)
        return count

    def _keys(self, count: int) -> list[bytes]:
        """Packets of a batch without their IDs; what is longer than a key may be is cut off and followed by the next one."""
        packets = bytes(self._heads[:count])
        sizes = self._sizes[:count].tolist()
        return [packets[at : at + size - 2] for at, size in zip(_BEHIND_IDS, sizes, strict=False)]

    def _answer_ready(self, answers: Answers, keys: list[bytes]) -> Sequence[int]:
        """Deal the cards of a batch; return the slots that have none.

        This is the server's speed: 0.3 microseconds a packet while the cards lie in the processor's cache.
        """
        ready, count, again = answers.ready, len(keys), answers.ready.fleeting.get
        hits = [
            again(key, MISS) if hit is None else hit for hit, key in zip(map(ready.stable.get, keys), keys, strict=True)
        ]
        cards = b"".join(hits)
        counters = cards[COUNTER_AT::CARD]
        if NOBODY in counters and self._deal_varied(answers, keys, hits, counters):
            cards = b"".join(hits)
            counters = cards[COUNTER_AT::CARD]
        self._cards[: len(cards)] = cards
        self._card_ids[:count] = self._ids[:count]
        self._vector_sizes[:count] = self._card_sizes[:count]
        ready.tally += counters
        if len(ready.tally) >= TALLY_LIMIT:
            answers.settle()
        return [index for index, counter in enumerate(counters) if counter == NOBODY] if NOBODY in counters else ()

    def _deal_varied(self, answers: Answers, keys: list[bytes], hits: list[bytes], counters: bytes) -> bool:
        """Deal cards to packets that ask in another letter case or with a cookie what has a card; tell whether any do."""
        varied, is_dealt, index = answers.varied, False, counters.find(NOBODY)
        while index >= 0:
            if len(keys[index]) <= KEY_LIMIT and (card := varied(keys[index], self._client(index))) is not None:
                hits[index], is_dealt = card, True
            index = counters.find(NOBODY, index + 1)
        return is_dealt

    def _senders(self, count: int) -> Sequence[int | bytes]:
        """Sender addresses of a batch: words for IPv4, sixteen octets for IPv6."""
        if not self._is_v6:
            return self._name_words[:count].tolist()
        names = bytes(self._names[: count * _NAME_SIZE])
        return [names[at + 8 : at + 24] for at in range(0, count * _NAME_SIZE, _NAME_SIZE)]

    def _serve_each(self, answers: Answers, limiter: RateLimiter | None, count: int) -> None:
        """Answer a batch one by one: a sender in it is not known to be spared from rate limiting, or all is logged."""
        if self._is_wildcard:
            self._forget_interfaces(count)
        if len(self._spared) >= _SPARED_LIMIT:
            self._spared.clear()
        for index, sender in enumerate(self._senders(count)):
            packet, client = self._packet(index), self._client(index)
            is_spared = limiter is None or sender in self._spared or limiter.spares(client)
            if is_spared:
                self._spared.add(sender)
            reply = answers.full(packet, client) if self._port(index) else None
            if reply is not None and limiter is not None and not is_spared:
                reply = answers.limited(limiter, packet, reply, client)
            if answers.is_logging:
                answers.note(packet, client, reply)
            self._reply(index, reply)
        self._take_back(range(count))

    def _answer_missed(self, answers: Answers, count: int, keys: list[bytes], missed: Sequence[int]) -> None:
        """Try the rest quickly, send all that is ready, and only then do the work that may take long."""
        quick, first, last, later = answers.quick, self._address_at, self._address_at + self._address_size, []
        names = bytes(self._names[: count * _NAME_SIZE])
        for index in missed:
            key, at = keys[index], index * _NAME_SIZE
            if len(key) > KEY_LIMIT:  # the beginnings of two packets
                key = self._packet(index)[2:]
            body = quick(key, names[at + first : at + last])
            if body is None:
                later.append(index)
            else:
                self._place(index, body)
        start = 0
        for index in later:
            self._send(start, index)
            start = index + 1
        self._send(start, count)
        for index in later:
            self._reply(index, answers.slow(self._packet(index), self._client(index)) if self._port(index) else None)
        self._take_back(missed)

    def _reply(self, index: int, reply: bytes | None) -> None:
        """Send one reply on its own; one that reached into the next client's slot would be a defect and stays here."""
        if reply is not None and len(reply) <= self._slot:
            self._place(index, reply[2:])
            self._send(index, index + 1)

    def _packet(self, index: int) -> bytes:
        at = index * self._slot
        return bytes(self._view[at : at + self._sizes[index]])

    def _place(self, index: int, body: bytes) -> None:
        """Write a reply behind the ID of its query, and send it from there."""
        at, size, vectors = index * self._slot, len(body) + 2, self._vectors
        self._view[at + 2 : at + size] = body
        vectors[index * 2], vectors[index * 2 + 1] = self._buffer_at + at, size

    def _take_back(self, placed: Sequence[int]) -> None:
        """Send cards again from these slots."""
        for index in placed:
            self._vectors[index * 2] = self._cards_at + index * CARD

    def _send(self, start: int, stop: int) -> None:
        """Send the replies of slots start to stop; one that the kernel refuses is skipped, the rest goes on."""
        while start < stop:
            offset = start * ctypes.sizeof(_Mmsghdr)
            sent: int = self._sendmmsg(self.fd, self._send_at + offset, stop - start, _MSG_DONTWAIT)
            if sent < 0 and ctypes.get_errno() in {errno.EAGAIN, errno.ENOBUFS, errno.EINTR}:
                sent = stop - start if ctypes.get_errno() != errno.EINTR else 0
            start += sent if sent >= 0 else 1

    def _client(self, index: int) -> bytes:
        """Packed IP address of the sender."""
        at = index * _NAME_SIZE + self._address_at
        return bytes(self._names[at : at + self._address_size])

    def _port(self, index: int) -> int:
        at = index * _NAME_SIZE + 2
        return int.from_bytes(self._names[at : at + 2])

    def _forget_interfaces(self, count: int) -> None:
        """Keep the address that was asked as the source, but let routing choose the way (no interface index)."""
        word = (_CMSG_HEADER + (16 if self._is_v6 else 0)) // 4
        self._control_words[word : count * _CONTROL_SIZE // 4 : _CONTROL_SIZE // 4] = _ZEROS[:count]

    def _lay_out(self) -> None:
        slot = self._slot
        buffer, cards = bytearray(BATCH * slot), bytearray(BATCH * CARD)
        names, control = bytearray(BATCH * _NAME_SIZE), bytearray(BATCH * _CONTROL_SIZE)
        self._view, self._cards = memoryview(buffer), memoryview(cards)
        self._ids, self._card_ids = self._view.cast("H")[:: slot // 2], self._cards.cast("H")[:: CARD // 2]
        self._card_sizes = self._cards.cast(_SIZE)[_CARD_WORDS - 1 :: _CARD_WORDS]
        self._heads = memoryview((_Head * (BATCH * slot // _HEAD)).from_buffer(buffer))[:: slot // _HEAD]
        self._names, self._control_words = memoryview(names), memoryview(control).cast("I")
        self._name_words = self._names.cast("I")[1 :: _NAME_SIZE // 4]
        self._buffer_at, self._cards_at = _address(buffer), _address(cards)
        addresses = _address(names), _address(control)
        receive, self._receive = self._headers((self._buffer_at, slot), addresses, is_send=False)
        send, self._send_at = self._headers((self._cards_at, CARD), addresses, is_send=True)
        self._kept = receive, send  # headers and vectors that only the kernel reads
        self._receive_words = memoryview(receive[0]).cast("I")
        self._sizes = self._receive_words[_LEN_WORD::_HEADER_WORDS]
        self._receive_template = memoryview(bytes(receive[0])).cast("I")
        self._vectors = memoryview(send[1]).cast(_SIZE)
        self._vector_sizes = self._vectors[1::2]
        self._recvmmsg = _function(
            "recvmmsg", ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_void_p
        )
        self._sendmmsg = _function("sendmmsg", ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int)

    def _headers(
        self, slots: tuple[int, int], addresses: tuple[int, int], *, is_send: bool
    ) -> tuple[tuple[bytearray, bytearray], int]:
        """Lay out one array of message headers and one of io vectors; give both and the headers' address."""
        octets, vectors = bytearray(BATCH * ctypes.sizeof(_Mmsghdr)), bytearray(BATCH * ctypes.sizeof(_Iovec))
        headers, iov = (_Mmsghdr * BATCH).from_buffer(octets), (_Iovec * BATCH).from_buffer(vectors)
        (slots_at, slot), (names_at, control_at) = slots, addresses
        control_size = socket.CMSG_SPACE(20 if self._is_v6 else 12) if is_send else _CONTROL_SIZE
        for index in range(BATCH):
            iov[index] = _Iovec(slots_at + index * slot, slot)
            header = headers[index].hdr
            header.name, header.namelen = (
                names_at + index * _NAME_SIZE,
                16 if is_send and not self._is_v6 else _NAME_SIZE,
            )
            header.iov, header.iovlen = ctypes.addressof(iov) + index * ctypes.sizeof(_Iovec), 1
            if self._is_wildcard:
                header.control, header.controllen = control_at + index * _CONTROL_SIZE, control_size
        return (octets, vectors), ctypes.addressof(headers)


def _address(octets: bytearray) -> int:
    return ctypes.addressof((ctypes.c_char * len(octets)).from_buffer(octets))


def _function(name: str, *types: type) -> Callable[..., int]:
    function = getattr(_libc, name)
    function.argtypes, function.restype = types, ctypes.c_int
    return function  # type: ignore[no-any-return]
