"""Adj-RIB-Out: the routes one peer shall have, the routes it has, and the UPDATEs between the two (RFC 4271 3.2).

Pending work is kept per prefix and grouped by what is said about it, so equal attributes share UPDATEs, and ten
changes of one prefix before it is sent are one. Messages are made when bytes are asked for: a peer that reads slowly
costs a dictionary entry per prefix, never a growing buffer.
"""

from collections.abc import Iterable, Mapping
from typing import Protocol

from suite.bgp.export import RouteAttributes, mp_reach, mp_unreach
from suite.bgp.message import HEADER_SIZE, MAX_SIZE, MessageType, RefreshKind, RouteRefresh, encode, frame
from suite.bgp.prefix import IPV4, Family, Prefix
from suite.bgp.update import end_of_rib, pack_update

Routes = Mapping[Prefix, RouteAttributes]

_BODY = MAX_SIZE - HEADER_SIZE - 4  # octets of a body besides its two length fields
_MP_OVERHEAD = 4 + 3  # attribute header with two length octets, family of MP_UNREACH_NLRI

_Group = tuple[Family, RouteAttributes | None]  # None: withdraw


class Encoder(Protocol):
    """What the table needs of `export.Exporter`."""

    def families(self) -> frozenset[Family]:
        """The families that can be announced."""

    def encode(self, family: Family, attributes: RouteAttributes) -> tuple[bytes, bytes]:
        """The path attributes, and the start of MP_REACH_NLRI or nothing."""


class _StaleRoute:
    """Stands for what a peer holds after it asked for a refresh: something, equal to nothing."""


_STALE = _StaleRoute()


class AdjRibOut:
    """The outgoing table of one session; it outlives connections, `open` and `close` mark their begin and end."""

    __slots__ = (
        "_encoder",
        "_end_marks",
        "_enhanced",
        "_families",
        "_groups",
        "_held",
        "_pending",
        "_urgent",
        "_waiting",
        "_wanted",
    )

    def __init__(self) -> None:
        self._wanted: dict[Prefix, RouteAttributes] = {}
        self.close()

    def close(self) -> None:
        """The connection is gone: the peer holds nothing, and nothing is to be sent."""
        self._encoder: Encoder | None = None
        self._enhanced = False
        self._families: frozenset[Family] = frozenset()
        self._held: dict[Prefix, RouteAttributes | _StaleRoute] = {}
        self._pending: dict[Prefix, _Group] = {}
        self._groups: dict[_Group, dict[Prefix, None]] = {}
        self._urgent: list[bytes] = []
        self._end_marks: dict[Family, bytes] = {}
        self._waiting: set[Family] = set()

    def open(self, encoder: Encoder, *, mark_end: bool, enhanced: bool = False) -> None:
        """A connection is established; `mark_end` sends End-of-RIB after the first routes (RFC 4724 section 2).

        `enhanced` tells that the peer wants marks around a refresh (RFC 7313).
        """
        self.close()
        self._enhanced = enhanced
        self._encoder = encoder
        self._families = encoder.families()
        if mark_end:
            self._end_marks = {family: encode(end_of_rib(family)) for family in sorted(self._families)}
        for prefix in self._wanted:
            self._reconsider(prefix)

    def replace(self, routes: Routes) -> None:
        """Make `routes` the whole table; only differences are sent."""
        self.change(routes, [prefix for prefix in self._wanted if prefix not in routes])

    def change(self, routes: Routes, withdrawn: Iterable[Prefix] = ()) -> None:
        """Add or change `routes` and take `withdrawn` away; a prefix in both stays."""
        wanted = self._wanted
        for prefix in withdrawn:
            if prefix not in routes and wanted.pop(prefix, None) is not None:
                self._reconsider(prefix)
        for prefix, attributes in routes.items():
            old = wanted.get(prefix)
            if old is not attributes and old != attributes:
                wanted[prefix] = attributes
                self._reconsider(prefix)

    def refresh(self, family: Family) -> None:
        """The peer wants the family again (RFC 2918), between marks if it knows them (RFC 7313 section 4).

        A request that comes before the last answer is complete is answered once after it, however often it came.
        """
        if family not in self._families:
            return
        if family in self._end_marks:
            self._waiting.add(family)
            return
        if self._enhanced:
            self._urgent.append(encode(RouteRefresh(family, RefreshKind.BEGIN)))
            self._end_marks[family] = encode(RouteRefresh(family, RefreshKind.END))
        for prefix in [prefix for prefix in self._held if prefix.family == family]:
            self._held[prefix] = _STALE
            self._reconsider(prefix)

    @property
    def wanted(self) -> Routes:
        """The routes the peer shall have."""
        return self._wanted

    @property
    def families(self) -> frozenset[Family]:
        """The families that can be announced on the present connection."""
        return self._families

    @property
    def held(self) -> int:
        """How many routes the peer has been given."""
        return len(self._held)

    @property
    def pending(self) -> int:
        """How many prefixes still wait to be announced or withdrawn."""
        return len(self._pending)

    @property
    def has_output(self) -> bool:
        """Whether `next_message` would give one."""
        return bool(self._pending or self._urgent or self._end_marks)

    def is_held(self, prefix: Prefix) -> bool:
        """Whether the peer has been given the prefix."""
        return prefix in self._held

    def next_message(self) -> bytes | None:
        """The next whole message, None if nothing is left; what is not asked for waits.

        Withdrawals go first, so that a table that moves never holds more than it should. A family's end mark goes
        when nothing is pending, and a refresh that waited for it begins.
        """
        if self._urgent:
            return self._urgent.pop(0)
        if self._groups:
            return self._next_update(self._next_group())
        return self._next_end_mark()

    def _next_group(self) -> _Group:
        withdrawals = ((family, None) for family in self._families)
        return next((group for group in withdrawals if group in self._groups), None) or next(iter(self._groups))

    def _next_end_mark(self) -> bytes | None:
        if not self._end_marks:
            return None
        family = next(iter(self._end_marks))
        mark = self._end_marks.pop(family)
        if family in self._waiting:
            self._waiting.discard(family)
            self.refresh(family)
        return mark

    def _reconsider(self, prefix: Prefix) -> None:
        """Put the prefix into the group of what must be said about it, or into none."""
        if prefix.family not in self._families:
            return
        wanted, held = self._wanted.get(prefix), self._held.get(prefix)
        before = self._pending.pop(prefix, None)
        if before is not None:
            self._leave(before, prefix)
        if wanted != held:
            group = (prefix.family, wanted)
            self._pending[prefix] = group
            self._groups.setdefault(group, {})[prefix] = None

    def _leave(self, group: _Group, prefix: Prefix) -> None:
        members = self._groups[group]
        del members[prefix]
        if not members:
            del self._groups[group]

    def _next_update(self, group: _Group) -> bytes:
        """One UPDATE with as many prefixes of the group as fit; they count as sent from here on."""
        family, attributes = group
        if attributes is None:
            room = _BODY if family == IPV4 else _BODY - _MP_OVERHEAD
            nlri = self._take(group, room)
            body = pack_update(nlri, b"", b"") if family == IPV4 else pack_update(b"", mp_unreach(family, nlri), b"")
            return frame(MessageType.UPDATE, body)
        assert self._encoder is not None  # noqa: S101 - groups exist only between open and close
        octets, head = self._encoder.encode(family, attributes)
        nlri = self._take(group, _BODY - len(octets) - (len(head) + 4 if head else 0))
        if head:
            return frame(MessageType.UPDATE, pack_update(b"", mp_reach(head, nlri) + octets, b""))
        return frame(MessageType.UPDATE, pack_update(b"", octets, nlri))

    def _take(self, group: _Group, room: int) -> bytes:
        """The NLRI of the first prefixes of a group that fit, which leave the group and change hands."""
        members, attributes = self._groups[group], group[1]
        taken = []
        for prefix in members:
            room -= len(prefix.nlri)
            if room < 0:
                break
            taken.append(prefix)
        for prefix in taken:
            del members[prefix], self._pending[prefix]
            if attributes is None:
                self._held.pop(prefix, None)
            else:
                self._held[prefix] = attributes
        if not members:
            del self._groups[group]
        return b"".join([prefix.nlri for prefix in taken])
