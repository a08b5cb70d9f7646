"""Reads the vector files of this folder and judges replies with dnspython, for the pure core and for running servers."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
from dns.rdtypes.ANY.TSIG import TSIG
from served_zones import stored
from signing import SECRET, Signature, is_signed_well

from suite.dns.name import from_text
from suite.dns.rrtype import type_from_text
from suite.dns.settings import Key, Settings, Transfers
from suite.dns.tsig import ALGORITHMS

HERE = Path(__file__).parent
KEYS = tuple(Key(from_text(f"{text}."), text, SECRET) for text in ALGORITHMS)
OTHER_KEY = Key(from_text("other."), "hmac-sha256", SECRET)
SETTINGS = Settings(
    cookie_secrets=(bytes.fromhex("e5e973e5a6b2a43f48e7dc849e37bfcf"),),
    identity=b"vector",
    keys=(*KEYS, OTHER_KEY),
    transfers=Transfers(((b"\x7f\0\0\0", 8), (bytes(15) + b"\1", 128)), frozenset(key.name for key in KEYS)),
)
ADVERTISING = replace(SETTINGS, advertise_ra=True)
WEB = from_text("web.ns3.service.") + b"\0\1\0\1"
FILES = (
    "answers.vec",
    "edns.vec",
    "header.vec",
    "states.vec",
    "planned.vec",
    "tsig.vec",
    "clients.vec",
    "recursion.vec",
)
LIMIT = 1232
_CLASSES = {"IN": 1, "CH": 3, "HS": 4, "ANY": 255}
_FLAGS = {"aa": 0x0400, "tc": 0x0200, "rd": 0x0100, "ad": 0x0020, "cd": 0x0010, "z": 0x0040}
_OPTIONS = {"nsid": (3, b""), "keepalive": (11, b"")}


@dataclass
class Case:
    """One case of a vector file."""

    title: str
    packet: bytes = b""
    words: tuple[str, ...] = ()
    """What QUERY says."""
    question: bytes = b""
    size: int | None = None
    """The UDP payload size that the query's OPT tells; None without one."""
    state: str = "ready"
    transports: tuple[str, ...] = ("udp", "tcp")
    rcode: str = ""
    marks: list[str] = field(default_factory=list)
    records: dict[str, set[str]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    error: tuple[int, str] | None = None
    length: int | None = None
    raw: tuple[str, bytes] | None = None
    signature: Signature | None = None

    @property
    def is_advertising(self) -> bool:
        """Whether the server it is about sets RA."""
        return self.state == "advertising"

    @property
    def settings(self) -> Settings:
        """Those of the server it is about."""
        return ADVERTISING if self.is_advertising else SETTINGS

    def sent(self, now: int) -> bytes:
        """The query as it is sent at a time."""
        return self.packet if self.signature is None else self.signature.apply(self.packet, now)

    def __str__(self) -> str:
        return self.title


def cases(*names: str) -> list[Case]:
    found: list[Case] = []
    for name in names:
        for line in (HERE / name).read_text().splitlines():
            verb, _, rest = line.partition(" ")
            if verb == "CASE":
                found.append(Case(rest))
            elif verb and verb != ";":
                _read(found[-1], verb, rest)
    return found


def pairs(*names: str) -> list[tuple[str, Case]]:
    """Every case with each transport it is about."""
    return [(transport, case) for case in cases(*names) for transport in case.transports]


def _read(case: Case, verb: str, rest: str) -> None:
    if verb == "QUERY":
        query(case, rest.split())
    elif verb == "REPLY":
        case.rcode, *case.marks = rest.split()
    elif verb == "RAW":
        case.packet = octets(rest)
    elif verb in {"REPLY-HEX", "REPLY-START", "SILENCE"}:
        case.raw = verb, octets(rest)
    elif verb == "STATE":
        case.state = rest
    elif verb == "ERROR":
        code, _, words = rest.partition(" ")
        case.error = int(code), words
    elif verb == "LENGTH":
        case.length = int(rest)
    elif verb.endswith("-COUNT"):
        case.counts[verb.removesuffix("-COUNT")] = int(rest)
    else:
        case.records.setdefault(verb, set()).add(canonical(rest))


def octets(text: str) -> bytes:
    """Octets of a hexadecimal line; {web} is a question, {63} that many letters."""
    text = re.sub(r"\{(\d+)\}", lambda m: "61" * int(m.group(1)), text.replace("{web}", WEB.hex()))
    return bytes.fromhex(text)


def canonical(text: str) -> str:
    """Write a record the way dnspython does, whatever way it was typed."""
    owner, ttl, rclass, rtype, *data = text.split(" ", 4)
    return dns.rrset.from_text(owner, int(ttl), rclass, rtype, *data).to_text()


def query(case: Case, words: list[str]) -> None:
    """Put a query into a case, from the words of its row."""
    case.words = tuple(words)
    name, rtype, *rest = words
    rclass = _CLASSES[rest.pop(0)] if rest and rest[0] in _CLASSES else 1
    flags = sum(_FLAGS.get(word, 0) for word in rest)
    flags |= sum(int(word[7:], 16) for word in rest if word.startswith("flags0="))
    case.transports = tuple(word for word in rest if word in {"udp", "tcp"}) or case.transports
    opt = _opt(rest)
    case.size = int.from_bytes(opt[3:5]) if opt else None
    question = from_text(name) + type_from_text(rtype).to_bytes(2) + rclass.to_bytes(2)
    case.question = question = b"" if "bare" in rest else question
    header = b"\x12\x34" + flags.to_bytes(2) + bool(question).to_bytes(2) + bytes(4) + bool(opt).to_bytes(2)
    case.packet = header + question + opt
    named = dict(word.split("=", 1) for word in rest if "=" in word)
    case.signature = _signature(named) if "key" in named else None


def _signature(named: dict[str, str]) -> Signature:
    size = int(named["mac"]) if "mac" in named else None
    secret = b"another secret" if "secret" in named else SECRET
    ident = bytes.fromhex(named.get("ident", ""))
    return Signature(named["key"], named["alg"], secret, int(named.get("skew", 0)), size, ident)


def _opt(words: list[str]) -> bytes:
    named = dict(word.split("=", 1) for word in words if "=" in word)
    if not {"edns", "do"}.intersection(words):
        return b""
    options = [_OPTIONS[word] for word in words if word in _OPTIONS]
    if "cookie" in named:
        options.append((10, bytes.fromhex(named["cookie"])))
    if "option" in named:
        code, _, value = named["option"].partition(":")
        options.append((int(code), bytes.fromhex(value)))
    data = b"".join(code.to_bytes(2) + len(value).to_bytes(2) + value for code, value in options)
    flags = int(named.get("flags", "0"), 16) | (0x8000 if "do" in words else 0)
    fixed = int(named.get("size", 1232)).to_bytes(2) + bytes([0, int(named.get("version", 0))]) + flags.to_bytes(2)
    return b"\0\0\x29" + fixed + len(data).to_bytes(2) + data


def judge(case: Case, sent: bytes, reply: bytes | None, transport: str) -> None:
    """Compare a reply to what was sent with what the case expects; AssertionError tells the difference."""
    if case.raw is not None:
        _judge_raw(*case.raw, reply)
        return
    assert reply is not None
    _judge_form(case, sent, reply, transport)
    message = dns.message.from_wire(reply, keyring=False)
    assert message.rcode() == dns.rcode.from_text(case.rcode)
    _judge_header(case, message)
    _judge_options(case, message)
    _judge_sections(case, message)


def _judge_raw(verb: str, expected: bytes, reply: bytes | None) -> None:
    if verb == "SILENCE":
        assert reply is None
    elif verb == "REPLY-START":
        assert reply is not None
        assert reply[: len(expected)].hex() == expected.hex()
    else:
        assert reply is not None
        assert reply.hex() == expected.hex()


def _judge_form(case: Case, sent: bytes, reply: bytes, transport: str) -> None:
    """What holds for every reply: its ID, its question, its size, and an OPT exactly where one was asked for."""
    assert reply[:2] == sent[:2]
    assert reply[2] & 0x80
    assert not reply[3] & 0x60, "Z and AD are clear"
    assert bool(reply[3] & 0x80) == (case.is_advertising and "bare" not in case.marks), "RA where it is advertised"
    if "bare" in case.marks:
        assert len(reply) == 12
        return
    assert reply[4:6] == b"\0\1"
    assert reply[12 : 12 + len(case.question)] == case.question
    read = dns.message.from_wire(reply, keyring=False)
    assert (read.opt is not None) == (case.size is not None)
    assert read.had_tsig == (case.signature is not None)
    if case.signature is not None:
        _judge_signature(case, sent, reply, read.tsig[0])
    if case.length is not None:
        assert len(reply) == case.length
    if transport == "udp":
        assert len(reply) <= (512 if case.size is None else min(max(case.size, 512), LIMIT))


def _judge_signature(case: Case, sent: bytes, reply: bytes, found: TSIG) -> None:
    """The error told, a MAC exactly where there must be one, and our time for a clock that is off."""
    named = dict(word.split("=", 1) for word in case.marks if "=" in word)
    assert int(found.error) == int(named["tsig"])
    assert bool(found.mac) == ("signed" in case.marks)
    assert "signed" not in case.marks or is_signed_well(reply, sent)
    assert len(found.other) == (6 if found.error == dns.rcode.BADTIME else 0)


def _judge_header(case: Case, message: dns.message.Message) -> None:
    shown = {word for word in ("aa", "tc", "rd", "cd") if message.flags & _FLAGS[word]}
    assert shown == {word for word in case.marks if word in _FLAGS}
    assert bool(message.ednsflags & dns.flags.DO) == ("do" in case.marks)
    assert not message.ednsflags & 0x7FFF
    assert message.edns in {-1, 0}
    assert message.edns == -1 or message.payload == LIMIT


def _judge_options(case: Case, message: dns.message.Message) -> None:
    named = dict(word.split("=", 1) for word in case.marks if "=" in word)
    assert len({int(option.otype) for option in message.options}) == len(message.options)
    options = {int(option.otype): option for option in message.options}
    if case.error is not None:
        found = options.pop(15)
        assert (int(found.code), found.text or "") == case.error
    if "nsid" in named:
        assert options.pop(3).to_wire().hex() == named["nsid"]
    if "keepalive" in named:
        assert options.pop(11).to_wire().hex() == named["keepalive"]
    if "cookie" in named:
        assert len(options.pop(10).to_wire()) == int(named["cookie"])
    assert not options


def _judge_sections(case: Case, message: dns.message.Message) -> None:
    sections = {"ANSWER": message.answer, "AUTHORITY": message.authority, "ADDITIONAL": message.additional}
    judge_sections(
        case,
        {name: [line for rrset in found for line in rrset.to_text().splitlines()] for name, found in sections.items()},
    )


def judge_sections(case: Case, sections: dict[str, list[str]]) -> None:
    """Each section holds exactly what is written; where a number is, so many records, all of them from the zone's file."""
    for name, found in sections.items():
        if name in case.counts:
            assert len(found) == case.counts[name]
            assert {f.lower() for f in found} <= stored("large.")
            continue
        expected = case.records.get(name, set())
        assert sorted(f.lower() for f in found) == sorted(e.lower() for e in expected)
        owners = {line.split(" ", 1)[0] for line in expected} if name == "ANSWER" else set()
        assert owners <= {line.split(" ", 1)[0] for line in found}
