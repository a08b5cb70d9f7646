"""Who is alive: authenticated heartbeats between the speakers, as a state machine without sockets or clock.

Every node sends every other one a heartbeat per interval, and believes in a node only while that node's heartbeats
acknowledge something it sent within the dead interval. So a link that carries one way counts as broken on both sides,
and a recording, however fresh its recorder, proves nothing: the numbers it acknowledges are old. There is no
wall clock in it. No controller, database or cluster is asked.

Life of a peer:  unheard -> unproven (authentic, answered at once) -> live -> silent for `dead_after` -> dead

A node that starts listens for a dead interval before it claims anything. If it hears nodes that were at work before it came,
it waits for `rejoin_delay`, doubled with each time they saw it come and go, so a flapping node does not tear the addresses
along. Nodes that start together are contemporaries: none of them waits, and each counts on the others at once.
The owner of this object moves the bytes: it calls `receive` for each datagram, sends what `datagrams` returns, and looks again
at `next_timer`. All times are seconds of one monotonic clock.
"""

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from suite.speaker.heartbeat import (
    MINOR,
    MOST_ADDRESSES,
    NO_CLAIMS,
    NO_NONCE,
    Beat,
    Body,
    Claims,
    Envelope,
    Fault,
    Standing,
    UsableLink,
    digest,
    encode,
    node_id,
    open_envelope,
    read,
    verify,
)

WINDOW = 64
"""Sequence numbers that may arrive out of order and still count, once."""

MOST_PARTS = 1024
"""Claims datagrams per list: 65,536 addresses on one node."""

PARTS_PER_BEAT = 16
"""Claims datagrams sent to one peer per interval, so that long lists do not crowd out heartbeats."""

MOST_FLAPS = 16


@dataclass(frozen=True, slots=True)
class Settings:
    """All in seconds."""

    interval: float = 0.25
    dead_after: float = 1.0
    rejoin_delay: float = 5.0
    longest_rejoin_delay: float = 300.0
    flap_memory: float = 900.0
    """A node that stayed that long is forgiven its flaps."""

    def __post_init__(self) -> None:
        if not 0 < self.interval <= self.dead_after / 2:
            raise ValueError(
                f"interval {self.interval} s must be positive and at most half of dead-after {self.dead_after} s"
            )


@dataclass(frozen=True, slots=True)
class Self:
    """What this node says of itself."""

    standing: Standing | None = None
    """None until it has a plan to act on."""
    links: tuple[UsableLink, ...] = ()
    claims: frozenset[bytes] = frozenset()
    is_draining: bool = False


@dataclass(frozen=True, slots=True)
class NodeView:
    """A node as this one sees it now; `is_live` is False for one that is not heard, whatever it said last."""

    name: str
    is_live: bool = False
    is_ready: bool = False
    is_draining: bool = False
    standing: Standing | None = None
    links: tuple[UsableLink, ...] = ()
    claims: frozenset[bytes] = frozenset()
    is_heard_out: bool = True
    """Whether `claims` is all that it claims; the list takes a moment longer to arrive than the news that there is one."""
    has_listened: bool = False
    """Whether it was up for long enough to own an address; one that has just started was not."""
    deaths: int = 0
    """How often it fell silent for the dead interval without a goodbye, since this node began to listen."""


@dataclass(slots=True)
class _Peer:
    """What is remembered of one other node."""

    name: str
    identity: bytes
    nonce: bytes = NO_NONCE
    highest: int = 0
    seen: int = 0
    heard: float = float("-inf")
    is_live: bool = False
    is_established: bool = False
    """It was ready when first heard: at work before us."""
    is_contemporary: bool = False
    """Neither it nor we were ready when first heard: it starts with us."""
    beat: Beat | None = None
    """The newest of this incarnation."""
    hello: tuple[bytes, int] = (NO_NONCE, 0)
    answered: float = float("-inf")
    sequence: int = 0
    sent: deque[tuple[int, float]] = field(default_factory=deque)
    claims: frozenset[bytes] = frozenset()
    claims_digest: bytes = NO_CLAIMS
    parts: dict[int, frozenset[bytes]] = field(default_factory=dict)
    parts_digest: bytes = NO_CLAIMS
    next_part: int = 0
    returns: deque[float] = field(default_factory=lambda: deque(maxlen=MOST_FLAPS))
    deaths: int = 0


class Membership:
    """The liveness of a fleet, seen from one node. `nonce` is eight random bytes, new at every start."""

    def __init__(
        self, name: str, nonce: bytes, now: float, settings: Settings | None = None, *, minor: int = MINOR
    ) -> None:
        self.name = name
        self.settings = settings or Settings()
        self.faults: Counter[Fault] = Counter()
        self.generation = 0
        """Rises whenever `view` would say something new."""
        self._identity, self._nonce, self._minor = node_id(name), nonce, minor
        self._keys: tuple[bytes, ...] = ()
        self._peers: dict[bytes, _Peer] = {}
        self._self = Self()
        self._claims_digest = NO_CLAIMS
        self._claims_parts: list[frozenset[bytes]] = []
        self._started = self._ticked = now
        self._equipped: float | None = None
        self._has_listened = self._is_ready = False
        self._next_beat = now
        self._next_death = float("inf")
        self._answers: dict[bytes, float] = {}
        """Peers that wait for an echo, and when they get it."""
        self._flaps = 0

    def configure(self, peers: Iterable[str], keys: Iterable[bytes]) -> None:
        """The nodes of the fleet (this one may be among them) and one or two keys; the first one signs."""
        self._keys = tuple(keys)
        if not self._keys or not all(self._keys):
            raise ValueError("heartbeats need a key that is not empty")
        wanted = {node_id(name): name for name in peers if name != self.name}
        self._peers = {
            identity: self._peers.get(identity) or _Peer(name, identity) for identity, name in wanted.items()
        }
        self._answers = {identity: at for identity, at in self._answers.items() if identity in self._peers}
        self.generation += 1

    def report(self, state: Self, now: float) -> None:
        """What this node is now. A change is told to everybody at once, not at the next interval."""
        if state == self._self:
            return
        if self._equipped is None and state.standing is not None:
            self._equipped = now
        if state.claims != self._self.claims:
            self._claims_digest = digest(state.claims)
            ordered = sorted(state.claims)
            self._claims_parts = [
                frozenset(ordered[at : at + MOST_ADDRESSES]) for at in range(0, len(ordered), MOST_ADDRESSES)
            ]
            for peer in self._peers.values():
                peer.next_part = 0
        self._self = state
        self._next_beat = now
        self.generation += 1

    def receive(self, datagram: bytes, now: float) -> Fault | None:
        """Digest a datagram; None if it was believed, else why not (also counted in `faults`)."""
        fault = self._receive(datagram, now)
        if fault is not None:
            self.faults[fault] += 1
        return fault

    def datagrams(self, now: float) -> list[tuple[str, bytes]]:
        """What to send now, as (node, datagram). Also notices who fell silent."""
        self._notice_pause(now)
        self._bury_the_silent(now)
        self._notice_milestones(now)
        if now >= self._next_beat:
            self._next_beat = now + self.settings.interval
            return [sent for peer in self._peers.values() for sent in self._beat_to(peer, now)]
        due = [self._peers[identity] for identity, moment in self._answers.items() if now >= moment]
        return [(peer.name, self._signed(peer, self._beat(peer, now), now)) for peer in due]

    def next_timer(self) -> float:
        """When to call `datagrams` again at the latest."""
        milestones = [] if self._is_ready else [self._ready_at()]
        milestones += [] if self._has_listened else [self._listened_at()]
        return min([self._next_beat, self._next_death, *self._answers.values(), *milestones])

    def rejoin_delay(self) -> float:
        """Seconds from a plan in hand to readiness: doubled for every return that a live peer remembers of us."""
        # The first return after a failure is no flapping yet.
        doubled: float = self.settings.rejoin_delay * 2.0 ** max(0, self._flaps - 1)
        return min(doubled, self.settings.longest_rejoin_delay)

    def view(self) -> Mapping[str, NodeView]:
        """Every node of the fleet, this one included, as ownership is to be decided on."""
        nodes = {peer.name: _seen(peer) for peer in self._peers.values()}
        mine = self._self
        nodes[self.name] = NodeView(
            self.name,
            is_live=self._has_listened and mine.standing is not None,
            is_ready=self._is_ready,
            is_draining=mine.is_draining,
            standing=mine.standing,
            links=mine.links,
            claims=mine.claims,
        )
        return MappingProxyType(nodes)

    def _receive(self, datagram: bytes, now: float) -> Fault | None:
        envelope = open_envelope(datagram)
        if isinstance(envelope, Fault):
            return envelope
        if envelope.sender == self._identity:
            return Fault.OWN
        if envelope.receiver != self._identity:
            return Fault.WRONG_RECEIVER
        peer = self._peers.get(envelope.sender)
        if peer is None:
            return Fault.UNKNOWN_SENDER
        if not verify(datagram, self._keys):
            return Fault.FORGED
        return self._judge(peer, envelope, datagram, now)

    def _judge(self, peer: _Peer, envelope: Envelope, datagram: bytes, now: float) -> Fault | None:
        """An authentic datagram: is it new, and does it prove that its sender hears us now?"""
        is_known = envelope.nonce == peer.nonce
        if is_known and _was_seen(peer, envelope.sequence):
            return Fault.REPLAYED
        if envelope.echo != self._nonce:
            self._plan_answer(peer, envelope, now)
            return Fault.UNPROVEN
        if not self._is_recent(peer, envelope.acknowledged, now):
            # After a cut, both sides acknowledge old numbers until one hears a newer one from the other.
            self._plan_answer(peer, envelope, now)
            return Fault.STALE
        body = read(datagram)
        if isinstance(body, Fault):
            return body
        if not is_known:
            _welcome(peer, envelope.nonce, now, self.settings.flap_memory)
        self._believe(peer, envelope, body, now)
        return None

    def _believe(self, peer: _Peer, envelope: Envelope, body: Body, now: float) -> None:
        is_newest = envelope.sequence > peer.highest
        _remember(peer, envelope.sequence)
        peer.heard = now
        if body is peer.beat and peer.is_live:
            return  # nothing but that it lives; `read` gives equal heartbeats as one object
        before = _seen(peer)
        if not peer.is_live:
            peer.is_live = True
            self._next_death = min(self._next_death, now + self.settings.dead_after)
            self._answers[peer.identity] = now  # so that both sides know within one round trip
        if isinstance(body, Beat):
            if is_newest:
                if peer.beat is None:
                    peer.is_established = body.is_ready
                    peer.is_contemporary = not body.is_ready and not self._is_ready
                peer.beat = body
                self._flaps = max(self._flaps, body.flaps)
                if body.claims == NO_CLAIMS:
                    peer.claims, peer.claims_digest = frozenset(), NO_CLAIMS
        else:
            _collect(peer, body)
        if _seen(peer) != before:
            self.generation += 1

    def _plan_answer(self, peer: _Peer, envelope: Envelope, now: float) -> None:
        """Echo an unproven sender soon; at most a few times per interval, so that replayed greetings cost little.

        A greeting never displaces what is known of a live peer: only an echo of our nonce does.
        """
        peer.hello = (envelope.nonce, envelope.sequence)
        self._answers.setdefault(peer.identity, max(now, peer.answered + self.settings.interval / 8))

    def _is_recent(self, peer: _Peer, acknowledged: int, now: float) -> bool:
        while peer.sent and peer.sent[0][1] < now - self.settings.dead_after:
            peer.sent.popleft()
        return bool(peer.sent) and peer.sent[0][0] <= acknowledged <= peer.sequence

    def _beat_to(self, peer: _Peer, now: float) -> list[tuple[str, bytes]]:
        """The heartbeat for one peer, and, if it lacks our list of claims, the next parts of that."""
        bodies: list[Body] = [self._beat(peer, now)]
        if peer.is_live and (peer.beat is None or peer.beat.known != self._claims_digest):
            bodies += self._next_claims(peer)
        return [(peer.name, self._signed(peer, body, now)) for body in bodies]

    def _next_claims(self, peer: _Peer) -> list[Claims]:
        parts = len(self._claims_parts)
        first = peer.next_part if peer.next_part < parts else 0
        peer.next_part = first + PARTS_PER_BEAT
        return [
            Claims(self._claims_digest, part, parts, self._claims_parts[part])
            for part in range(first, min(first + PARTS_PER_BEAT, parts))
        ]

    def _beat(self, peer: _Peer, now: float) -> Beat:
        return Beat(
            standing=self._self.standing,
            is_ready=self._is_ready,
            is_draining=self._self.is_draining,
            is_waiting=self._has_listened and not self._is_ready,
            flaps=sum(moment > now - self.settings.flap_memory for moment in peer.returns),
            claims=self._claims_digest,
            known=peer.claims_digest,
            links=self._self.links,
        )

    def _signed(self, peer: _Peer, body: Body, now: float) -> bytes:
        peer.sequence += 1
        peer.sent.append((peer.sequence, now))
        nonce, heard = (peer.nonce, peer.highest) if peer.is_live else peer.hello
        if self._answers.pop(peer.identity, None) is not None:
            # Greeted while the old incarnation still counts as live: the newcomer needs its echo to be believed.
            nonce, heard = peer.hello if peer.hello[0] not in {NO_NONCE, peer.nonce} else (nonce, heard)
            peer.answered = now
        envelope = Envelope(self._identity, peer.identity, self._nonce, peer.sequence, nonce, heard)
        return encode(envelope, body, self._keys[0], minor=self._minor)

    def _bury_the_silent(self, now: float) -> None:
        """`_next_death` is a lower bound: peers are heard again and again before it comes."""
        if now < self._next_death:
            return
        for peer in self._peers.values():
            if peer.is_live and now >= peer.heard + self.settings.dead_after:
                peer.is_live = False
                peer.deaths += peer.beat is None or not peer.beat.is_draining
                peer.hello = (peer.nonce, peer.highest)
                self.generation += 1
        last_signs = [peer.heard for peer in self._peers.values() if peer.is_live]
        self._next_death = min(last_signs, default=float("inf")) + self.settings.dead_after

    def _ready_at(self) -> float:
        if self._equipped is None:
            return float("inf")
        soonest = max(self._equipped, self._listened_at())
        if any(peer.is_live and peer.is_established for peer in self._peers.values()):
            return max(soonest, max(self._equipped, self._started) + self.rejoin_delay())
        return soonest

    def _listened_at(self) -> float:
        """A node that has nobody to listen to need not wait."""
        return self._started + (self.settings.dead_after if self._peers else 0.0)

    def _notice_milestones(self, now: float) -> None:
        """Time alone makes a node fit to claim, and later ready to take over; peers hear of it at once."""
        if not self._has_listened and now >= self._listened_at():
            self._has_listened = True
            self.generation += 1
        if self._has_listened and not self._is_ready and now >= self._ready_at():
            self._is_ready = True
            self._next_beat = now
            self.generation += 1

    def _notice_pause(self, now: float) -> None:
        """This process did not run for a while (stopped, or the machine slept): the others may have buried us, not we them.

        Our last heartbeat may have been an interval old when it began.
        """
        pause = now - self._ticked
        self._ticked = now
        if pause < self.settings.dead_after - self.settings.interval:
            return
        for peer in self._peers.values():
            peer.heard += pause
            peer.is_established = peer.beat is not None and peer.beat.is_ready
            peer.is_contemporary = False
        self._started = now
        self._has_listened = self._is_ready = False
        self.generation += 1


def _seen(peer: _Peer) -> NodeView:
    beat = peer.beat or Beat()
    return NodeView(
        peer.name,
        is_live=peer.is_live,
        is_ready=beat.is_ready or (peer.is_contemporary and not beat.is_waiting),
        is_draining=beat.is_draining,
        standing=beat.standing,
        links=beat.links,
        claims=peer.claims,
        is_heard_out=peer.claims_digest == beat.claims,
        has_listened=beat.is_ready or beat.is_waiting,
        deaths=peer.deaths,
    )


def _was_seen(peer: _Peer, sequence: int) -> bool:
    """RFC 4303 section 3.4.3: a window of numbers below the highest one, a bit for each."""
    behind = peer.highest - sequence
    return behind >= WINDOW or (behind >= 0 and bool(peer.seen >> behind & 1))


def _remember(peer: _Peer, sequence: int) -> None:
    ahead = sequence - peer.highest
    if ahead > 0:
        peer.seen = ((peer.seen << ahead) | 1) & ((1 << WINDOW) - 1) if ahead < WINDOW else 1
        peer.highest = sequence
    else:
        peer.seen |= 1 << -ahead


def _welcome(peer: _Peer, nonce: bytes, now: float, memory: float) -> None:
    """A new incarnation of the peer has proved itself; what the old one said is void."""
    if peer.nonce != NO_NONCE:
        peer.returns.append(now)
    while peer.returns and peer.returns[0] < now - memory:
        peer.returns.popleft()
    peer.nonce, peer.highest, peer.seen, peer.is_live = nonce, 0, 0, False
    peer.beat, peer.is_established, peer.is_contemporary = None, False, False
    peer.claims, peer.claims_digest, peer.parts, peer.parts_digest = frozenset(), NO_CLAIMS, {}, NO_CLAIMS
    peer.next_part = 0


def _collect(peer: _Peer, claims: Claims) -> None:
    """Put a list together from its parts; a new digest starts a new list."""
    if claims.parts > MOST_PARTS or claims.digest == peer.claims_digest:
        return
    if claims.digest != peer.parts_digest:
        peer.parts, peer.parts_digest = {}, claims.digest
    peer.parts[claims.part] = claims.addresses
    if len(peer.parts) == claims.parts:
        together = frozenset[bytes]().union(*peer.parts.values())
        peer.parts, peer.parts_digest = {}, NO_CLAIMS
        if digest(together) == claims.digest:
            peer.claims, peer.claims_digest = together, claims.digest
