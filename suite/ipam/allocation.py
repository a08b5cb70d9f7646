"""Choosing addresses for a Service: MetalLB's rules for which pool, our order of choice inside one.

Inside a pool: a free address (or one whose sharing group the Service belongs to, whichever comes first in the order
written; one that the network has just been asked about goes before its equals), then the address that has been cooling longest, then the one held longest for a name that has not come back.
Never one that is reserved for another, or that another machine on the network answers for.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from suite.ipam.ledger import Ledger
from suite.ipam.reservations import KeptBack, first_free
from suite.ipam.sharing import objection, share_group
from suite.model.address import Address, Range, address_of, is_buggy
from suite.model.lease import Lease, LeaseState
from suite.model.node import Namespace
from suite.model.pool import Pool
from suite.model.refusal import Reason, Refusal
from suite.model.service import FamilyPolicy, Service


@dataclass(frozen=True, slots=True)
class Pick:
    """One address for a Service, and the waiting leases of others that end because of it."""

    address: Address
    pool: Pool
    displaced: tuple[Lease, ...] = ()


@dataclass(frozen=True, slots=True)
class Terms:
    """What an allocation depends on beside the Service: pools in the order written, and what is taken or kept back."""

    pools: tuple[Pool, ...]
    ledger: Ledger
    kept_back: KeptBack
    namespace: Callable[[str], Namespace | None]
    drained: frozenset[str] = frozenset()
    proven: tuple[Address, ...] = ()
    """Free addresses, lowest first, for which nobody answered a moment ago; where none is known, the lowest free one is
    chosen, as MetalLB does."""

    def pool_of(self, address: Address) -> Pool | None:
        """The pool whose ranges hold ``address``."""
        return next((pool for pool in self.pools if any(address in span for span in pool.ranges)), None)

    def accepts(self, pool: Pool, service: Service) -> bool:
        """Whether ``pool`` is for ``service``."""
        if pool.allocation is None:
            return True
        namespace = self.namespace(service.ref.namespace)
        return pool.accepts(service.ref.namespace, namespace.labels if namespace else (), service.labels)

    def is_draining(self, pool: Pool) -> bool:
        """Whether the pool gives no new leases."""
        return pool.draining or pool.name in self.drained


Grant = tuple[Pick, ...]
"""The addresses of one Service, IPv4 first."""


def allocate(service: Service, terms: Terms, wishes: Iterable[Address] = ()) -> Grant | Refusal:
    """New addresses for a Service that has none, or why it gets none.

    ``wishes`` are addresses it should get back where that is possible (it had them before, or its status names them);
    what is reserved for its name counts as one.  They are never a reason to refuse.
    """
    refusal = cannot_ask(service, terms)
    if refusal is not None:
        return refusal
    if service.requested:
        return _requested(service, terms)
    wished = _wished(service, terms, wishes)
    if wished:
        return wished
    if service.pool:
        return _from_named_pool(service, terms)
    return _from_any_pool(service, terms)


def cannot_ask(service: Service, terms: Terms) -> Refusal | None:
    """Why nothing can be allocated whatever is free; None when something might."""
    if service.fault is not None:
        return service.fault
    if not terms.pools:
        return Refusal(Reason.NO_POOL, "no pool is configured")
    if not service.families:
        return Refusal(Reason.NO_CLUSTER_ADDRESS, "the Service has no cluster address, so its families are unknown")
    if service.family_policy is FamilyPolicy.REQUIRE_DUAL and len(service.families) < 2:
        return Refusal(
            Reason.NOT_ENOUGH_FAMILIES, "RequireDualStack, but the Service has cluster addresses of one family"
        )
    return None


def keeps(service: Service, leases: tuple[Lease, ...], terms: Terms) -> Refusal | None:
    """Why the addresses a Service has are no longer right for it; None when it keeps them (MetalLB's assign check)."""
    held: set[int] = {lease.address.version for lease in leases}
    if len(leases) != len(held) or not _families_fit(service, held):
        return Refusal(Reason.ADDRESS_FAMILY, "the families of its addresses are not those it needs")
    if service.requested and set(service.requested) != {lease.address for lease in leases}:
        return Refusal(Reason.ADDRESS_FAMILY, "it asks for other addresses than it has")
    pools = set()
    for lease in leases:
        refusal = may_have(service, lease.address, terms)
        if refusal is not None:
            return refusal
        pool = terms.pool_of(lease.address)
        pools.add(pool.name if pool else "")
    if service.pool and pools != {service.pool}:
        return Refusal(Reason.ADDRESS_IN_OTHER_POOL, f"its annotation names pool {service.pool!r}")
    return None


def second_family(service: Service, lease: Lease, terms: Terms) -> Pick | None:
    """The address of the other family for a PreferDualStack Service that has one, from the same pool only."""
    pool = terms.pool_of(lease.address)
    if pool is None or service.requested or terms.is_draining(pool):
        return None
    return _pick(service, pool, 6 if lease.address.version == 4 else 4, terms)


def may_have(service: Service, address: Address, terms: Terms) -> Refusal | None:
    """Why ``service`` may not have this very address; None when it may.

    Held and cooling leases of others are no obstacle here: whoever calls this asks for the address by name.
    """
    pool = terms.pool_of(address)
    if pool is None:
        return Refusal(Reason.ADDRESS_NOT_IN_POOL, f"{address} is in no pool")
    if pool.avoid_buggy and is_buggy(address):
        return Refusal(Reason.ADDRESS_BUGGY, f"{address} ends in .0 or .255, which pool {pool.name!r} avoids")
    is_kept, kept_for = terms.kept_back.holder(address)
    if is_kept and kept_for != service.ref:
        owner = f"reserved for {kept_for}" if kept_for else "reserved or excluded; nobody gets it"
        return Refusal(Reason.ADDRESS_RESERVED, f"{address} is {owner}")
    if not terms.accepts(pool, service):
        return Refusal(Reason.POOL_NOT_FOR_SERVICE, f"pool {pool.name!r} is not for {service.ref}")
    for lease in terms.ledger.at(address):
        if lease.state is LeaseState.DECLINED:
            return Refusal(Reason.ADDRESS_DECLINED, f"{address} is in use by another machine ({lease.note})")
        refusal = objection(service, lease) if lease.state is LeaseState.BOUND else None
        if refusal is not None:
            return refusal
    return None


def displaced_at(service: Service, address: Address, ledger: Ledger) -> tuple[Lease, ...]:
    """Held and cooling leases of others that must end when ``service`` gets ``address``."""
    return tuple(
        lease
        for lease in ledger.at(address)
        if lease.state is not LeaseState.BOUND and lease.ref != service.ref and objection(service, lease) is not None
    )


def _families_fit(service: Service, held: set[int]) -> bool:
    wanted = set(service.families)
    if held == wanted:
        return True
    return service.family_policy is FamilyPolicy.PREFER_DUAL and len(held) == 1 and held <= wanted


def _requested(service: Service, terms: Terms) -> Grant | Refusal:
    """Exactly the addresses asked for, or nothing: MetalLB never falls back from a request."""
    families = {address.version for address in service.requested}
    if families != set(service.families) or len(families) != len(service.requested):
        asked = ", ".join(map(str, service.requested))
        need = " and ".join(f"IPv{family}" for family in sorted(service.families))
        return Refusal(Reason.ADDRESS_FAMILY, f"it asks for {asked}, but needs one address each of {need}")
    picks = []
    for address in sorted(service.requested, key=lambda each: each.version):
        refusal = may_have(service, address, terms)
        if refusal is not None:
            return refusal
        picks.append(_pick_named(service, address, terms))
    names = sorted({pick.pool.name for pick in picks})
    if len(names) > 1:
        return Refusal(
            Reason.ADDRESS_IN_OTHER_POOL, f"the addresses asked for lie in different pools: {', '.join(names)}"
        )
    if service.pool and names != [service.pool]:
        return Refusal(
            Reason.ADDRESS_IN_OTHER_POOL, f"the address asked for lies in pool {names[0]!r}, not {service.pool!r}"
        )
    return tuple(picks)


def _wished(service: Service, terms: Terms, wishes: Iterable[Address]) -> Grant:
    """The first wish of each family, when together they are what the Service needs; else nothing."""
    chosen: dict[int, Pick] = {}
    for address in (*terms.kept_back.kept_for(service.ref), *wishes):
        if address.version in chosen or address.version not in service.families:
            continue
        if may_have(service, address, terms) is None and not displaced_at(service, address, terms.ledger):
            pick = _pick_named(service, address, terms)
            if not service.pool or pick.pool.name == service.pool:
                chosen[address.version] = pick
    picks = tuple(chosen[family] for family in sorted(chosen))
    if len({pick.pool.name for pick in picks}) > 1:
        picks = picks[:1]
    return picks if _families_fit(service, {pick.address.version for pick in picks}) else ()


def _pick_named(service: Service, address: Address, terms: Terms) -> Pick:
    pool = terms.pool_of(address)
    if pool is None:
        raise ValueError(f"{address} is in no pool; ask may_have first")
    return Pick(address, pool, displaced_at(service, address, terms.ledger))


def _from_named_pool(service: Service, terms: Terms) -> Grant | Refusal:
    """Only the pool its annotation names; whether the pool assigns by itself does not matter."""
    pool = next((pool for pool in terms.pools if pool.name == service.pool), None)
    if pool is None:
        return Refusal(Reason.POOL_UNKNOWN, f"its annotation names pool {service.pool!r}, which does not exist")
    if not terms.accepts(pool, service):
        return Refusal(Reason.POOL_NOT_FOR_SERVICE, f"pool {pool.name!r} is not for {service.ref}")
    if terms.is_draining(pool):
        return Refusal(Reason.POOL_DRAINING, f"pool {pool.name!r} is being drained and gives no new leases")
    return _first_grant(service, [pool], terms) or _why_exhausted(service, [pool])


def _from_any_pool(service: Service, terms: Terms) -> Grant | Refusal:
    """Pools kept for it by rank, then the general ones, each in the order written."""
    open_pools = [pool for pool in terms.pools if pool.auto_assign and not terms.is_draining(pool)]
    pinned = [pool for pool in open_pools if pool.allocation is not None and terms.accepts(pool, service)]
    pinned.sort(key=lambda pool: pool.allocation.rank if pool.allocation else 0.0)
    general = [pool for pool in open_pools if pool.allocation is None]
    if not pinned and not general:
        return Refusal(
            Reason.POOL_NOT_FOR_SERVICE, "no pool assigns addresses to it (auto-assign, serviceAllocation, drained)"
        )
    return (
        _first_grant(service, pinned, terms)
        or _first_grant(service, general, terms)
        or _why_exhausted(service, pinned + general)
    )


def _first_grant(service: Service, pools: list[Pool], terms: Terms) -> Grant:
    """Addresses from the first of ``pools`` that has what the Service needs; PreferDualStack goes round twice."""
    for families in _family_choices(service):
        for pool in pools:
            picks = [_pick(service, pool, family, terms) for family in families]
            if all(picks):
                return tuple(pick for pick in picks if pick)
    return ()


def _family_choices(service: Service) -> Iterator[tuple[int, ...]]:
    """Sets of families that satisfy the Service, the best first."""
    if len(service.families) < 2:
        yield service.families
        return
    yield (4, 6)
    if service.family_policy is FamilyPolicy.PREFER_DUAL:
        yield (service.families[0],)
        yield (service.families[1],)


def _pick(service: Service, pool: Pool, family: int, terms: Terms) -> Pick | None:
    """One address of ``family`` from ``pool`` in our order of choice."""
    spans = [span for span in pool.ranges if span.family == family]
    for span in spans:
        address = _free_or_shared(service, span, terms)
        if address is not None:
            return Pick(address, pool)
    for state in (LeaseState.COOLING, LeaseState.HELD):
        for address in terms.ledger.waiting(state, pool.name, family):
            if any(address in span for span in spans) and not terms.kept_back.holder(address)[0]:
                return Pick(address, pool, tuple(each for each in terms.ledger.at(address) if each.ref != service.ref))
    return None


def _free_or_shared(service: Service, span: Range, terms: Terms) -> Address | None:
    """The lowest address of ``span`` that is free or that the Service may share."""
    number = _proven(span, terms, first_free(span, terms.ledger.taken[span.family], terms.kept_back.pins[span.family]))
    if service.sharing_key:
        for address in terms.ledger.joinable(share_group(service), span):
            if number is not None and int(address) > number:
                break
            if may_have(service, address, terms) is None and not displaced_at(service, address, terms.ledger):
                return address
    return None if number is None else address_of(span.family, number)


def _proven(span: Range, terms: Terms, lowest: int | None) -> int | None:
    """Instead of the ``lowest`` free number of ``span``: one of which the network has just said that nobody has it."""
    for address in terms.proven:
        if address in span and lowest is not None and int(address) >= lowest:
            taken, pins = terms.ledger.taken[span.family], terms.kept_back.pins[span.family]
            if int(address) not in taken and int(address) not in pins:
                return int(address)
    return lowest


def _why_exhausted(service: Service, pools: list[Pool]) -> Refusal:
    """No address: say whether the pools are full or have no addresses of the families asked for."""
    names = ", ".join(repr(pool.name) for pool in pools)
    missing = set(service.families) - frozenset[int]().union(*(pool.families() for pool in pools))
    if missing and service.family_policy is not FamilyPolicy.PREFER_DUAL:
        families = " and ".join(f"IPv{family}" for family in sorted(missing))
        return Refusal(Reason.POOL_FAMILY, f"pool {names} has no {families} addresses")
    return Refusal(Reason.POOL_EXHAUSTED, f"pool {names} is exhausted: every address is leased, reserved or declined")
