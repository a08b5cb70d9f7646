"""What one speaker does, minus the sockets: hear heartbeats, decide what it owns, say so. Pure; time is an argument.

This is the whole of the time-critical process except its system calls, so fleets can be simulated with exactly the code
that runs. The loop around it: `receive` what arrived, `turn`, do what it says, sleep until `next_timer`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from suite.speaker.heartbeat import Fault, Standing, UsableLink
from suite.speaker.membership import Membership, NodeView, Self
from suite.speaker.ownership import Address, Decision, Entry, Ownership

BREATH, BREATH_PER_ADDRESS = 0.01, 1e-5
"""Seconds between two decisions: in a storm of news, one decision takes in all that arrived meanwhile."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What to do now, in this order: greet, carry out the decision, if there is one, and only then tell others of it.

    A predecessor answers until it hears of its successor's claim, so who claims must answer already; and a greeting
    that is due does not wait for thousands of addresses to be placed.
    """

    greetings: list[tuple[str, bytes]]
    decision: Decision | None = None
    claims: list[tuple[str, bytes]] = field(default_factory=list)
    """What tells of the decision: each names a node and has the datagram for it."""

    @property
    def datagrams(self) -> list[tuple[str, bytes]]:
        """All that is sent, for fleets in which carrying out takes no time."""
        return self.greetings + self.claims


@dataclass(slots=True)
class Duty:
    """One node's membership and ownership, joined."""

    membership: Membership
    ownership: Ownership
    plan: Mapping[Address, Entry] = field(default_factory=dict)
    state: Self = field(default_factory=Self)
    _generation: int = -1
    _is_plan_new: bool = False
    _decided: float = float("-inf")

    def adopt(self, plan: Mapping[Address, Entry], standing: Standing, now: float) -> None:
        """A newer snapshot: the complete plan of addresses."""
        self.plan = plan
        self._is_plan_new = True
        self._report(replace(self.state, standing=standing), now)

    def link_up(self, links: Iterable[UsableLink], now: float) -> None:
        """The links that can announce now, all of them."""
        self._report(replace(self.state, links=tuple(links)), now)

    def drain(self, now: float, *, is_draining: bool = True) -> None:
        """Say goodbye; addresses are kept until their successors claim them. Or be there again."""
        self._report(replace(self.state, is_draining=is_draining), now)

    def receive(self, datagram: bytes, now: float) -> Fault | None:
        return self.membership.receive(datagram, now)

    def turn(self, now: float) -> Turn:
        greetings = self.membership.datagrams(now)
        if not self._is_due(now):
            return Turn(greetings)
        self._generation, self._is_plan_new, self._decided = self.membership.generation, False, now
        decision = self.ownership.decide(self.plan, self.membership.view(), now)
        self._report(replace(self.state, claims=frozenset(address.packed for address in decision.owned)), now)
        self._generation = self.membership.generation
        return Turn(greetings, decision, self.membership.datagrams(now))

    def next_timer(self) -> float:
        """When to call `turn` at the latest."""
        deadline = self.ownership.next_timer()
        moments = [self.membership.next_timer(), *([deadline] if deadline is not None else [])]
        if self._is_plan_new or self._generation != self.membership.generation:
            moments.append(self._decided + self._breath())
        return min(moments)

    def nodes(self) -> Mapping[str, NodeView]:
        """The fleet as this node sees it."""
        return self.membership.view()

    def _is_due(self, now: float) -> bool:
        deadline = self.ownership.next_timer()
        if deadline is not None and now >= deadline:
            return True
        is_news = self._is_plan_new or self._generation != self.membership.generation
        return is_news and now >= self._decided + self._breath()

    def _breath(self) -> float:
        """A decision takes some 3 microseconds per address; it may take a third of the time at most."""
        return max(BREATH, BREATH_PER_ADDRESS * len(self.plan))

    def _report(self, state: Self, now: float) -> None:
        self.state = state
        self.membership.report(state, now)
