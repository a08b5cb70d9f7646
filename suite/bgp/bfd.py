"""A BFD session in asynchronous mode (RFC 5880), sans-IO: packets and time in, packets and events out.

The C bit is never set: our packets share the fate of this process, and a peer must not take their absence for a
dead forwarding path while a graceful restart is under way. Echo and demand mode are not offered; a peer that asks us
to stop sending (demand, or a required interval of zero) is obeyed. `now` is seconds; intervals are milliseconds in
the profile and microseconds on the wire.
"""

from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from suite.bgp.bfd_packet import BfdState, ControlPacket, Diagnostic, decode_packet, encode_packet

SLOW_INTERVAL = 1_000_000  # microseconds; RFC 5880 section 6.8.3: not faster than this unless Up
_MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class BfdProfile:
    """Timers of a session in milliseconds, with MetalLB's names and limits; ValueError outside them.

    `passive` waits for the peer to speak first (section 6.1). `minimum_ttl` is the least TTL a multihop packet may
    arrive with (RFC 5883 section 5); 254 suits FRR, which sends 255, while BIRD sends the system's default of 64.
    """

    receive_interval: int = 300
    transmit_interval: int = 300
    detect_multiplier: int = 3
    passive: bool = False
    minimum_ttl: int = 254

    def __post_init__(self) -> None:
        if not all(10 <= interval <= 60_000 for interval in (self.receive_interval, self.transmit_interval)):
            raise ValueError("intervals are 10 to 60000 ms")
        if not 2 <= self.detect_multiplier <= 255:
            raise ValueError("the detect multiplier is 2 to 255")
        if not 1 <= self.minimum_ttl <= 254:
            raise ValueError("the minimum TTL is 1 to 254")


@dataclass(frozen=True, slots=True)
class BfdChange:
    """The session moved; `diagnostic` tells why when it fell, `remote` what the peer said last."""

    old: BfdState
    new: BfdState
    diagnostic: Diagnostic
    at: float
    remote: BfdState = BfdState.DOWN

    @property
    def is_failure(self) -> bool:
        """Whether the path died; a session that either side takes down by order says nothing about it (RFC 5882 3.2)."""
        return self.old is BfdState.UP and BfdState.ADMIN_DOWN not in {self.new, self.remote}


@dataclass(frozen=True, slots=True)
class BfdStatus:
    """A picture of a session; times are seconds, None while there is nothing to wait for.

    Counters: packets_sent, packets_received, packets_dropped, ups, downs.
    """

    state: BfdState
    remote_state: BfdState
    diagnostic: Diagnostic
    remote_diagnostic: int
    discriminator: int
    remote_discriminator: int
    transmit_time: float | None
    detection_time: float | None
    counters: Mapping[str, int]


class BfdSession:
    """One session. `discriminator` is unique on this system and not zero; `random` gives numbers from 0 to 1."""

    def __init__(self, profile: BfdProfile, discriminator: int, random: Callable[[], float]) -> None:
        if not 0 < discriminator <= 0xFFFFFFFF:
            raise ValueError("a discriminator is a 32-bit number above zero")
        self.profile = profile
        self.discriminator = discriminator
        self._random = random
        self._state = BfdState.DOWN
        self._diagnostic = Diagnostic.NONE
        self._remote: ControlPacket | None = None
        self._remote_discriminator = 0
        self._desired_tx = SLOW_INTERVAL
        self._active_tx = SLOW_INTERVAL
        self._polling = False
        self._final_due = False
        self._next_tx: float | None = None
        self._deadline: float | None = None
        self._last_heard: float | None = None
        self._events: deque[BfdChange] = deque()
        self._counters: Counter[str] = Counter()

    def start(self, now: float) -> None:
        """Begin to send, or to listen if passive; also ends `disable`."""
        if self._state is BfdState.ADMIN_DOWN:
            self._move(BfdState.DOWN, self._diagnostic, now)
        self._next_tx = None if self.profile.passive and not self._remote_discriminator else now

    def disable(self, now: float) -> None:
        """Take the session down by order; AdminDown is told for as long as the shell keeps asking (section 6.8.16)."""
        self._deadline = None
        self._move(BfdState.ADMIN_DOWN, Diagnostic.ADMINISTRATIVELY_DOWN, now)

    def receive(self, octets: bytes, now: float) -> None:
        """A packet for this session arrived, its TTL already judged; whatever it holds, this never raises."""
        packet = decode_packet(octets)
        if isinstance(packet, str):
            self._counters["packets_dropped"] += 1
            return
        self.receive_packet(packet, now)

    def receive_packet(self, packet: ControlPacket, now: float) -> None:
        """The procedure of section 6.8.6 from the choice of the session on."""
        if packet.your_discriminator not in {0, self.discriminator}:
            self._counters["packets_dropped"] += 1
            return
        self._counters["packets_received"] += 1
        self._remote = packet
        self._remote_discriminator = packet.my_discriminator
        if packet.final:
            self._end_poll()
        if self._state is not BfdState.ADMIN_DOWN:
            self._follow(packet, now)
        if self._state is not BfdState.ADMIN_DOWN:
            self._last_heard = now
            self._deadline = now + self._detection_time(packet)
        if packet.poll:
            self._final_due = True
        self._schedule(now)

    def packets_to_send(self, now: float) -> list[bytes]:
        """What is due: the answer to a poll at once, the periodic packet at its time."""
        packets = []
        if self._final_due:
            self._final_due = False
            packets.append(self._packet(final=True))
        if self._next_tx is not None and self._next_tx <= now:
            packets.append(self._packet(final=False))
            self._next_tx = now + self._jittered(self._transmit_time())
        self._counters["packets_sent"] += len(packets)
        return [encode_packet(packet) for packet in packets]

    def next_timer(self) -> float | None:
        """When `handle_timer` and `packets_to_send` must be called next."""
        times = [time for time in (self._next_tx, self._deadline) if time is not None]
        return min(times, default=None)

    def handle_timer(self, now: float) -> None:
        """Judge the detection time (section 6.8.4)."""
        if self._deadline is None or self._deadline > now:
            return
        self._deadline = None
        self._remote_discriminator = 0  # section 6.8.1: forgotten after a detection time without a packet
        self._remote = None
        if self._state in {BfdState.INIT, BfdState.UP}:
            self._move(BfdState.DOWN, Diagnostic.DETECTION_TIME_EXPIRED, now)
        if self.profile.passive:
            self._next_tx = None

    def next_event(self) -> BfdChange | None:
        """The next change to know about, None if there is none."""
        return self._events.popleft() if self._events else None

    @property
    def state(self) -> BfdState:
        """The session's own state."""
        return self._state

    def status(self) -> BfdStatus:
        """A picture for people and metrics."""
        remote = self._remote
        return BfdStatus(
            state=self._state,
            remote_state=remote.state if remote else BfdState.DOWN,
            diagnostic=self._diagnostic,
            remote_diagnostic=remote.diagnostic if remote else 0,
            discriminator=self.discriminator,
            remote_discriminator=self._remote_discriminator,
            transmit_time=self._transmit_time() if self._next_tx is not None else None,
            detection_time=self._detection_time(remote) if remote else None,
            counters=dict(self._counters),
        )

    def _follow(self, packet: ControlPacket, now: float) -> None:
        """The state machine of section 6.8.6."""
        state, theirs = self._state, packet.state
        if theirs is BfdState.ADMIN_DOWN:
            if state is not BfdState.DOWN:
                self._move(BfdState.DOWN, Diagnostic.NEIGHBOR_SIGNALED_DOWN, now)
        elif state is BfdState.DOWN:
            if theirs is BfdState.DOWN:
                self._move(BfdState.INIT, self._diagnostic, now)
            elif theirs is BfdState.INIT:
                self._move(BfdState.UP, Diagnostic.NONE, now)
        elif state is BfdState.INIT:
            if theirs in {BfdState.INIT, BfdState.UP}:
                self._move(BfdState.UP, Diagnostic.NONE, now)
        elif theirs is BfdState.DOWN:
            self._move(BfdState.DOWN, Diagnostic.NEIGHBOR_SIGNALED_DOWN, now)

    def _move(self, state: BfdState, diagnostic: Diagnostic, now: float) -> None:
        """Change state; entering or leaving Up changes the interval, which Up announces by a poll (section 6.8.3)."""
        old, self._state, self._diagnostic = self._state, state, diagnostic
        if old is state:
            return
        if state is BfdState.UP:
            self._counters["ups"] += 1
            self._desired_tx = self.profile.transmit_interval * 1000
            self._polling = self._desired_tx != SLOW_INTERVAL
            # A shorter interval may be used at once, a longer one only when the poll is answered.
            self._active_tx = min(self._desired_tx, SLOW_INTERVAL)
        else:
            self._counters["downs"] += old is BfdState.UP
            self._desired_tx = self._active_tx = SLOW_INTERVAL
            self._polling = False
        remote = self._remote.state if self._remote else BfdState.DOWN
        self._events.append(BfdChange(old, state, diagnostic, now, remote))
        self._next_tx = now  # tell the peer at once

    def _end_poll(self) -> None:
        self._polling = False
        self._active_tx = self._desired_tx

    def _transmit_time(self) -> float:
        """Seconds between packets: the slower of what we want and what the peer takes (section 6.8.7)."""
        required = self._remote.required_min_rx if self._remote else 0
        return max(self._active_tx, required) / _MICROSECONDS

    def _detection_time(self, packet: ControlPacket) -> float:
        """Seconds without a packet until the path is dead (section 6.8.4, asynchronous mode)."""
        interval = max(self.profile.receive_interval * 1000, packet.desired_min_tx)
        return packet.multiplier * interval / _MICROSECONDS

    def _jittered(self, seconds: float) -> float:
        """Section 6.8.7: 75 to 100 % of the interval, at most 90 % if one lost packet is already too many."""
        most = 0.9 if self.profile.detect_multiplier == 1 else 1.0
        return seconds * (0.75 + (most - 0.75) * self._random())

    def _schedule(self, now: float) -> None:
        """Start or stop the periodic packets as the peer wishes (section 6.8.7); never later than agreed."""
        remote = self._remote
        is_quiet = remote is not None and (remote.required_min_rx == 0 or self._obeys_demand(remote))
        if is_quiet:
            self._next_tx = None
            return
        latest = now + self._transmit_time()
        self._next_tx = latest if self._next_tx is None else min(self._next_tx, latest)

    def _obeys_demand(self, remote: ControlPacket) -> bool:
        return remote.demand and self._state is BfdState.UP and remote.state is BfdState.UP and not self._polling

    def _packet(self, *, final: bool) -> ControlPacket:
        return ControlPacket(
            state=self._state,
            multiplier=self.profile.detect_multiplier,
            my_discriminator=self.discriminator,
            your_discriminator=self._remote_discriminator,
            desired_min_tx=self._desired_tx,
            required_min_rx=self.profile.receive_interval * 1000,
            diagnostic=self._diagnostic,
            poll=self._polling and not final,
            final=final,
        )
