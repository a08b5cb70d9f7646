"""What the speaker and its time-critical process tell each other: plain values, one JSON object per line, over a socketpair.

Orders go down: `Configure` first, then `Adopt` or `Amend` for each snapshot, `Ahead`, `Probe`, `Ask`, `Drain`, `Stop`. Reports
come up: what is owned where, who is alive, what the LAN objects to. The end of the speaker is the end of the stream, and the process then says
goodbye to the fleet by itself. Values that only travel are dictionaries of text and numbers; what is decided with is
rebuilt into frozen values on arrival.
"""

import json
import socket
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

from suite.l2.link import Address
from suite.speaker.heartbeat import Standing
from suite.speaker.ownership import Entry

Message = dict[str, Any]
"""One JSON object; its `kind` says which."""

MOST_UNSENT = 4 << 20
"""Bytes of reports kept for a speaker that does not read; beyond, reports are dropped and `State` is sent once it reads."""

CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Configure:
    """Who takes part; sent first, and again when nodes, keys or settings change. `addresses` include this node's own."""

    name: str
    addresses: Mapping[str, tuple[Address, ...]]
    keys: tuple[bytes, ...]
    templates: Mapping[str, str]
    """`Templates.to_text()`."""
    port: int
    interval: float = 0.25
    dead_after: float = 1.0
    rejoin_delay: float = 5.0
    excluded: str | None = None
    """Regular expression for the beginning of the names of interfaces never to announce on; None for the usual ones."""
    answers_ping: bool = False
    """Answer echo requests to owned addresses; for hosts where no device carries them."""
    bind_device: str | None = None
    """Put owned addresses on this device of the machine (needs CAP_NET_ADMIN); None to leave that to others."""
    refresh: float = 100.0
    """Seconds between two announcements of a settled owner; 0 for never."""
    probe: str = "quick"
    """How to ask the LAN for an address before it is announced: `quick`, `rfc`, or `off`."""
    watches_dhcp: bool = True
    """Hear which addresses a DHCP server of the LAN gives out."""
    is_drained: bool = False
    """Leave all addresses to others until a later `Configure` says otherwise."""

    def to_message(self) -> Message:
        return {
            "kind": "configure",
            "name": self.name,
            "addresses": {name: [str(address) for address in each] for name, each in self.addresses.items()},
            "keys": [key.hex() for key in self.keys],
            "templates": dict(self.templates),
            "port": self.port,
            "interval": self.interval,
            "dead_after": self.dead_after,
            "rejoin_delay": self.rejoin_delay,
            "excluded": self.excluded,
            "answers_ping": self.answers_ping,
            "bind_device": self.bind_device,
            "refresh": self.refresh,
            "probe": self.probe,
            "watches_dhcp": self.watches_dhcp,
            "is_drained": self.is_drained,
        }

    @classmethod
    def from_message(cls, message: Message) -> "Configure":
        values = {key: value for key, value in message.items() if key != "kind"}
        values["addresses"] = {name: tuple(map(ip_address, each)) for name, each in message["addresses"].items()}
        values["keys"] = tuple(map(bytes.fromhex, message["keys"]))
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Adopt:
    """The complete plan of a snapshot."""

    standing: Standing
    entries: tuple[Entry, ...]

    def to_message(self) -> Message:
        names = sorted({name for entry in self.entries for name in entry.order})
        numbers = {name: number for number, name in enumerate(names)}
        return {
            "kind": "adopt",
            "standing": _from_standing(self.standing),
            "names": names,
            "entries": [_from_entry(entry, numbers) for entry in self.entries],
        }

    @classmethod
    def from_message(cls, message: Message) -> "Adopt":
        names = message["names"]
        entries = tuple(_to_entry(each, names) for each in message["entries"])
        return cls(Standing(*message["standing"]), entries)


@dataclass(frozen=True, slots=True)
class Amend:
    """A part of the difference between the plan sent before and the present one; the last part makes all of them count.

    `standing` is None in every part but the last.
    """

    standing: Standing | None
    entries: tuple[Entry, ...] = ()
    gone: tuple[Address, ...] = ()

    def to_message(self) -> Message:
        message = Adopt(self.standing or Standing(0, ""), self.entries).to_message()
        gone = [str(address) for address in self.gone]
        return message | {"kind": "amend", "standing": _from_standing(self.standing), "gone": gone}

    @classmethod
    def from_message(cls, message: Message) -> "Amend":
        entries = tuple(_to_entry(each, message["names"]) for each in message["entries"])
        standing = message["standing"]
        return cls(Standing(*standing) if standing else None, entries, tuple(map(ip_address, message["gone"])))


def difference(
    before: Mapping[Address, Entry], after: Mapping[Address, Entry], standing: Standing, portion: int = 256
) -> Iterator[Amend]:
    """The amendments that turn one plan into another, in portions that neither side needs long for."""
    changed = [entry for address, entry in after.items() if before.get(address) is not entry]
    changed = [entry for entry in changed if before.get(entry.address) != entry]
    gone = [address for address in before if address not in after]
    for at in range(0, len(changed), portion):
        yield Amend(None, tuple(changed[at : at + portion]))
    for at in range(0, len(gone), portion):
        yield Amend(None, (), tuple(gone[at : at + portion]))
    yield Amend(standing)


def probe(addresses: Iterable[Address], timing: str = "quick") -> Message:
    """Ask the LAN whether anybody uses these addresses; `timing` is `quick` or `rfc`. Answered by `found` reports."""
    return {"kind": "probe", "addresses": [str(address) for address in addresses], "timing": timing}


def look_ahead(addresses: Iterable[Address]) -> Message:
    """Ask the LAN for these free addresses from time to time; answered by `found` reports. Replaces those named before."""
    return {"kind": "ahead", "addresses": [str(address) for address in addresses]}


DRAIN: Message = {"kind": "drain"}
"""Say goodbye: addresses move to their successors; answered by a `state` report when none is left."""
STOP: Message = {"kind": "stop"}
ASK: Message = {"kind": "ask"}
"""Answered by a `state` report."""


@dataclass(slots=True)
class Channel:
    """One end of the socketpair. Sending never waits and never fails; a reader that stalls costs reports, not time."""

    socket: socket.socket
    limit: int | None = MOST_UNSENT
    """Bytes kept for a reader that stalls; None for orders, of which none may be lost (plans replace each other before)."""
    dropped: int = 0
    """Messages that did not fit since the other side last caught up."""
    _incoming: bytearray = field(default_factory=bytearray)
    _unsent: bytearray = field(default_factory=bytearray)

    def __post_init__(self) -> None:
        self.socket.setblocking(False)

    def fileno(self) -> int:
        return self.socket.fileno()

    def send(self, message: Message) -> None:
        """Queue a message and send what the other side takes now."""
        line = json.dumps(message, separators=(",", ":")).encode() + b"\n"
        if self.limit is not None and len(self._unsent) + len(line) > self.limit:
            self.dropped += 1
        else:
            self._unsent += line
        self.flush()

    def flush(self) -> bool:
        """Send what is queued; whether all of it is gone."""
        try:
            while self._unsent:
                del self._unsent[: self.socket.send(self._unsent[:CHUNK])]
        except BlockingIOError:
            return False
        except OSError:
            self._unsent.clear()  # the other side is gone; reading will say so
        return True

    @property
    def is_behind(self) -> bool:
        """Whether messages wait for the other side to read."""
        return bool(self._unsent)

    def receive(self) -> Iterator[Message]:
        """Complete messages, a chunk's worth at most; call again while readable. Never waits.

        EOFError once the other side is gone.
        """
        try:
            arrived = self.socket.recv(CHUNK)
        except BlockingIOError:
            return iter(())
        except OSError:
            arrived = b""
        if not arrived:
            raise EOFError
        self._incoming += arrived
        *lines, rest = bytes(self._incoming).split(b"\n")
        self._incoming = bytearray(rest)
        return map(json.loads, lines)

    def close(self) -> None:
        self.socket.close()


def _from_standing(standing: Standing | None) -> list[Any] | None:
    return [standing.revision, standing.epoch] if standing else None


def _from_entry(entry: Entry, numbers: Mapping[str, int]) -> list[Any]:
    interfaces = {name: sorted(chosen) for name, chosen in entry.interfaces.items()}
    order = [numbers[name] for name in entry.order]
    return [str(entry.address), order, _from_standing(entry.since), interfaces, entry.any_subnet]


def _to_entry(values: list[Any], names: list[str]) -> Entry:
    text, order, since, interfaces, any_subnet = values
    return Entry(
        ip_address(text),
        tuple(names[number] for number in order),
        Standing(*since) if since else None,
        {name: frozenset(chosen) for name, chosen in interfaces.items()},
        any_subnet,
    )
