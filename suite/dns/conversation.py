"""One TCP client's questions and their answers, without the socket.  Pure: octets in, octets out, turn by turn.

What can be answered at once leaves at once, also past a transfer that began before it: answers carry their ID and need not
keep the order of the questions (RFC 7766 section 6.2.1.1).  Transfers share what is left of each turn, one message after
the other, so none of them stands still and none holds up another.

Everything is bounded: a turn by `SECONDS`, by `QUESTIONS`, and by `TURN` octets and one message, running transfers by `STREAMS`; a question
that finds no room stays in the buffer, and `is_full` says when the buffer needs no more octets to make a whole question.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from suite.dns.message import HEADER_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Replies = tuple[bytes, ...] | Iterator[bytes]
    """Messages that are ready, or a stream of them, each made when it is asked for."""
    Converse = Callable[[bytes, bytes], Replies]

STREAMS = 8
"""Transfers of one connection that run side by side; with more, the next question waits until one has ended."""
QUESTIONS = 256
"""Questions that one turn answers or passes over; the next turn goes on with the others."""
SECONDS = 0.001
"""A turn begins to answer no question later than that: some cost a hundred times as much as others."""
TURN = 0x10000
BUSY_IDLE = 2.0
"""Seconds that a connection may idle when three quarters of all are taken."""
_LENGTH = 2
_LONGEST = _LENGTH + 0xFFFF


class Conversation:
    """The two directions of one connection.

    `converse(packet, client)` gives the replies to one message, `clock` the seconds of a steady clock.
    """

    def __init__(self, converse: Converse, client: bytes, clock: Callable[[], float]) -> None:
        self._converse, self._client, self._clock = converse, client, clock
        self._buffer = bytearray()
        self._streams: deque[Iterator[bytes]] = deque()
        self._answered, self._until = 0, 0.0
        self.is_unfinished = False
        """Whether the last turn left something to say."""
        self.is_broken = False
        """Whether the client announced less than a header: nothing behind it can be trusted to be a message."""

    @property
    def is_streaming(self) -> bool:
        """Whether a transfer has messages left."""
        return bool(self._streams)

    @property
    def is_partial(self) -> bool:
        """Whether octets wait that are no whole message yet, or one that has no room."""
        return bool(self._buffer)

    @property
    def is_full(self) -> bool:
        """Whether the buffer holds a whole message at least, so that more of them can wait outside."""
        return len(self._buffer) >= _LONGEST

    def feed(self, octets: bytes) -> None:
        """Take what arrived."""
        self._buffer += octets

    def turn(self) -> bytes:
        """Give the next framed replies, at most `TURN` octets and one message; `is_unfinished` tells whether there are more."""
        out = bytearray()
        self._answered, self._until = 0, self._clock() + SECONDS
        while True:
            self._answer(out)
            if not self._streams:
                break
            self._go_on(out)
            if len(out) >= TURN or self._clock() >= self._until:
                break
        self.is_unfinished = self.is_streaming or len(out) >= TURN or self._is_over()
        return bytes(out)

    def end(self) -> None:
        """Drop what was not said."""
        self._streams.clear()
        self._buffer.clear()

    def _is_over(self) -> bool:
        """Whether this turn has answered enough; one question is answered in any case."""
        return self._answered >= QUESTIONS or (self._answered > 0 and self._clock() >= self._until)

    def _answer(self, out: bytearray) -> None:
        """Answer the questions that wait, and begin their transfers, while there is room."""
        while len(out) < TURN and len(self._streams) < STREAMS and not self._is_over():
            packet = self._next_packet()
            if packet is None:
                return
            self._answered += 1
            replies = self._converse(packet, self._client)
            if isinstance(replies, tuple):
                for message in replies:
                    _frame(out, message)
            else:
                self._streams.append(replies)

    def _go_on(self, out: bytearray) -> None:
        """The next message of the transfer that waited longest."""
        stream = self._streams.popleft()
        message = next(stream, None)
        if message is not None:
            _frame(out, message)
            self._streams.append(stream)

    def _next_packet(self) -> bytes | None:
        if len(self._buffer) < _LENGTH:
            return None
        size = int.from_bytes(self._buffer[:_LENGTH])
        if size < HEADER_SIZE:
            self.is_broken = True
            self._buffer.clear()
            return None
        end = _LENGTH + size
        if len(self._buffer) < end:
            return None
        packet = bytes(self._buffer[_LENGTH:end])
        del self._buffer[:end]
        return packet


def idle_seconds(longest: float, connections: int, limit: int) -> float:
    """How long a connection may wait for its next question while so many are open (RFC 7766 section 6.2.3)."""
    return min(BUSY_IDLE, longest) if connections * 4 > limit * 3 else longest


def told_seconds(longest: float, connections: int, limit: int) -> float:
    """What a client that asks is told of it; 0, please close, when hardly any connection is left (RFC 7828 section 3.3.2)."""
    return 0.0 if connections * 16 > limit * 15 else idle_seconds(longest, connections, limit)


def _frame(out: bytearray, message: bytes) -> None:
    out += len(message).to_bytes(_LENGTH)
    out += message
