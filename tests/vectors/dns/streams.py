"""Reads and plays the steps of streams.vec: one TCP connection, to the pure core or to a running server."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass, field
from typing import Protocol

import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
import dns.tsig
from script import HERE, octets
from served_zones import stored
from signing import SECRET, Signature

from suite.dns.conversation import Conversation
from suite.dns.fastpath import Compiled

MESSAGE_SIZE = 16_384
KEYRING = {dns.name.from_text("hmac-sha256."): dns.tsig.Key("hmac-sha256.", SECRET, "hmac-sha256")}


@dataclass
class Script:
    """A case: its title and its steps, each a verb with its words."""

    title: str
    steps: list[tuple[str, str]] = field(default_factory=list)

    def __str__(self) -> str:
        return self.title


class Talk(Protocol):
    """One end of a connection."""

    def send(self, octets: bytes) -> None: ...
    def end(self) -> None: ...
    def receive(self) -> bytes | None: ...


class Unplugged:
    """The server's end as octets in and octets out, no socket between."""

    def __init__(self, compiled: Compiled, client: bytes) -> None:
        self._conversation = Conversation(compiled.converse, client, lambda: 0.0)
        self._said = bytearray()
        self._is_ended = False

    def send(self, octets: bytes) -> None:
        self._conversation.feed(octets)
        self._said += self._conversation.turn()
        while self._conversation.is_unfinished:
            self._said += self._conversation.turn()

    def end(self) -> None:
        self._is_ended = True

    def receive(self) -> bytes | None:
        if not self._said:
            assert self._is_ended or self._conversation.is_broken, "nothing comes, and the connection stays open"
            return None
        end = 2 + int.from_bytes(self._said[:2])
        message = bytes(self._said[2:end])
        del self._said[:end]
        return message


class Plugged:
    """A socket to a running server."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # a single octet is a segment
        self._sock, self._file = sock, sock.makefile("rb")

    def send(self, octets: bytes) -> None:
        self._sock.sendall(octets)

    def end(self) -> None:
        self._sock.shutdown(socket.SHUT_WR)

    def receive(self) -> bytes | None:
        head = self._file.read(2)
        return self._file.read(int.from_bytes(head)) if head else None


def scripts() -> list[Script]:
    """The cases of streams.vec."""
    found: list[Script] = []
    for line in (HERE / "streams.vec").read_text().splitlines():
        verb, _, rest = line.partition(" ")
        if verb == "CASE":
            found.append(Script(rest))
        elif verb and verb != ";":
            found[-1].steps.append((verb, rest))
    return found


def play(script: Script, talk: Talk) -> None:
    """Do what the steps say; AssertionError where the server does something else."""
    player = _Player(talk)
    for verb, rest in script.steps:
        player.step(verb, rest.split(" ") if verb != "RECORD" else [rest])
    player.finish()


class _Player:
    """What was asked, and what came that nobody has looked at yet."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        self._asked: dict[int, bytes] = {}
        self._unsent = b""
        self._early: list[bytes] = []
        self._records: list[str] = []

    def step(self, verb: str, words: list[str]) -> None:
        """One line of a case."""
        if verb in {"ASK", "OCTETS", "DRIP", "RECORD"}:
            {"ASK": self._ask, "OCTETS": self._octets, "DRIP": self._drip, "RECORD": self._record}[verb](words)
            return
        self._flush()
        checks = {"END": self._end, "ANSWERS": self._answers, "ZONE": self._zone, "REFUSAL": self._refusal}
        (checks | {"RECORDS": self._records_of, "CLOSED": self._closed})[verb](words)

    def finish(self) -> None:
        """Everything that came was expected."""
        assert not self._early
        assert not self._records

    def _ask(self, words: list[str]) -> None:
        number, owner, rtype, *rest = words
        named = dict(word.split("=", 1) for word in rest)
        query = dns.message.make_query(owner, rtype, id=int(number))
        if "serial" in named:
            soa = f"ns. host. {named['serial']} 0 0 0 0"
            query.authority.append(dns.rrset.from_text(owner, 0, "IN", "SOA", soa))
        packet = query.to_wire()
        if "key" in named:
            packet = Signature(named["key"], "hmac-sha256").apply(packet, int(time.time()))
        self._asked[int(number)] = packet
        self._unsent += len(packet).to_bytes(2) + packet

    def _octets(self, words: list[str]) -> None:
        self._unsent += octets("".join(words))

    def _drip(self, _: list[str]) -> None:
        for octet in self._unsent:
            self._talk.send(bytes([octet]))
        self._unsent = b""

    def _flush(self) -> None:
        if self._unsent:
            self._talk.send(self._unsent)
        self._unsent = b""

    def _end(self, _: list[str]) -> None:
        self._talk.end()

    def _next(self) -> bytes:
        message = self._talk.receive()
        assert message is not None
        return message

    def _take(self, ident: int) -> bytes:
        """The next message with this ID; others are kept for the steps that ask for them."""
        for message in self._early:
            if int.from_bytes(message[:2]) == ident:
                self._early.remove(message)
                return message
        while int.from_bytes((message := self._next())[:2]) != ident:
            self._early.append(message)
        return message

    def _answers(self, words: list[str]) -> None:
        found = [dns.message.from_wire(self._next()) for _ in words]
        assert sorted(message.id for message in found) == sorted(map(int, words))
        assert all(message.rcode() == dns.rcode.NOERROR and message.answer for message in found)

    def _zone(self, words: list[str]) -> None:
        ident, origin, *marks = words
        lines, sizes = self._stream(int(ident), is_signed="signed" in marks, soas=2)
        assert lines[0] == lines[-1]
        assert sorted(line.lower() for line in lines[:-1]) == sorted(stored(origin))
        assert (len(sizes) > 1) == ("several" in marks)
        assert all(MESSAGE_SIZE - 1_500 < size <= MESSAGE_SIZE + 120 for size in sizes[:-1])

    def _records_of(self, words: list[str]) -> None:
        """What comes until the SOA that it began with has come for the last time: the records that are told next."""
        first, sizes = self._stream(int(words[0]), is_signed=False, soas=0)
        assert len(sizes) == 1
        self._records = first

    def _record(self, words: list[str]) -> None:
        assert self._records.pop(0) == words[0]

    def _stream(self, ident: int, *, is_signed: bool, soas: int) -> tuple[list[str], list[int]]:
        """Lines and sizes of the messages of a transfer: one, or as many as it takes to see so many SOA records."""
        lines: list[str] = []
        sizes: list[int] = []
        context, mac = None, dns.message.from_wire(self._asked[ident], keyring=False).mac
        while not sizes or sum(" IN SOA " in line for line in lines) < soas:
            message = self._take(ident)
            read = dns.message.from_wire(
                message, keyring=KEYRING, request_mac=mac, multi=True, tsig_ctx=context, xfr=True, one_rr_per_rrset=True
            )
            assert read.had_tsig == is_signed
            assert read.flags & dns.flags.AA
            context = read.tsig_ctx
            lines += [rrset.to_text() for rrset in read.answer]
            sizes.append(len(message))
        return lines, sizes

    def _refusal(self, words: list[str]) -> None:
        ident, rcode, *marks = words
        read = dns.message.from_wire(self._take(int(ident)), keyring=False)
        assert (read.rcode(), read.answer) == (dns.rcode.from_text(rcode), [])
        assert [f"tsig={int(read.tsig[0].error)}" for _ in range(read.had_tsig)] == marks

    def _closed(self, _: list[str]) -> None:
        assert self._talk.receive() is None
