"""dig as a second judge: a row of the vector files as dig's command line, and what dig prints of the answer against the row.

One process of dig asks everything that one server is asked, so that all rows cost a second or two. dig prints the query too (+qr): its
size must be that of the row's own packet, so no row is judged by another question than its own.
"""

from __future__ import annotations

import base64
import re
import subprocess
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING

import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
from script import LIMIT, Case, canonical, judge_sections, query
from served_zones import stored
from signing import SECRET

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from streams import Script

LOOPBACK = {4: "127.0.0.1", 6: "::1"}
_HEADER = re.compile(
    r";; ->>HEADER<<- opcode: \S+, status: (\S+), id: 4660\n"
    r";; flags:([^;]*); QUERY: (\d+), ANSWER: (\d+), AUTHORITY: (\d+), ADDITIONAL: (\d+)\n"
)
_SECTION = re.compile(r"^;; (\w+) (?:PSEUDO)?SECTION:\n((?:(?!;; ).+\n)*)", re.MULTILINE)
_TAIL = re.compile(r";; SERVER: (\S+)#(\d+)\(\S+\) \((\w+)\)\n.*\n;; MSG SIZE  rcvd: (\d+)\n")
_TSIG = re.compile(r" 300 (\d+)(?: \S+)* 4660 ([A-Z]+) 0\s*$")
_SPACE = re.compile(r"\s+")
_BITS = {"aa": 0x0400, "tc": 0x0200, "rd": 0x0100, "ra": 0x0080, "z": 0x0040, "ad": 0x0020, "cd": 0x0010}
_OPCODES = 0x7800
_CLASSES = {1: "IN", 3: "CH", 4: "HS", 255: "CLASS255"}
_COOKIE = 10
_CLIENT_COOKIE = 16
"""Digits of a client's half of a cookie."""


class UnsendableError(Exception):
    """dig cannot send what the row sends; the words say why."""


def rows(pairs: Iterable[tuple[str, Case]]) -> tuple[list[tuple[str, Case]], dict[str, set[str]]]:
    """The rows that dig can send, each with a transport and in words; and the titles of all others by the reason."""
    sent: list[tuple[str, Case]] = []
    others: dict[str, set[str]] = {}
    for transport, case in pairs:
        try:
            sent.append((transport, sendable(case)))
        except UnsendableError as why:
            others.setdefault(str(why), set()).add(case.title)
    return sent, others


def copies(scripts: Iterable[Script]) -> tuple[list[Script], dict[str, set[str]]]:
    """The scripts that are one transfer, which dig can ask for; and the titles of all others by the reason."""
    sent: list[Script] = []
    others: dict[str, set[str]] = {}
    for script in scripts:
        try:
            transferable(script)
            sent.append(script)
        except UnsendableError as why:
            others.setdefault(str(why), set()).add(script.title)
    return sent, others


@dataclass(frozen=True)
class Printed:
    """What dig prints of one question and of its answer."""

    asked_size: int
    status: str
    flags: frozenset[str]
    counts: tuple[int, ...]
    sections: Mapping[str, list[str]]
    """The lines of each section, without the mark of a comment."""
    server: tuple[str, str]
    """Address and transport."""
    size: int
    text: str

    @property
    def notes(self) -> dict[str, str]:
        """The lines of the OPT record, by what stands before the colon."""
        return dict(line.split(": ", 1) for line in self.sections.get("OPT", ()))


def sendable(case: Case) -> Case:
    """The case in words, also one that is written in octets; UnsendableError where dig cannot send it."""
    if case.raw is not None:
        return _in_words(case)
    named = _named(case)
    if case.words[1] in {"AXFR", "IXFR"}:
        raise UnsendableError("a transfer over UDP")
    if int(named.get("flags0", "0"), 16) & 0xF:
        raise UnsendableError("an rcode in a query")
    for word, why in (("skew", "a clock that is off"), ("ident", "an ID changed behind the signature")):
        if word in named:
            raise UnsendableError(why)
    return case


def _in_words(case: Case) -> Case:
    """The words that make these very octets, and the reply in words."""
    verb, told = case.raw or ("", b"")
    if verb == "SILENCE":
        raise UnsendableError("what must not be answered")
    spoken = replace(case, raw=None)
    try:
        query(spoken, _words_of(case.packet))
    except (dns.exception.DNSException, ValueError):
        raise UnsendableError("octets that are no message") from None
    if spoken.packet != case.packet:
        raise UnsendableError("octets that are no message")
    spoken.rcode = dns.rcode.to_text(dns.rcode.Rcode(told[3] & 0xF))
    spoken.marks = [word for word in ("aa", "tc", "rd", "cd") if int.from_bytes(told[2:4]) & _BITS[word]]
    spoken.marks += ["bare"] if len(told) == 12 else []
    spoken.marks += ["cookie=24"] if "cookie" in _named(spoken) else []
    return spoken


def _words_of(packet: bytes) -> list[str]:
    message = dns.message.from_wire(packet[:2] + bytes(2) + packet[4:])  # as a query: an UPDATE has other rules
    flags, asked = f"flags0={packet[2:4].hex()}", message.question
    words = [str(asked[0].name), f"TYPE{int(asked[0].rdtype)}", flags] if asked else [".", "A", flags, "bare"]
    if message.edns >= 0:
        words += ["edns", f"size={message.payload}"]
    return words + [f"cookie={option.to_wire().hex()}" for option in message.options if option.otype == _COOKIE]


def _named(case: Case) -> dict[str, str]:
    return dict(word.split("=", 1) for word in case.words if "=" in word)


def arguments(case: Case, transport: str, version: int) -> list[str]:
    """What dig is told for one question. The name and everything else about it come first: dig takes options for the latest name."""
    named, words = _named(case), set(case.words[2:])
    flags = int(named.get("flags0", "0"), 16) | sum(_BITS[word] for word in words & set(_BITS))
    rclass = int.from_bytes(case.question[-2:]) if case.question else 1
    return [
        *("-q", case.words[0], "-c", _CLASSES[rclass], "-t", case.words[1], f"@{LOOPBACK[version]}"),
        *("+qr", "+tries=1", "+timeout=5", "+ignore", "+qid=4660", f"+opcode={(flags & _OPCODES) >> 11}"),
        *(f"+{'' if flags & bit else 'no'}{word}flag" for word, bit in _BITS.items()),
        "+tcp" if transport == "tcp" else "+notcp",
        "+noheader-only" if case.question else "+header-only",
        *(["+noedns", "+nocookie"] if case.size is None else _edns(named, words)),
    ]


def _edns(named: Mapping[str, str], words: set[str]) -> list[str]:
    told = [f"+edns={named.get('version', 0)}", "+noednsnegotiation", f"+bufsize={named.get('size', 1232)}"]
    told += ["+dnssec" if "do" in words else "+nodnssec", f"+ednsflags=0x{named.get('flags', '0')}"]
    told += [f"+{word}" for word in ("nsid", "keepalive") if word in words]
    cookie = named.get("cookie", "")
    told += [f"+cookie={cookie}"] if len(cookie) == _CLIENT_COOKIE else ["+nocookie"]
    told += [f"+ednsopt=10:{cookie}"] if len(cookie) not in {0, _CLIENT_COOKIE} else []
    return told + ([f"+ednsopt={named['option'].rstrip(':')}"] if "option" in named else [])


def dig(port: int, version: int, cases: Iterable[tuple[str, Case]]) -> list[Printed]:
    """What dig prints of each case, asked over its transport; AssertionError when it gives up."""
    printed: dict[int, Printed] = {}
    numbered = sorted(enumerate(cases), key=lambda pair: _key(pair[1][1]))
    for key, group in groupby(numbered, key=lambda pair: _key(pair[1][1])):
        each = list(group)
        told = [word for _, (transport, case) in each for word in arguments(case, transport, version)]
        command = ["dig", "-r", "-b", LOOPBACK[version], "-p", str(port), *(["-y", key] if key else []), *told]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        found = done.stdout.split(";; Sending:\n")[1:]
        assert len(found) == len(each), done.stderr + done.stdout[-2000:]
        printed |= {number: _read(text) for (number, _), text in zip(each, found, strict=True)}
    return [printed[number] for number in sorted(printed)]


def _key(case: Case) -> str:
    """What follows -y, which holds for a whole process of dig; nothing for a query without signature."""
    if case.signature is None:
        return ""
    named = _named(case)
    bits = f"-{8 * int(named['mac'])}" if "mac" in named else ""
    return f"{named['alg'].partition('.')[0]}{bits}:{named['key']}:{base64.b64encode(case.signature.secret).decode()}"


def _read(text: str) -> Printed:
    asked, _, told = text.partition(";; Got answer:\n")
    head, tail = _HEADER.match(told), _TAIL.search(told)
    assert head, text
    assert tail, text
    size = re.search(r";; QUERY SIZE: (\d+)", asked)
    assert size, text
    sections = {
        name: [line.removeprefix("; ") for line in lines.splitlines()] for name, lines in _SECTION.findall(told)
    }
    status, flags, *counts = head.groups()
    address, _, transport, octets = tail.groups()
    where = (address, transport.lower())
    return Printed(
        int(size[1]), status, frozenset(flags.split()), tuple(map(int, counts)), sections, where, int(octets), told
    )


def judge(case: Case, printed: Printed, transport: str, version: int) -> None:
    """Compare what dig printed with what the row expects; AssertionError tells the difference."""
    is_bare = "bare" in case.marks
    assert printed.asked_size == len(case.sent(0)), "dig asked something else"
    assert printed.server == (LOOPBACK[version], transport)
    assert printed.status == case.rcode
    expected = {"qr", *(word for word in ("aa", "tc", "rd", "cd") if word in case.marks)}
    assert printed.flags == expected | ({"ra"} if case.is_advertising and not is_bare else set())
    assert case.length in {None, printed.size}
    if transport == "udp":
        assert printed.size <= (512 if case.size is None else min(max(case.size, 512), LIMIT))
    if is_bare:
        assert (printed.counts, printed.size) == ((0, 0, 0, 0), 12)
        return
    _judge_question(case, printed)
    _judge_options(case, printed)
    _judge_records(case, printed)


def _judge_question(case: Case, printed: Printed) -> None:
    """Letter case included."""
    lines = printed.sections.get("QUESTION", [])
    assert printed.counts[0] == len(lines) == bool(case.question)
    for line in lines:
        name, rclass, rtype = _SPACE.split(line.removeprefix(";"))
        kinds = (dns.rdatatype.from_text(rtype), dns.rdataclass.from_text(rclass))
        wire = dns.name.from_text(name).to_wire() + b"".join(int(kind).to_bytes(2) for kind in kinds)
        assert wire == case.question


def _judge_options(case: Case, printed: Printed) -> None:
    named = dict(word.split("=", 1) for word in case.marks if "=" in word)
    notes = printed.notes
    assert ("EDNS" in notes) == (case.size is not None)
    if case.size is not None:
        assert notes.pop("EDNS") == f"version: 0, flags:{' do' if 'do' in case.marks else ''}; udp: {LIMIT}"
    if "nsid" in named:
        assert bytes.fromhex(notes.pop("NSID").partition("(")[0]).hex() == named["nsid"]
    if "keepalive" in named:
        assert notes.pop("TCP KEEPALIVE") == f"{int(named['keepalive'], 16) / 10:.1f} secs"
    if "cookie" in named:
        cookie, _, verdict = notes.pop("COOKIE").partition(" ")
        assert (len(bytes.fromhex(cookie)), verdict) == (int(named["cookie"]), _verdict(case))
    if case.error is not None:
        number, text = re.match(r"(\d+) \([^)]*\)(?:: \((.*)\))?$", notes.pop("EDE")).groups()
        assert (int(number), text or "") == case.error
    assert not notes


def _verdict(case: Case) -> str:
    """What dig says of a cookie: it looks for its own half when it made the option itself."""
    return "(good)" if len(_named(case)["cookie"]) == _CLIENT_COOKIE else ""


def _judge_records(case: Case, printed: Printed) -> None:
    names = ("ANSWER", "AUTHORITY", "ADDITIONAL")
    found = {name: [canonical(_SPACE.sub(" ", line, 4)) for line in printed.sections.get(name, ())] for name in names}
    marks = [case.size is not None, case.signature is not None]
    assert printed.counts[1:] == (len(found["ANSWER"]), len(found["AUTHORITY"]), len(found["ADDITIONAL"]) + sum(marks))
    judge_sections(case, found)
    _judge_signature(case, printed)


def _judge_signature(case: Case, printed: Printed) -> None:
    """The error told, a MAC exactly where there must be one, and dig content with it where it knows the key."""
    lines = printed.sections.get("TSIG", [])
    assert len(lines) == (case.signature is not None)
    named = dict(word.split("=", 1) for word in case.marks if "=" in word)
    for line in lines:
        size, error = _TSIG.search(line).groups()
        assert dns.rcode.from_text(error) == int(named["tsig"])
        assert (int(size) > 0) == ("signed" in case.marks)
        assert ("could not be validated" in printed.text) == (error != "NOERROR")


@dataclass(frozen=True)
class Copied:
    """What dig prints of a transfer: every record in its order, how many messages they came in, or that it failed."""

    records: list[str]
    messages: int
    is_refused: bool
    """The server answered, with an error or a signature of somebody else."""


def transferable(script: Script) -> list[str]:
    """The words of the one transfer that a script of streams.vec is about; UnsendableError for any other."""
    asks = [rest.split() for verb, rest in script.steps if verb == "ASK"]
    if {verb for verb, _ in script.steps} - {"ASK", "ZONE", "RECORDS", "RECORD", "REFUSAL"}:
        raise UnsendableError("more than one question, waited for")
    if len(asks) != 1:
        raise UnsendableError("two transfers at once")
    if asks[0][2] == "IXFR" and not any(word.startswith("serial=") for word in asks[0]):
        raise UnsendableError("IXFR without a serial")
    return asks[0][1:]


def copy(port: int, version: int, script: Script) -> Copied:
    """Have dig ask over TCP for the transfer that a script is about."""
    words = transferable(script)
    named = dict(word.split("=", 1) for word in words[2:])
    kind = f"IXFR={named['serial']}" if "serial" in named else words[1]
    key = ["-y", f"hmac-sha256:{named['key']}:{base64.b64encode(SECRET).decode()}"] if "key" in named else []
    told = ["-q", words[0], "-t", kind, f"@{LOOPBACK[version]}", "+tcp", "+tries=1", "+nocookie", "+noedns"]
    command = ["dig", "-r", "-b", LOOPBACK[version], "-p", str(port), *key, *told]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    lines = [line for line in done.stdout.splitlines() if line and not line.startswith(";") and "\tTSIG\t" not in line]
    count = re.search(r"\(messages (\d+), bytes \d+\)", done.stdout)
    records = [canonical(_SPACE.sub(" ", line, 4)) for line in lines]
    return Copied(records, int(count[1]) if count else 0, "Transfer failed" in done.stdout)


def judge_copy(script: Script, copied: Copied) -> None:
    """Compare a transfer with what the script expects; AssertionError tells the difference."""
    verb, rest = script.steps[1]
    words = rest.split()
    assert copied.is_refused == (verb == "REFUSAL")
    if verb == "RECORDS":
        assert copied.records == [canonical(rest) for verb, rest in script.steps if verb == "RECORD"]
    elif verb == "ZONE":
        assert copied.records[0] == copied.records[-1]
        assert sorted(line.lower() for line in copied.records[:-1]) == sorted(stored(words[1]))
        assert (copied.messages > 1) == ("several" in words)
