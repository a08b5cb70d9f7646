"""One turn, decided: what the sources want and what is leased become Changes.  No clock, no database, no network.

A turn reads top down: what is due, who must leave, who may stay, who gets an address, who is refused.  It looks only at
what is different from the snapshot; ``turn(..., look_at_all=True)`` looks at everything and, right after a commit,
finds nothing to do (a property test holds it to that).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from suite.cluster.source import Batch
from suite.controller.delta import Delta, delta_of
from suite.controller.draft import Draft
from suite.controller.releases import Verdict, digest_of, judge
from suite.ipam.ahead import ahead
from suite.ipam.allocation import Terms, allocate, displaced_at, keeps, second_family
from suite.ipam.ledger import Ledger
from suite.ipam.lifecycle import Waits
from suite.ipam.reservations import KeptBack
from suite.ipam.sharing import share_group
from suite.model.address import Address
from suite.model.changes import Changes
from suite.model.configuration import Configuration
from suite.model.event import Action, Event
from suite.model.lease import Lease, LeaseState
from suite.model.refusal import Reason, Refusal, other_class
from suite.model.service import FamilyPolicy, Service, ServiceRef
from suite.model.snapshot import Snapshot

Adoptable = Mapping[ServiceRef, tuple[Address, ...]]
"""Addresses that Services are known to have had in an earlier life of the database."""


@dataclass(frozen=True, slots=True)
class Leaving:
    """A bound lease that must end: ``stays`` when its Service wants another address instead."""

    lease: Lease
    why: str
    stays: bool


class Planner:
    """Plans turns against a snapshot, with an index of its leases that follows each commit.

    After each commit tell it with :meth:`committed`; after a commit that failed, make a new one and hand it what is
    :meth:`pending`.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        adoptable: Adoptable | None = None,
        pending: Mapping[ServiceRef, Service | None] | None = None,
    ) -> None:
        self.snapshot = snapshot
        self._ledger = Ledger(snapshot=snapshot)
        self._adoptable = adoptable or {}
        self._withheld: dict[ServiceRef, Service | None] = dict(pending or {})
        self._touched: set[Address] = set()
        self._kept_back = _kept_back(snapshot, snapshot.configuration)
        self.held_back: tuple[Leaving, ...] = ()
        """The releases that the last turn withheld."""
        self.proven: tuple[Address, ...] = ()
        """Free addresses, lowest first, that nobody on the network has, as far as speakers found a moment ago."""
        self.judged: datetime | None = None
        """The time by which what waits is due, where that is not the turn's (see ``steady``)."""

    def turn(
        self, batch: Batch, now: datetime, configuration: Configuration | None = None, *, look_at_all: bool = False
    ) -> Changes:
        """What to commit so that the database says what ``batch`` and ``configuration`` want."""
        snapshot = self.snapshot
        for ref in list(self._withheld) if batch.is_full else [service.ref for service in batch.services]:
            self._withheld.pop(ref, None)  # the source speaks of it again; what it says now counts
        delta = delta_of(batch, snapshot)
        is_reconfigured = configuration is not None and configuration.digest != snapshot.configuration.digest
        if configuration is None or not is_reconfigured:
            configuration = snapshot.configuration
        else:
            self._kept_back = _kept_back(snapshot, configuration)
        turn = _Turn(self, snapshot, configuration, self._ledger, self._kept_back, delta, now)
        look_at_all = look_at_all or is_reconfigured or bool(snapshot.withheld)
        changes = turn.plan(look_at_all=look_at_all, is_reconfigured=is_reconfigured)
        self._touched = turn.draft.touched
        return changes

    def committed(self, snapshot: Snapshot) -> None:
        """The last turn's changes are in the database, which answered with ``snapshot``."""
        for address in self._touched:
            self._ledger.replace(address, snapshot.leases.get(address) or ())
        self._touched = set()
        self.snapshot = snapshot

    def followed(self, snapshot: Snapshot, addresses: Iterable[Address]) -> bool:
        """Go on from what others committed: leases on ``addresses`` and no settings; False where a new planner is needed."""
        before = self.snapshot
        if snapshot.configuration is not before.configuration or snapshot.reservations is not before.reservations:
            return False
        self._touched.update(addresses)
        self.committed(snapshot)
        return True

    def ahead(self) -> tuple[Address, ...]:
        """The free addresses that the next Services will most likely get."""
        snapshot = self.snapshot
        pools = snapshot.configuration.pools
        return ahead(Terms(pools, self._ledger, self._kept_back, snapshot.namespaces.get, snapshot.drained))

    def next_due(self) -> datetime | None:
        """When a held or cooling address goes on; None when none waits."""
        return self._ledger.next_due()

    def pending(self) -> dict[ServiceRef, Service | None]:
        """Services whose change waits because it would be part of a mass release; None where the Service is gone."""
        return self._withheld

    def adoptable(self, service: Service) -> tuple[Address, ...]:
        """Addresses the Service has had before this database knew it."""
        return (*service.status, *self._adoptable.get(service.ref, ()))


class _Turn:
    """The working of one turn."""

    def __init__(
        self,
        planner: Planner,
        snapshot: Snapshot,
        configuration: Configuration,
        ledger: Ledger,
        kept_back: KeptBack,
        delta: Delta,
        now: datetime,
    ) -> None:
        self.planner = planner
        self.snapshot = snapshot
        self.configuration = configuration
        self.delta = delta
        self.draft = Draft(ledger, Waits(configuration.hold_time, configuration.cooling_time), now)
        namespaces = {namespace.name: namespace for namespace in delta.namespaces}
        self.terms = Terms(
            configuration.pools,
            ledger,
            kept_back,
            lambda name: namespaces.get(name) or snapshot.namespaces.get(name),
            snapshot.drained,
            planner.proven,
        )
        waiting = planner.pending()
        self.wanted: dict[ServiceRef, Service | None] = {
            **waiting,
            **dict.fromkeys(delta.services_gone),
            **{service.ref: service for service in delta.services},
        }
        self.bound_before = ledger.bound_count

    def plan(self, *, look_at_all: bool, is_reconfigured: bool) -> Changes:
        """All steps in order."""
        for lease in self.draft.ledger.due(self.planner.judged or self.draft.now):
            self.draft.expire(lease)
        look_at_all = look_at_all or bool(self.delta.namespaces)
        looked_at = self._everybody() if look_at_all else dict(self.wanted)
        if is_reconfigured:
            self._follow_pools()
        leaving = [each for ref, service in looked_at.items() for each in self._leaving(ref, service)]
        verdict = judge([each.lease for each in leaving], self.bound_before, self.snapshot.confirmed)
        withheld = self._leave(leaving, verdict)
        staying = {ref: service for ref, service in looked_at.items() if service is not None and ref not in withheld}
        self._settle(staying.values())
        if self.draft.has_room:
            self._retry(staying)
        return self._changes(withheld, verdict, is_reconfigured=is_reconfigured)

    def _everybody(self) -> dict[ServiceRef, Service | None]:
        everybody: dict[ServiceRef, Service | None] = {
            ref: service for ref, service in self.snapshot.services.items() if service.wants_address
        }
        everybody.update(dict.fromkeys(ref for ref in self.draft.ledger.refs() if ref not in self.snapshot.services))
        everybody.update(self.wanted)
        return everybody

    def _follow_pools(self) -> None:
        """After a new configuration: waiting addresses that no pool holds are let go, renamed pools take theirs along."""
        for address in list(self.draft.ledger.addresses()):
            pool = self.terms.pool_of(address)
            for lease in self.draft.ledger.at(address):
                if pool is None or address not in pool:
                    if lease.state is not LeaseState.BOUND:
                        self.draft.drop(lease, "its address is in no pool any more")
                elif pool.name != lease.pool:
                    self.draft.renew(lease, "the pool that holds its address has another name", pool=pool.name)

    def _leaving(self, ref: ServiceRef, service: Service | None) -> Iterable[Leaving]:
        """Bound leases of ``ref`` that must end."""
        bound = self.draft.ledger.bound(ref)
        if not bound:
            return ()
        if service is None:
            return [Leaving(lease, "its Service is gone", stays=False) for lease in bound]
        if not service.wants_address:
            why = f"its Service is of type {service.type}"
            return [Leaving(lease, why, stays=False) for lease in bound]
        if service.load_balancer_class != self.configuration.load_balancer_class:
            why = str(other_class(service.load_balancer_class, self.configuration.load_balancer_class))
            return [Leaving(lease, why, stays=False) for lease in bound]
        refusal = service.fault or keeps(service, bound, self.terms)
        return [Leaving(lease, str(refusal), stays=True) for lease in bound] if refusal else ()

    def _leave(self, leaving: list[Leaving], verdict: Verdict) -> set[ServiceRef]:
        """Carry out the releases, or none of them; return the Services that must wait."""
        pending = self.planner.pending()
        pending.clear()
        self.planner.held_back = ()
        if not verdict.may_proceed:
            waiting = {each.lease.ref for each in leaving}
            pending.update({ref: self.wanted[ref] for ref in waiting if ref in self.wanted})
            self.planner.held_back = tuple(leaving)
            return waiting
        for each in leaving:
            if self.terms.pool_of(each.lease.address) is None:
                self.draft.say(Action.RELEASED, each.lease, each.why)
                self.draft.drop(each.lease, "its address is in no pool any more")
            elif each.stays:
                self.draft.move(each.lease, each.why)
            else:
                self.draft.release(each.lease, each.why)
        return set()

    def _settle(self, services: Iterable[Service]) -> None:
        """Bring rows of those who stay up to date, then give addresses: first to those who had one before."""
        asking = []
        for service in services:
            if not service.wants_address:
                self.draft.refuse(service.ref, None)
            elif self.draft.ledger.bound(service.ref):
                self._renew(service)
            else:
                asking.append(service)
        asking.sort(key=lambda service: not self.planner.adoptable(service))  # stable: the order of arrival otherwise
        for service in asking:
            self._ask(service)

    def _renew(self, service: Service) -> None:
        """The Service keeps its addresses: note what else has changed, and add a second family where one is preferred."""
        group = share_group(service)
        bound = self.draft.ledger.bound(service.ref)
        for lease in bound:
            if (lease.share_group, lease.ports, lease.uid) != (group, service.ports, service.uid):
                for other in displaced_at(service, lease.address, self.draft.ledger):
                    self.draft.drop(other, f"{service.ref} changed its sharing key or ports")
                self.draft.renew(lease, "its Service changed", share_group=group, ports=service.ports, uid=service.uid)
        self.draft.refuse(service.ref, None)
        self._complete(service)

    def _complete(self, service: Service) -> None:
        """Add the second family for a Service that would like both and has one."""
        bound = self.draft.ledger.bound(service.ref)
        if service.family_policy is not FamilyPolicy.PREFER_DUAL or len(bound) == len(service.families):
            return
        pick = second_family(service, bound[0], self.terms)
        if pick is not None:
            self.draft.grant(service, (pick,), Action.ALLOCATED, was_requested=False)
        elif not service.requested:
            message = f"pool {bound[0].pool!r} has no address of the other family for it; it keeps {bound[0].address}"
            self.draft.refuse(service.ref, Refusal(Reason.NO_SECOND_FAMILY, message))

    def _ask(self, service: Service) -> None:
        """Give an address or a refusal."""
        if service.load_balancer_class != self.configuration.load_balancer_class:
            mine = self.configuration.load_balancer_class
            self.draft.refuse(service.ref, other_class(service.load_balancer_class, mine))
            return
        before = self.planner.adoptable(service)
        wishes = [lease.address for lease in sorted(self.draft.ledger.of(service.ref), key=_nearness, reverse=True)]
        outcome = allocate(service, self.terms, (*wishes, *before))
        if isinstance(outcome, Refusal):
            self.draft.refuse(service.ref, outcome)
            return
        is_adopted = all(pick.address in before for pick in outcome)
        action = Action.ADOPTED if is_adopted else Action.ALLOCATED
        self.draft.grant(service, outcome, action, was_requested=bool(service.requested))
        self._complete(service)

    def _retry(self, already: Mapping[ServiceRef, Service]) -> None:
        """Addresses have become free: whoever was refused asks again."""
        for ref in sorted(self.snapshot.refusals.keys()):
            service = self.snapshot.services.get(ref)
            if service is None or ref in already or ref in self.wanted or not service.wants_address:
                continue
            if self.draft.ledger.bound(ref):
                self._renew(service)
            else:
                self._ask(service)

    def _changes(self, withheld: set[ServiceRef], verdict: Verdict, *, is_reconfigured: bool) -> Changes:
        events = self.draft.events
        if is_reconfigured:
            events.insert(0, _configured(self.configuration))
        refusals = self._refusals()
        digest = "" if verdict.may_proceed else verdict.digest
        if digest and digest != self.snapshot.withheld:
            events.append(
                Event(Action.WITHHELD, reason=f"{len(withheld)} Services would lose their addresses", after=digest)
            )
        delta = self.delta
        return Changes(
            closed=tuple(self.draft.closed),
            opened=self.draft.opened,
            services=tuple(service for ref, service in self._stored(withheld) if service is not None),
            services_gone=tuple(ref for ref, service in self._stored(withheld) if service is None),
            endpoints=delta.endpoints,
            endpoints_gone=delta.endpoints_gone,
            nodes=delta.nodes,
            nodes_gone=delta.nodes_gone,
            namespaces=delta.namespaces,
            namespaces_gone=delta.namespaces_gone,
            refusals=tuple((ref, refusal) for ref, refusal in refusals.items() if refusal is not None),
            refusals_gone=tuple(ref for ref, refusal in refusals.items() if refusal is None),
            configuration=self.configuration if is_reconfigured else None,
            withheld=digest if digest != self.snapshot.withheld else None,
            confirmed="" if self.snapshot.confirmed and verdict.may_proceed and verdict.digest else None,
            events=tuple(events),
        )

    def _stored(self, withheld: set[ServiceRef]) -> list[tuple[ServiceRef, Service | None]]:
        """Services whose row changes; a withheld one stays as it was, so that nothing follows its change yet."""
        return [
            (ref, service)
            for ref, service in self.wanted.items()
            if ref not in withheld and (service is not None or ref in self.snapshot.services)
        ]

    def _refusals(self) -> dict[ServiceRef, Refusal | None]:
        """Refusals that differ from the snapshot's; a new reason is an event, a new wording is not."""
        for ref, service in self.wanted.items():
            if service is None:
                self.draft.refused.setdefault(ref, None)
        differing: dict[ServiceRef, Refusal | None] = {}
        for ref, refusal in self.draft.refused.items():
            known = self.snapshot.refusals.get(ref)
            if refusal == known:
                continue
            differing[ref] = refusal
            if refusal is not None and (known is None or known.reason is not refusal.reason):
                self.draft.events.append(Event(Action.REFUSED, ref, reason=refusal.message, after=refusal.reason.value))
        return differing


@dataclass(frozen=True, slots=True)
class Preview:
    """A turn before it happens; ``digest`` names the releases that wait, for ``suite plan --confirm``."""

    changes: Changes
    held_back: tuple[Leaving, ...]
    digest: str


def preview(batch: Batch, snapshot: Snapshot, now: datetime, configuration: Configuration | None = None) -> Preview:
    """The turn that would follow, everything looked at."""
    planner = Planner(snapshot)
    changes = planner.turn(replace(batch, is_full=True), now, configuration, look_at_all=True)
    held_back = planner.held_back
    return Preview(changes, held_back, digest_of(each.lease for each in held_back) if held_back else "")


def _nearness(lease: Lease) -> tuple[bool, bool, datetime]:
    """How much a lease is its Service's own: what it has, then what waits for its name, then what it had last."""
    return lease.state is LeaseState.BOUND, lease.state is LeaseState.HELD, lease.valid_from


def _kept_back(snapshot: Snapshot, configuration: Configuration) -> KeptBack:
    return KeptBack((*configuration.reservations, *snapshot.reservations.values()), configuration.pools)


def _configured(configuration: Configuration) -> Event:
    pools = ", ".join(pool.name for pool in configuration.pools) or "none"
    return Event(Action.CONFIGURED, reason=f"pools: {pools}"[:200], after=configuration.digest)
