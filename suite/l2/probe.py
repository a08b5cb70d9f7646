"""Is an address free? Asking the LAN before using it (RFC 5227 section 2.1, RFC 4862 section 5.4). Pure.

A probe is sent a few times; whoever uses the address answers, and whoever probes for the same address at the same
time counts as a user too. Silence until the end of the last wait means the address is clean. Time and randomness are
arguments; addresses are packed bytes, so IPv4 and IPv6 differ only in their timing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from suite.l2.arp import Claim
from suite.l2.hardware import Mac

MAX_CONFLICTS = 10
RATE_LIMIT_INTERVAL = 60.0
"""After MAX_CONFLICTS taken addresses in a row, one new probe per RATE_LIMIT_INTERVAL seconds (RFC 5227 section 2.1.1)."""

MOST_AT_ONCE = 256
"""Addresses probed at the same time; more wait for their turn: a thousand new ones are known in about two seconds."""


@dataclass(frozen=True, slots=True)
class Timing:
    """How often and how slowly to ask; all in seconds."""

    count: int
    first_wait: float
    """The first probe goes out at a random moment within this time, so that machines switched on together differ."""
    shortest: float
    longest: float
    """Between probes passes a random time between the two."""
    last_wait: float
    """Silence after the last probe that makes an address clean."""


QUICK = Timing(count=3, first_wait=0.0, shortest=0.1, longest=0.15, last_wait=0.25)
"""The default. A machine that answers at all answers a LAN within milliseconds; three probes make up for lost ones."""
RFC5227 = Timing(count=3, first_wait=1.0, shortest=1.0, longest=2.0, last_wait=2.0)
RFC4862 = Timing(count=1, first_wait=1.0, shortest=1.0, longest=1.0, last_wait=1.0)


class Verdict(StrEnum):
    """What the LAN said about an address."""

    CLEAN = "clean"
    TAKEN = "taken"
    """A stranger has it: not to be used."""
    FLEET = "fleet"
    """One of our own nodes answers for it: a matter of election, not of the address."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The end of one probe; `mac` is the machine that answered, if any did."""

    address: bytes
    verdict: Verdict
    at: float
    mac: Mac | None = None


@dataclass(slots=True)
class Probe:
    """One address being asked for. `chances` are `timing.count` random numbers in [0, 1)."""

    address: bytes
    timing: Timing
    chances: Sequence[float]
    moment: float
    """When `advance` has something to do next."""
    sent: int = 0
    finding: Finding | None = None

    @classmethod
    def begin(cls, address: bytes, timing: Timing, chances: Sequence[float], now: float) -> "Probe":
        return cls(address, timing, chances, now + chances[0] * timing.first_wait)

    def advance(self, now: float) -> bool:
        """Whether to send a probe now. Late calls send late, never two at once; the last wait decides for clean."""
        if self.finding or now < self.moment:
            return False
        if self.sent == self.timing.count:
            self.finding = Finding(self.address, Verdict.CLEAN, now)
            return False
        self.sent += 1
        self.moment = now + self._wait()
        return True

    def observe(self, claim: Claim, now: float, fleet: frozenset[Mac] = frozenset()) -> None:
        """Somebody uses or probes for an address; if it is this one, the probe is decided.

        Two of our own nodes may probe for one address at the same time; neither uses it, so that proves nothing.
        """
        if self.finding or claim.address != self.address:
            return
        in_fleet = claim.mac in fleet
        if not (in_fleet and claim.is_probe):
            self.finding = Finding(self.address, Verdict.FLEET if in_fleet else Verdict.TAKEN, now, claim.mac)

    def _wait(self) -> float:
        timing = self.timing
        if self.sent == timing.count:
            return timing.last_wait
        return timing.shortest + self.chances[self.sent] * (timing.longest - timing.shortest)


@dataclass(slots=True)
class Probes:
    """All the addresses being probed on one link, and those that wait for their turn."""

    _running: dict[bytes, Probe] = field(default_factory=dict)
    _waiting: dict[bytes, tuple[Timing, tuple[float, ...]]] = field(default_factory=dict)
    _conflicts: int = 0
    _last_start: float = float("-inf")

    def ask(self, address: bytes, timing: Timing, chances: Sequence[float]) -> None:
        """Probe for an address soon; a second request while one is under way changes nothing."""
        if len(chances) != timing.count:
            raise ValueError(f"{timing.count} probes need {timing.count} random numbers, not {len(chances)}")
        if address not in self._running:
            self._waiting.setdefault(address, (timing, tuple(chances)))

    def forget(self, address: bytes) -> None:
        """The answer is not wanted any more."""
        self._running.pop(address, None)
        self._waiting.pop(address, None)

    def advance(self, now: float) -> list[bytes]:
        """The addresses to send a probe for now."""
        self._start_waiting(now)
        return [address for address, probe in self._running.items() if probe.advance(now)]

    def observe(self, claim: Claim, now: float, fleet: frozenset[Mac] = frozenset()) -> None:
        probe = self._running.get(claim.address)
        if probe is not None:
            probe.observe(claim, now, fleet)

    def findings(self) -> Iterator[Finding]:
        """The probes that are decided; each is told once."""
        for address, probe in list(self._running.items()):
            if probe.finding is not None:
                del self._running[address]
                self._count(probe.finding.verdict)
                yield probe.finding

    def next_timer(self) -> float | None:
        """When to call `advance` next."""
        moments = [probe.moment for probe in self._running.values()]
        if self._waiting and len(self._running) < MOST_AT_ONCE:
            moments.append(self._earliest_start())
        return min(moments, default=None)

    def addresses(self) -> frozenset[bytes]:
        """What must reach `observe`: the packet filter lets frames about these through."""
        return frozenset(self._running)

    def _start_waiting(self, now: float) -> None:
        while self._waiting and len(self._running) < MOST_AT_ONCE and now >= self._earliest_start():
            address = next(iter(self._waiting))
            timing, chances = self._waiting.pop(address)
            self._running[address] = Probe.begin(address, timing, chances, now)
            self._last_start = now

    def _earliest_start(self) -> float:
        return self._last_start + (RATE_LIMIT_INTERVAL if self._conflicts >= MAX_CONFLICTS else 0.0)

    def _count(self, verdict: Verdict) -> None:
        if verdict is Verdict.TAKEN:
            self._conflicts += 1
        elif verdict is Verdict.CLEAN:
            self._conflicts = 0
