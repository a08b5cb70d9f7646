"""Compiled answers: the common question costs one or two dict lookups and no parser.

Three layers, each filled by the one below it, all of them bounded:

    ready                   packet without ID -> card with the whole reply         (ready.py; udp.py looks there itself)
    _entries, _fleeting     folded question -> the parts a reply is joined from    (any letter case, EDNS, cookies)
    _denials                an existing name -> how to deny what is not below it   (a flood of random names costs no memory)

A change of a zone forgets what it touches: the changed names and their ancestors, and everything `fleeting`, which is
what depends on more than one name (aliases, additional records, wildcards) or carries the zone's serial ready made. A
change of cuts or of the catalogue forgets all. Whatever is unusual goes to wire.respond, which these answers must equal.
"""

from __future__ import annotations

from array import array
from itertools import chain
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

from suite.dns import cookie, edns, feed, message, querylog, rrtype
from suite.dns.answer import ask, negative_soa
from suite.dns.feed import ChangeZone
from suite.dns.journal import Journal
from suite.dns.message import HEADER_SIZE, UNWRITABLE, Writer
from suite.dns.name import MAX_LABEL, MAX_NAME, ancestors
from suite.dns.ratelimit import RateLimiter, Verdict, slipped
from suite.dns.ready import READY_LIMIT, Ready, longer
from suite.dns.settings import IDLE, Context, Transfers
from suite.dns.transfer import is_transfer, transfer
from suite.dns.wire import Request, reply, respond, understand

if TYPE_CHECKING:
    from collections.abc import Callable

    from suite.dns.answer import Answer
    from suite.dns.catalogue import Zones
    from suite.dns.conversation import Replies
    from suite.dns.feed import Update
    from suite.dns.settings import Settings
    from suite.dns.zone import Zone

ENTRY_LIMIT = 131_072
_OPT_LIMIT = 64
_COUNTERS = 200
_COOKIE_LIMIT = 8_192
_MARKS = 65_536
_COOKIE_SECONDS = 60
_TYPES = (1, 2, 5, 6, 12, 15, 16, 28, 33, 35, 64, 65, 257)
_QUESTIONS = {rtype.to_bytes(2) + b"\0\1": rtype for rtype in _TYPES}
_CUTS = frozenset({rrtype.NS, rrtype.DNAME})
_CLIENT_COOKIE, _WHOLE_COOKIE = bytes.fromhex("000c000a0008"), bytes.fromhex("001c000a0018")
_COOKIES = frozenset({_CLIENT_COOKIE, _WHOLE_COOKIE})
_COOKIE_SIZE = 28
_NAME_AT = HEADER_SIZE - 2  # in a packet without ID
_PLAIN = edns.MIN_SIZE, b""
_NEVER, _FLEETING, _STABLE = 0, 1, 2

_HEADS = {
    (flags.to_bytes(2) + b"\0\1\0\0\0\0\0" + bytes([has_opt])): (
        message.QR | flags & (message.RD | message.CD),
        has_opt,
    )
    for has_opt in (0, 1)
    for flags in (rd | ad | cd for rd in (0, message.RD) for ad in (0, message.AD) for cd in (0, message.CD))
}
"""Headers, ID aside, of a plain query with or without one additional record, and the flags they leave in the reply."""


_COUNTS = Struct("!HHHH")


def _counts(answer: int, authority: int, additional: int) -> tuple[bytes, bytes]:
    """The four counts of a header, without and with an OPT record."""
    return _COUNTS.pack(1, answer, authority, additional), _COUNTS.pack(1, answer, authority, additional + 1)


_NEGATIVE = _counts(0, 1, 0)


class Denials:
    """The SOA behind negative answers of one zone, written once for each length of a question's name."""

    __slots__ = ("_has_notes", "_tails", "heads", "zone")

    def __init__(self, zone: Zone, flags: int) -> None:
        self.heads = {
            asked: (left | flags).to_bytes(2) + _NEGATIVE[has_opt] for asked, (left, has_opt) in _HEADS.items()
        }
        """The header of a denial by that of its query, both without ID."""
        self.renew(zone)

    def renew(self, zone: Zone) -> None:
        """Go over to the zone's next version."""
        self.zone = zone
        self._has_notes = len(zone.notes) > 0
        self._tails: dict[int, bytes] = {}

    def may_have(self, name: bytes) -> bool:
        """Tell whether a folded name is in the zone, or something is to be said about it."""
        return name in self.zone.nodes or (self._has_notes and name in self.zone.notes)

    def tail(self, size: int) -> bytes:
        """Give the authority section behind a question whose name has `size` octets."""
        tail = self._tails.get(size)
        if tail is None:
            tail = self._tails[size] = self._written(size)
        return tail

    def _written(self, size: int) -> bytes:
        """Write against a name of that length which shares nothing with the SOA but the origin."""
        room, filler = size - len(self.zone.origin), b""
        while room:
            label = min(room - 1, 62 if room == 65 else 63)
            filler += bytes([label]) + b"\xff" * label
            room -= 1 + label
        writer = Writer(filler + self.zone.origin, filler + self.zone.origin + bytes(4))
        start = len(writer)
        writer.add(negative_soa(self.zone), 0xFFFF)
        return bytes(writer.octets[start:])


class Entry(NamedTuple):
    """The parts of one reply. Without `denials`, `tail` holds all records; with it, the SOA is the zone's present one.

    `lasts` says how long the whole reply may be kept: until any zone changes (and, for a name that is denied or made up by a
    wildcard, only from the second time it is asked), or until its own name does.
    """

    flags: int
    counts: tuple[bytes, bytes]
    tail: bytes
    denials: Denials | None
    counter: int
    lasts: int


class Compiled:
    """The answers of one worker. `clock` gives Unix seconds; `transport` names the counters."""

    def __init__(
        self,
        zones: Zones,
        settings: Settings,
        clock: Callable[[], int],
        transport: str = "udp",
        salt: int = 0,
        log: Callable[[str], object] | None = None,
    ) -> None:
        self.zones, self.clock, self.transport, self._salt = zones, clock, transport, salt
        self.journal = Journal()
        self.ready = Ready()
        self.counts: list[int] = []
        self._counters: dict[tuple[int, int], int] = {}
        self._missing = self._counter(0, rrtype.NXDOMAIN)
        self._slipped, self._dropped = self._counter(0, -1), self._counter(0, -2)
        self._denying: dict[bytes, Denials] = {}
        self._denied_once = array("I", bytes(4 * _MARKS))
        self._entries: dict[bytes, Entry] = {}
        self._fleeting: dict[bytes, Entry] = {}
        self._denying_below: dict[bytes, Denials] = {}
        self._log, self._faults = log, querylog.Faults(log)
        self.configure(settings)

    def configure(self, settings: Settings) -> None:
        """Answer by these settings from the very next query on; what was compiled by others is forgotten."""
        self.settings = settings
        self.is_logging = settings.query_log and self._log is not None
        self._ra = message.RA if settings.advertise_ra else 0
        self._opts: dict[bytes, tuple[int, bytes]] = {}
        self._cookies: dict[bytes, bytes] = {}
        self._cookies_until = 0
        self.limiter = RateLimiter(settings, self._salt) if settings.rate else None
        self._forget_all()

    def apply(self, updates: list[Update]) -> None:
        """Make updates visible to the very next query."""
        old, self.zones = self.zones, feed.apply(self.zones, updates)
        if self.transport == "tcp":
            is_copied = self.settings.transfers != Transfers()
            self.journal = feed.record(self.journal, old, self.zones, updates) if is_copied else Journal()
        changes = [update for update in updates if isinstance(update, ChangeZone)]
        if len(changes) < len(updates) or any(rrset.rtype in _CUTS for update in changes for rrset in update.changes):
            self._forget_all()
            return
        self._fleeting = {}
        self.ready.forget_fleeting()
        for change in changes:
            zone = self.zones.by_origin[change.origin.lower()]
            if zone.origin in self._denying:
                self._denying[zone.origin].renew(zone)
            for name in {rrset.name.lower() for rrset in change.changes}.union(change.notes or ()):
                self._forget(name.lower())
            self._forget(zone.origin)

    def report(self) -> dict[str, int]:
        """Count replies so far by transport, type and rcode; type 0 stands for rare types and denied names."""
        self.settle()
        return {f"{self.transport} {_shown(*key)}": self.counts[index] for key, index in self._counters.items()}

    def settle(self) -> None:
        """Count the replies that left as cards."""
        self.ready.drain(self.counts)

    def quick(self, key: bytes, client: bytes) -> bytes | None:
        """Answer a packet from a card or from compiled parts, both without ID; None when it needs `slow`.

        Letter case and cookies are the asker's own: the question is looked up without, and they are put into the reply.
        """
        end = key.find(0, _NAME_AT) + 1
        if not end:
            return None
        name, asked, plain = key[_NAME_AT:end], b"", key
        if key[end + 13 : end + 19] in _COOKIES and len(key) == end + 15 + int.from_bytes(key[end + 13 : end + 15]):
            asked, plain = key[end + 19 :], key[: end + 13] + b"\0\0"
        folded, more = name.lower(), _COOKIE_SIZE if asked else 0
        if folded != name:
            plain = plain[:_NAME_AT] + folded + plain[end:]
        found = self.ready.find(plain) or self._denied(plain, folded, more) or self._joined(plain, folded, more)
        if found is None:
            return None
        body, counter = found
        self.counts[counter] += 1
        if folded != name:
            body = body[:_NAME_AT] + name + body[end:]
        if asked and self.settings.cookie_secrets:
            return body[:-2] + _WHOLE_COOKIE + self._cookie(asked, client)
        return body

    def varied(self, key: bytes, client: bytes) -> bytes | None:
        """Give the card of a packet that differs from one with a card only by letter case or a cookie; both without ID.

        The card is that packet's, with the name as it was asked and the cookie behind it: a third of the work of `quick`.
        """
        end = key.find(0, _NAME_AT) + 1
        name, asked, rest = key[_NAME_AT:end], b"", key[end:]
        if rest[13:19] in _COOKIES and len(rest) == 15 + rest[14]:
            asked, rest = rest[19:], rest[:13] + b"\0\0"
        folded = name.lower()
        if not end or (folded == name and not asked):
            return None
        plain = key[:_NAME_AT] + folded + rest
        card = self.ready.stable.get(plain) or self.ready.fleeting.get(plain)
        if card is None:
            return None
        if folded != name:
            card = card[:HEADER_SIZE] + name + card[2 + end :]
        if asked and self.settings.cookie_secrets:
            return longer(card, _WHOLE_COOKIE + self._cookie(asked, client))
        return card

    def _denied(self, key: bytes, name: bytes, more: int) -> tuple[bytes, int] | None:
        """Deny a name right below one that is known to deny, in few steps: a flood of random names comes through here."""
        denials = self._denying_below.get(name[1 + name[0] :])
        if denials is None or name[0] > MAX_LABEL or len(name) > MAX_NAME:
            return None
        end, head = _NAME_AT + len(name) + 4, denials.heads.get(key[:_NAME_AT])
        if head is None or key[end - 4 : end] not in _QUESTIONS or denials.may_have(name):
            return None
        rest = key[end:]
        if bool(rest) != bool(key[_NAME_AT - 1]):
            return None
        limit, opt = (self._opts.get(rest) or self._opt(rest)) if rest else _PLAIN
        body = b"".join((head, key[_NAME_AT:end], denials.tail(len(name)), opt))
        if len(body) + 2 + more > limit:
            return None
        if self._is_known(key):
            self.ready.keep(key, body, self._missing, None)
        return body, self._missing

    def _joined(self, key: bytes, name: bytes, more: int) -> tuple[bytes, int] | None:
        """Join the reply to a question with a folded name, if it and `more` octets fit."""
        head, end = _HEADS.get(key[:_NAME_AT]), _NAME_AT + len(name) + 4
        if head is None:
            return None
        flags, has_opt = head
        asked, rest = key[_NAME_AT:end], key[end:]
        entry = self._entries.get(asked) or self._fleeting.get(asked) or self._make(name, key[end - 4 : end])
        if entry is None or (rest and not has_opt):
            return None
        more_flags, counts, tail, denials, counter, lasts = entry
        limit, opt = (self._opts.get(rest) or self._opt(rest)) if has_opt else _PLAIN
        if denials is not None:
            tail = denials.tail(len(name))
        body = b"".join(((flags | more_flags).to_bytes(2), counts[has_opt], asked, tail, opt))
        if len(body) + 2 + more > limit:
            return None
        if lasts or self._is_known(key):
            self.ready.keep(key, body, counter, name if lasts == _STABLE else None)
        return body, counter

    def slow(self, packet: bytes, client: bytes) -> bytes | None:
        """Answer anything, by the reference."""
        return self._counted(packet, respond(self.zones, packet, Context(self.settings, client, self.clock())))

    def full(self, packet: bytes, client: bytes) -> bytes | None:
        """Answer one packet by whatever way is quickest."""
        body = self.quick(packet[2:], client)
        return self.slow(packet, client) if body is None else packet[:2] + body

    def limited(self, limiter: RateLimiter, packet: bytes, octets: bytes, client: bytes) -> bytes | None:
        """Give the reply that the rate of the client's network allows: all, a truncated one, or none."""
        verdict = limiter.admit(client, octets, self.clock())
        if verdict is Verdict.SEND or self._is_proven(packet, client):
            return octets
        self.counts[self._slipped if verdict is Verdict.SLIP else self._dropped] += 1
        return slipped(packet, octets) if verdict is Verdict.SLIP and octets[4:6] == b"\0\1" else None

    def _is_proven(self, packet: bytes, client: bytes) -> bool:
        """Tell whether the packet carries a server cookie of ours, which proves its sender's address (RFC 7873 1)."""
        try:
            opt = edns.find(message.parse(packet)) if len(packet) >= HEADER_SIZE else None
        except message.FormatError:
            return False
        asked = opt.options.get(edns.COOKIE, b"") if opt is not None else b""
        return cookie.is_valid(self.settings.cookie_secrets, asked, client, self.clock())

    def note(self, packet: bytes, client: bytes, octets: bytes | None) -> None:
        """Write a question and its reply to the query log."""
        if self._log is not None:
            self._log(querylog.line(packet, client, octets, self.transport, self.clock()))

    def converse(self, packet: bytes, client: bytes, idle: float = IDLE) -> Replies:
        """Give the replies to one packet that came over TCP: a tuple, or for a transfer the stream of its messages.

        `idle` is told to a client that asks how many seconds its connection may idle.
        """
        quick = self.quick(packet[2:], client)
        replies = self._unusual(packet, client, idle) if quick is None else (packet[:2] + quick,)
        return self._noted(packet, client, replies) if self.is_logging else replies

    def _unusual(self, packet: bytes, client: bytes, idle: float) -> Replies:
        context = Context(self.settings, client, self.clock(), tcp=True, idle=idle)
        request = understand(packet, context)
        if isinstance(request, Request) and is_transfer(request):
            sent = transfer(self.zones, self.journal, request, context)
            self.counts[self._counter(sent.kind, sent.rcode)] += 1
            return sent.messages
        full = reply(self.zones, request, context) if isinstance(request, Request) else request
        self._counted(packet, full)
        return () if full is None else (full,)

    def _noted(self, packet: bytes, client: bytes, replies: Replies) -> Replies:
        """The same replies, the first of them in the query log."""
        if isinstance(replies, tuple):
            self.note(packet, client, replies[0] if replies else None)
            return replies
        first = next(replies)  # a stream has one message at least
        self.note(packet, client, first)
        return chain((first,), replies)

    def _counted(self, packet: bytes, octets: bytes | None) -> bytes | None:
        if octets is not None:
            end = packet.find(0, HEADER_SIZE) + 1
            self.counts[self._counter(_QUESTIONS.get(packet[end : end + 4], 0), octets[3] & 0xF)] += 1
        return octets

    def _is_known(self, key: bytes) -> bool:
        """Tell whether a denied question was seen before: only what is asked again is worth keeping ready."""
        mark = hash(key)
        at, mark = mark % _MARKS, mark >> 32 & 0xFFFFFFFF
        is_known = self._denied_once[at] == mark
        self._denied_once[at] = mark
        return is_known

    def _counter(self, qtype: int, rcode: int) -> int:
        if len(self.counts) > _COUNTERS:
            qtype = 0
        index = self._counters.setdefault((qtype, rcode), len(self.counts))
        if index == len(self.counts):
            self.counts.append(0)
        return index

    def _make(self, name: bytes, question: bytes) -> Entry | None:
        """Deny or compile; None for rare types."""
        qtype = _QUESTIONS.get(question)
        if qtype is None or len(name) > MAX_NAME:
            return None
        try:
            return self._denial(name) or self._compile(name, qtype, question)
        except UNWRITABLE as error:  # `slow` says SERVFAIL
            self._faults.tell(name + question, error)
            return None

    def _denial(self, name: bytes) -> Entry | None:
        """Deny a name below a name that is known to have nothing but what its zone lists (RFC 8020)."""
        denials, child, above = None, name, name
        while denials is None and len(above) > 1 and above[0] <= MAX_LABEL:
            child, above = above, above[1 + above[0] :]
            denials = self._denying_below.get(above)
        if denials is None:
            return None
        if denials.may_have(child) or name in denials.zone.notes:
            return None
        return Entry(message.AA | rrtype.NXDOMAIN | self._ra, _NEGATIVE, b"", denials, self._missing, _NEVER)

    def _compile(self, name: bytes, qtype: int, question: bytes) -> Entry | None:
        """Ask the zones once and keep what they said; None for what is not kept (errors, refusals, referrals)."""
        if not _is_whole(name):
            return None
        answer = ask(self.zones, name, qtype)
        if answer.zone is None or answer.errors or not answer.authoritative:
            return None
        if answer.rcode == rrtype.NXDOMAIN and answer.local:
            return self._deny_below(name, answer)
        if len(self._entries) + len(self._fleeting) >= ENTRY_LIMIT:
            self._forget_all()
        entry = self._entry(name, qtype, question, answer)
        if entry is not None and (entry.lasts or self._is_known(name + question)):
            (self._entries if answer.local else self._fleeting)[name + question] = entry
        return entry

    def _entry(self, name: bytes, qtype: int, question: bytes, answer: Answer) -> Entry | None:
        """Write the records; None when they would not all fit into one of our UDP replies."""
        flags = message.AA | answer.rcode | self._ra
        counter = self._counter(qtype, answer.rcode)
        if answer.local and not answer.answer and answer.zone is not None:
            return Entry(flags, _NEGATIVE, b"", self._denials(answer.zone), counter, _FLEETING)
        writer = Writer(name, name + question)
        counts: list[int] = []
        for section in (answer.answer, answer.authority, answer.additional):
            counts.append(sum(writer.add(rrset, self.settings.udp_size - 11) for rrset in section))
            if counts[-1] != sum(len(rrset.rdatas) for rrset in section):
                return None
        tail = bytes(writer.octets[HEADER_SIZE + len(name) + 4 :])
        lasts = _STABLE if answer.local else _FLEETING if _exists(name, answer) else _NEVER
        return Entry(flags, _counts(*counts), tail, None, counter, lasts)

    def _deny_below(self, name: bytes, answer: Answer) -> Entry | None:
        """Remember the closest encloser of a missing name as one that denies."""
        assert answer.zone is not None  # noqa: S101 - a denial comes from a zone
        if len(self._denying_below) >= READY_LIMIT:
            self._denying_below.clear()
        encloser = answer.zone.closest_encloser(name)
        self._denying_below[encloser] = self._denials(answer.zone)
        return self._denial(name)

    def _denials(self, zone: Zone) -> Denials:
        found = self._denying.get(zone.origin)
        if found is None:
            found = self._denying[zone.origin] = Denials(zone, message.AA | rrtype.NXDOMAIN | self._ra)
        return found

    def _opt(self, octets: bytes) -> tuple[int, bytes]:
        """Give the reply's size limit and OPT record; a limit of 0 for options and versions (RFC 6891 section 6.1.2)."""
        if len(octets) != 11 or octets[:3] != b"\0\0\x29" or octets[6] or octets[9:] != b"\0\0":
            return 0, b""
        size, is_do = int.from_bytes(octets[3:5]), bool(octets[7] & 0x80)
        limit = min(max(size, edns.MIN_SIZE), self.settings.udp_size)
        found = limit, edns.record(self.settings.udp_size, 0, is_do)
        if len(self._opts) < _OPT_LIMIT:
            self._opts[octets] = found
        return found

    def _cookie(self, asked: bytes, client: bytes) -> bytes:
        """Make or verify a cookie once a minute for each client cookie and address; SipHash costs 13 microseconds."""
        now = self.clock()
        if now >= self._cookies_until or len(self._cookies) >= _COOKIE_LIMIT:
            self._cookies.clear()
            self._cookies_until = now + _COOKIE_SECONDS
        key = asked + client
        given = self._cookies.get(key)
        if given is None:
            given = self._cookies[key] = cookie.reply(self.settings.cookie_secrets, asked, client, now)
        return given

    def _forget(self, name: bytes) -> None:
        """Forget a changed name and its ancestors, which may have become or ceased to be empty non-terminals."""
        for above in ancestors(name):
            self._denying_below.pop(above, None)
            for question in _QUESTIONS:
                self._entries.pop(above + question, None)
            self.ready.forget(above)

    def _forget_all(self) -> None:
        self.ready.clear()
        self._entries, self._fleeting = {}, {}
        self._denying_below, self._denying = {}, {}


def _exists(name: bytes, answer: Answer) -> bool:
    """Tell whether a folded name stands in its zone: what a wildcard or DNAME makes up has no end of names."""
    return answer.zone is not None and answer.zone.get(name) is not None


def _is_whole(name: bytes) -> bool:
    """Tell whether octets up to the first zero are a name, not the start of one with a zero in a label."""
    at = 0
    while at < len(name) and 0 < name[at] <= MAX_LABEL:
        at += 1 + name[at]
    return at == len(name) - 1


def _shown(qtype: int, rcode: int) -> str:
    if rcode < 0:
        return "slipped" if rcode == -1 else "dropped"
    return f"{rrtype.type_to_text(qtype)} {rrtype.rcode_to_text(rcode)}"
