"""Ready-made replies as cards, all of one size, so that a batch of replies is one `join`.

    octets 0 and 1      room for the ID
    octets 2 and on     the reply behind its ID, then filler
    octet COUNTER_AT    the index of its counter
    the last word       the reply's length, the ID included, as an io vector holds it

udp.py joins the cards of a batch and lifts IDs, lengths and counters in or out by strides, without a step of Python for
each packet. Counting is put off: the octets of many batches are tallied at once, by `drain`.
"""

from __future__ import annotations

import sys
from struct import Struct

_LENGTH = Struct("N")
CARD = 144
COUNTER_AT = CARD - _LENGTH.size - 1
_LENGTH_AT = COUNTER_AT + 1 if sys.byteorder == "little" else CARD - 1  # a length fits in one octet
KEY_LIMIT = 126
"""Longest packet, its ID aside, that a reply is kept ready for."""
READY_LIMIT = 65_536
NAME_LIMIT = 32
"""Cards of one name: types, flags and sizes that clients really send; all that could be sent are millions."""
TALLY_LIMIT = 4_096
NOBODY = 0xFF
"""The counter of no answer."""
MISS = bytes(COUNTER_AT) + bytes([NOBODY]) + _LENGTH.pack(0)
"""Stands in a batch for a packet that has no card."""


def longer(card: bytes, end: bytes) -> bytes | None:
    """Give a card whose reply has `end` in place of its last two octets; None where that does not fit."""
    reply = card[: card[_LENGTH_AT] - 2] + end
    if len(reply) > COUNTER_AT:
        return None
    return reply.ljust(COUNTER_AT, b"\0") + card[COUNTER_AT : COUNTER_AT + 1] + _LENGTH.pack(len(reply))


class Ready:
    """Cards by packet; packets (`key`) and replies (`body`) are without ID here. `fleeting` ones depend on more than their name and go with any change of a zone."""

    __slots__ = ("_keys", "fleeting", "stable", "tally")

    def __init__(self) -> None:
        self.tally = bytearray()
        self.clear()

    def clear(self) -> None:
        """Forget all."""
        self.stable: dict[bytes, bytes] = {}
        self.fleeting: dict[bytes, bytes] = {}
        self._keys: dict[bytes, list[bytes]] = {}

    def keep(self, key: bytes, body: bytes, counter: int, name: bytes | None) -> None:
        """Keep a reply ready until its folded `name` is forgotten, or fleetingly without one. Long ones are not kept."""
        if len(key) > KEY_LIMIT or len(body) + 2 > COUNTER_AT:
            return
        if len(self.stable) + len(self.fleeting) >= READY_LIMIT:
            self.clear()
        keys = None if name is None else self._keys.setdefault(name, [])
        if keys is not None and len(keys) >= NAME_LIMIT:
            self.stable.pop(keys.pop(0), None)
        card = (b"\0\0" + body).ljust(COUNTER_AT, b"\0") + bytes([counter]) + _LENGTH.pack(2 + len(body))
        if keys is None:
            self.fleeting[key] = card
        else:
            self.stable[key] = card
            keys.append(key)

    def find(self, key: bytes) -> tuple[bytes, int] | None:
        """Give the reply to a packet, both without ID, and the index of its counter."""
        card = self.stable.get(key) or self.fleeting.get(key)
        return None if card is None else (card[2 : card[_LENGTH_AT]], card[COUNTER_AT])

    def forget(self, name: bytes) -> None:
        """Forget what was kept for a folded name."""
        for key in self._keys.pop(name, ()):
            self.stable.pop(key, None)

    def forget_fleeting(self) -> None:
        """Forget what was kept fleetingly."""
        self.fleeting = {}

    def drain(self, counts: list[int]) -> None:
        """Add the tallied octets to the counters they name."""
        rest = bytes(self.tally)
        self.tally.clear()
        while rest:
            index, left = rest[0], rest.translate(None, rest[:1])
            if index != NOBODY:
                counts[index] += len(rest) - len(left)
            rest = left
