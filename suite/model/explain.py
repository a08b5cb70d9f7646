"""Why a Service can be reached, or where the chain from its wish to an answer breaks.

One pure function over a snapshot, so that the command line, the API, Events and metrics say the same.  What only a
running suite knows (who announces, what is answered) comes in as :class:`Live`; without it those links are *unknown*.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from enum import StrEnum

from suite.model.address import Address
from suite.model.advertisement import BgpAdvertisement, L2Advertisement
from suite.model.layer2 import Owner
from suite.model.lease import Lease, LeaseState
from suite.model.node import Node, standing_by
from suite.model.pool import Pool
from suite.model.refusal import Reason, Refusal, other_class
from suite.model.selector import any_matches
from suite.model.service import Endpoints, Service, ServiceRef
from suite.model.snapshot import Snapshot

MOST_NAMED = 8
"""Nodes that are no candidates, or are preferred, and are named one by one."""
POLICY_CLUSTER = "where its pods run does not count (externalTrafficPolicy: Cluster)"


class Verdict(StrEnum):
    """Whether a link of the chain holds."""

    OK = "ok"
    BROKEN = "broken"
    UNKNOWN = "unknown"
    """Nothing speaks against it, and nothing here can tell."""


@dataclass(frozen=True, slots=True)
class Link:
    """One link of the chain, in a sentence; ``reason`` where it breaks."""

    stage: str
    verdict: Verdict
    text: str
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Live:
    """What a running suite adds to a snapshot."""

    announced: Mapping[Address, tuple[str, ...]] = field(default_factory=dict)
    """For each address the places it is announced from: ``node1 (layer2, eth0)``."""
    silent: Mapping[Address, Refusal] = field(default_factory=dict)
    """Why an address is announced by nobody, as far as this suite knows."""
    owner: Callable[[Address], Owner | None] = lambda _address: None
    """Who announces an address by layer 2, and why; None where that is not known."""
    answers: Mapping[str, tuple[Address, ...]] | None = None
    """Addresses that are answered now, by fully qualified name; None when no server of this suite answers."""
    refused_names: Mapping[ServiceRef, tuple[Refusal, ...]] = field(default_factory=dict)
    """Names that Services asked for and did not get."""
    told: Mapping[Address, tuple[str, ...]] = field(default_factory=dict)
    """Where addresses are announced from by other processes that live, as these told the database."""
    nameservers: tuple[str, ...] = ()
    """Nodes whose nameservers, elsewhere, are ready and act on this revision or a later one, as they told."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """The chain of one Service, from its wish to the answer."""

    ref: ServiceRef
    links: tuple[Link, ...]

    @property
    def broken(self) -> Link | None:
        """The first link that breaks."""
        return next((link for link in self.links if link.verdict is Verdict.BROKEN), None)

    @property
    def verdict(self) -> Verdict:
        """Broken when any link is, else unknown when any is."""
        verdicts = {link.verdict for link in self.links}
        return next((each for each in (Verdict.BROKEN, Verdict.UNKNOWN) if each in verdicts), Verdict.OK)


@dataclass(frozen=True, slots=True)
class _View:
    """What each link looks at."""

    snapshot: Snapshot
    service: Service
    leases: tuple[Lease, ...]
    live: Live | None


def explain(snapshot: Snapshot, ref: ServiceRef, live: Live | None = None) -> Explanation:
    """The chain from the Service ``ref`` to its answer; links that need an address end with the one that found none."""
    service = snapshot.services.get(ref)
    if service is None:
        return Explanation(ref, (_missing(snapshot, ref),))
    view = _View(snapshot, service, snapshot.bound(ref), live)
    links = [Link("service", Verdict.OK, _described(service))]
    for stage in (_wish, _pools, _address):
        links.append(stage(view))
        if links[-1].verdict is Verdict.BROKEN:
            return Explanation(ref, tuple(links))
    links += [_endpoints(view), _announcement(view), *_ping(view), _name(view), _answer(view)]
    return Explanation(ref, tuple(links))


def names_of(snapshot: Snapshot, service: Service, pool: Pool | None = None) -> tuple[str, ...]:
    """The fully qualified names that lead to a Service: its own, and those it asks for; none when it is not published."""
    zones = snapshot.configuration.dns.zones
    if service.publish is False or not zones:
        return ()
    zone = (pool.zone if pool and pool.zone else zones[0]).rstrip(".") + "."
    own = f"{service.ref.name}.{service.ref.namespace}.{zone}"
    every = (*zones, zone)
    return tuple(dict.fromkeys((own, *(_whole(text, zone, every).lower() for text in service.wished_names))))


def _whole(text: str, zone: str, zones: tuple[str, ...]) -> str:
    """A name as people write it, whole: as it is where it ends in a zone of ours, else below ``zone``."""
    whole = text.rstrip(".") + "."
    is_inside = any(whole.lower().endswith("." + each.rstrip(".").lower() + ".") for each in zones)
    return whole if is_inside or text.endswith(".") else f"{text}.{zone}"


def selects_pool(advertisement: L2Advertisement | BgpAdvertisement, pool: Pool) -> bool:
    """Whether it is for that pool: named, or selected by label; without either, every pool is meant (MetalLB's rule)."""
    if not advertisement.pools and not advertisement.pool_selectors:
        return True
    return pool.name in advertisement.pools or any(
        selector.matches(pool.labels) for selector in advertisement.pool_selectors
    )


def _missing(snapshot: Snapshot, ref: ServiceRef) -> Link:
    waiting = [lease for lease in snapshot.holdings.get(ref) or () if lease.state is LeaseState.HELD]
    text = f"no Service {ref} is known"
    if waiting:
        text += f"; {', '.join(str(lease.address) for lease in waiting)} is held for its return"
    close = get_close_matches(str(ref), map(str, snapshot.services.keys()), n=1)
    if close and not waiting:
        text += f"; there is {close[0]}"
    return Link("service", Verdict.BROKEN, text)


def _described(service: Service) -> str:
    ports = ", ".join(map(str, service.ports)) or "no ports"
    families = " and ".join(f"IPv{family}" for family in service.families) or "no cluster address"
    return f"{service.ref} is of type {service.type}, {families}, {ports}"


def _wish(view: _View) -> Link:
    service, mine = view.service, view.snapshot.configuration.load_balancer_class
    if not service.wants_address:
        return Link("wish", Verdict.BROKEN, f"it wants no address: its type is {service.type}, not LoadBalancer")
    if service.fault is not None:
        return Link("wish", Verdict.BROKEN, service.fault.message, service.fault.reason)
    if service.load_balancer_class != mine:
        refusal = other_class(service.load_balancer_class, mine)
        return Link("wish", Verdict.BROKEN, refusal.message, refusal.reason)
    wishes = [f"the address {' and '.join(map(str, service.requested))}"] if service.requested else []
    wishes += [f"an address of pool {service.pool}"] if service.pool else []
    wishes += [f"one that it may share as {service.sharing_key!r}"] if service.sharing_key else []
    return Link("wish", Verdict.OK, "it asks for " + (", ".join(wishes) or "any address"))


def _pools(view: _View) -> Link:
    snapshot, service = view.snapshot, view.service
    pools = snapshot.configuration.pools
    if not pools:
        return Link("pool", Verdict.BROKEN, "no pool is configured", Reason.NO_POOL)
    if view.leases:
        return Link("pool", Verdict.OK, f"its address is from pool {view.leases[0].pool}")
    candidates, others = [], []
    for pool in pools:
        objection = _pool_objection(snapshot, service, pool)
        if objection:
            others.append(f"{pool.name} ({objection})")
        else:
            candidates.append(pool.name)
    passed = f"; not {', '.join(others)}" if others else ""
    if candidates:
        return Link("pool", Verdict.OK, f"it may use {', '.join(candidates)}{passed}")
    refusal = snapshot.refusals.get(service.ref)
    return Link(
        "pool",
        Verdict.BROKEN,
        f"it may use no pool{passed}",
        refusal.reason if refusal else Reason.POOL_NOT_FOR_SERVICE,
    )


def _pool_objection(snapshot: Snapshot, service: Service, pool: Pool) -> str:
    """Why the pool is out of the question, in few words; empty when it is not."""
    namespace = snapshot.namespaces.get(service.ref.namespace)
    is_named = service.pool == pool.name or any(
        address in span for address in service.requested for span in pool.ranges
    )
    if (service.pool or service.requested) and not is_named:
        return "not asked for"
    if not pool.accepts(service.ref.namespace, namespace.labels if namespace else (), service.labels):
        return "not for this namespace or Service"
    if not pool.auto_assign and not is_named:
        return "only for those who ask for it"
    if pool.draining or pool.name in snapshot.drained:
        return "drained"
    if not pool.families() & set(service.families):
        return "no address of its family"
    return ""


def _address(view: _View) -> Link:
    refusal = view.snapshot.refusals.get(view.service.ref)
    if view.leases:
        since = min(lease.valid_from for lease in view.leases)
        text = f"it has {_addresses(view)} since {since:%Y-%m-%d %H:%M:%S} UTC"
        shared = sorted({str(lease.ref) for lease in _neighbours(view)})
        text += f", shared with {', '.join(shared)}" if shared else ""
        text += "".join(f"; {each.address} was declined: {each.note} answers for it" for each in _declined(view))
        return Link("address", Verdict.OK, text + (f"; but {refusal}" if refusal else ""))
    if refusal is not None:
        return Link("address", Verdict.BROKEN, refusal.message, refusal.reason)
    return Link("address", Verdict.BROKEN, "it has no address yet; the controller has not looked at it")


def _addresses(view: _View) -> str:
    return " and ".join(str(lease.address) for lease in view.leases)


def _declined(view: _View) -> list[Lease]:
    holdings = view.snapshot.holdings.get(view.service.ref) or ()
    return [lease for lease in holdings if lease.state is LeaseState.DECLINED]


def _neighbours(view: _View) -> list[Lease]:
    leases = [other for lease in view.leases for other in view.snapshot.leases.get(lease.address) or ()]
    return [lease for lease in leases if lease.ref != view.service.ref]


def _endpoints(view: _View) -> Link:
    known = view.snapshot.endpoints.get(view.service.ref)
    if known is None:
        return Link(
            "endpoints", Verdict.UNKNOWN, "nobody said who serves it (no EndpointSlice); it counts as reachable"
        )
    ready = sum(endpoint.is_ready for endpoint in known.endpoints)
    if not ready:
        return Link("endpoints", Verdict.BROKEN, _nobody_ready(view.service, known), Reason.NO_ENDPOINTS)
    unserved = known.unserved(view.service.ports)
    nowhere = "; ".join(f"no pod names the targetPort {port.target} of port {port}" for port in unserved)
    if unserved == view.service.ports and unserved:
        return Link("endpoints", Verdict.BROKEN, nowhere, Reason.NO_ENDPOINTS)
    nodes = ", ".join(sorted(known.ready_nodes() - {""}))
    text = f"{ready} of {len(known.endpoints)} are ready" + (f", on {nodes}" if nodes else "")
    return Link("endpoints", Verdict.OK, text + (f"; {nowhere}" if nowhere else ""))


def _nobody_ready(service: Service, known: Endpoints) -> str:
    if known.endpoints:
        return f"none of its {len(known.endpoints)} endpoints is ready"
    wanted = ", ".join(f"{key}={value}" for key, value in service.selector)
    if not wanted:
        return "it has no endpoints"
    # A slice lists pods with an address: that it lists none does not say that none is selected.
    why = "(none is selected, or those that are have not started)"
    return f"it has no endpoints: no pod with an address has the labels {wanted} {why}"


def _announcement(view: _View) -> Link:
    if waits_for := standing_by(view.snapshot.nodes.values()):
        return Link("announcement", Verdict.BROKEN, waits_for.message, waits_for.reason)
    if view.live is not None:
        owners = [owner for lease in view.leases if (owner := view.live.owner(lease.address)) is not None]
        places = [place for lease in view.leases for place in _places(view.live, lease.address)]
        if places:
            why = f"; {owners[0].why}{_candidacy(view)}" if owners else ""
            return Link("announcement", Verdict.OK, f"announced by {', '.join(places)}{why}{_unheard(view.live, view)}")
        if owners:
            return _owned(view, owners[0])
        for lease in view.leases:
            if refusal := view.live.silent.get(lease.address):
                return Link("announcement", Verdict.BROKEN, refusal.message, refusal.reason)
    pool = view.snapshot.configuration.pool_of(view.leases[0].address)
    fitting = _fitting(view, pool) if pool else []
    if not fitting:
        name = pool.name if pool else view.leases[0].pool
        text = f"no advertisement is for pool {name} and this Service"
        return Link("announcement", Verdict.BROKEN, text, Reason.NO_ADVERTISEMENT)
    return _announcers(view, fitting)


def _unheard(live: Live, view: _View) -> str:
    """Which of several addresses nobody announces though another is announced."""
    lacking = [lease.address for lease in view.leases if not _places(live, lease.address)]
    return "".join(f"; but {each}: {live.silent[each].message}" for each in lacking if each in live.silent)


def _places(live: Live, address: Address) -> tuple[str, ...]:
    """Where it is announced from: by this process, then by others."""
    return (*live.announced.get(address, ()), *live.told.get(address, ()))


def _owned(view: _View, owner: Owner) -> Link:
    """By layer 2, and not by the node that was asked, or not yet."""
    snapshot = view.snapshot
    if not owner.node:
        names = {each.name for each in snapshot.configuration.nodes} | {*snapshot.nodes.keys(), *snapshot.drained_nodes}
        are_drained = bool(names) and all(map(snapshot.is_drained, names))
        reason = Reason.NODE_DRAINED if are_drained else owner.reason or Reason.NO_USABLE_LINK
        return Link("announcement", Verdict.BROKEN, f"nobody announces it: {owner.why}{_candidacy(view)}", reason)
    said = f"to be announced by {owner.node} (layer2), say its heartbeats; {owner.why}{_candidacy(view)}"
    return Link("announcement", Verdict.UNKNOWN, said)


def _candidacy(view: _View) -> str:
    """Which nodes are preferred, whether the pods' nodes count, and which are none for layer 2; the drained stay in the order."""
    configuration = view.snapshot.configuration
    pool = configuration.pool_of(view.leases[0].address)
    fitting = [each for each in _fitting(view, pool) if isinstance(each, L2Advertisement)] if pool else []
    nodes = {node.name: node for node in (*configuration.nodes, *view.snapshot.nodes.values())}
    objections = {name: _node_objection(view, node, list(fitting)) for name, node in sorted(nodes.items())}
    out = {name: why for name, why in objections.items() if why is not None and why.reason is not Reason.NODE_DRAINED}
    preferred = _preferred(fitting, [node for name, node in sorted(nodes.items()) if name not in out])
    counts = (
        "its pods' nodes are candidates (externalTrafficPolicy: Local)" if view.service.is_local else POLICY_CLUSTER
    )
    said = f"; preferred: {_few(preferred)}" if preferred else ""
    return f"{said}; {counts}" + (f"; not {_few([f'{name} ({why})' for name, why in out.items()])}" if out else "")


def _preferred(advertisements: list[L2Advertisement], nodes: list[Node]) -> list[str]:
    """Nodes that stand before others in the order, with the weights that add up for them; the highest first."""
    # Those that say the same of it under two names count once (MetalLB).
    different = {replace(each, name="", pools=(), pool_selectors=()) for each in advertisements}
    sums = {
        node.name: sum(
            wish.weight
            for each in different
            if any_matches(each.node_selectors, node.labels)
            for wish in each.preferred
            if wish.selector.matches(node.labels)
        )
        for node in nodes
    }
    ordered = sorted(sums, key=lambda name: -sums[name])
    return [f"{name} (weight {sums[name]})" for name in ordered if sums[name]]


def _few(nodes: list[str]) -> str:
    """The first of many, and how many more there are."""
    more = f" and {len(nodes) - MOST_NAMED} more" if len(nodes) > MOST_NAMED else ""
    return f"{', '.join(nodes[:MOST_NAMED])}{more}"


def _fitting(view: _View, pool: Pool) -> list[L2Advertisement | BgpAdvertisement]:
    configuration = view.snapshot.configuration
    advertisements: list[L2Advertisement | BgpAdvertisement] = [
        *configuration.l2_advertisements,
        *configuration.bgp_advertisements,
    ]
    return [
        each
        for each in advertisements
        if selects_pool(each, pool) and any_matches(each.service_selectors, view.service.labels)
    ]


def _announcers(view: _View, fitting: list[L2Advertisement | BgpAdvertisement]) -> Link:
    """Which nodes may announce, from the configuration alone."""
    protocols = sorted({"layer 2" if isinstance(each, L2Advertisement) else "BGP" for each in fitting})
    how = " and ".join(protocols)
    nodes = list(view.snapshot.nodes.values())
    if not nodes:
        return Link(
            "announcement", Verdict.UNKNOWN, f"to be announced by {how}; only a running suite knows whether it is"
        )
    objections = {node.name: _node_objection(view, node, fitting) for node in nodes}
    able = sorted(name for name, objection in objections.items() if objection is None)
    if able:
        return Link("announcement", Verdict.UNKNOWN, f"to be announced by {how} from {' or '.join(able)}")
    said = {name: str(objection) for name, objection in sorted(objections.items())}
    reason = next(objection.reason for objection in objections.values() if objection is not None)
    text = "no node may announce it: " + "; ".join(f"{name}: {text}" for name, text in said.items())
    return Link("announcement", Verdict.BROKEN, text, reason)


def _node_objection(view: _View, node: Node, fitting: list[L2Advertisement | BgpAdvertisement]) -> Refusal | None:
    if view.snapshot.is_drained(node.name):
        return Refusal(Reason.NODE_DRAINED, "it is drained")
    if node.is_excluded:
        return Refusal(Reason.NODE_EXCLUDED, "labelled to be left out of load balancing")
    if node.network_unavailable:
        return Refusal(Reason.NODE_NETWORK_UNAVAILABLE, "its network is unavailable")
    if not any(any_matches(each.node_selectors, node.labels) for each in fitting):
        return Refusal(Reason.NO_ADVERTISEMENT, "no advertisement selects it")
    endpoints = view.snapshot.endpoints.get(view.service.ref)
    if view.service.is_local and endpoints is not None and node.name not in endpoints.ready_nodes():
        return Refusal(Reason.NO_LOCAL_ENDPOINTS, "no ready endpoint on it (externalTrafficPolicy: Local)")
    return None


def _name(view: _View) -> Link:
    pool = view.snapshot.configuration.pool_of(view.leases[0].address)
    names = names_of(view.snapshot, view.service, pool)
    if view.live is not None and (refusals := view.live.refused_names.get(view.service.ref)):
        return Link("name", Verdict.BROKEN, "; ".join(map(str, refusals)), refusals[0].reason)
    if names:
        return Link("name", Verdict.OK, "its names are " + ", ".join(names))
    if view.service.publish is False:
        return Link("name", Verdict.OK, "it asks not to be published in DNS")
    return Link("name", Verdict.BROKEN, "no zone is configured")


def _answer(view: _View) -> Link:
    pool = view.snapshot.configuration.pool_of(view.leases[0].address)
    names = names_of(view.snapshot, view.service, pool)
    if not names:
        return Link("answer", Verdict.OK, "no name, so no answer")
    if view.live is not None and view.live.answers is None and view.live.nameservers:
        text = (
            f"{names[0]} leads to {_addresses(view)}; the nameservers on {', '.join(view.live.nameservers)} act on it"
        )
        return Link("answer", Verdict.OK, text)
    if view.live is None or view.live.answers is None:
        text = f"{names[0]} leads to {_addresses(view)}; only a running suite knows whether it is answered"
        return Link("answer", Verdict.UNKNOWN, text)
    held = {lease.address for lease in view.leases}
    for name in names:
        answered = set(view.live.answers.get(name, ()))
        if answered != held:
            given = ", ".join(sorted(map(str, answered))) or "nothing"
            return Link("answer", Verdict.BROKEN, f"{name} is answered with {given}, not with {_addresses(view)}")
    return Link("answer", Verdict.OK, f"{', '.join(names)} is answered with {_addresses(view)}")


def _ping(view: _View) -> list[Link]:
    """What an echo request meets, for people who test with ``ping``; said only where layer 2 announces the address.

    Nothing on the owner has the address, and kube-proxy takes only the Service's ports, so that the kernel forwards the
    request into the LAN it came from, and says so: ICMP type 5, code 1 (RFC 792).
    """
    live, settings = view.live, view.snapshot.configuration.l2
    places = [place for lease in view.leases for place in (_places(live, lease.address) if live is not None else ())]
    owner = next((place.split(" ", 1)[0] for place in places if " (layer2, " in place), "")
    if not owner:
        return []
    if settings.answer_ping:
        return [Link("ping", Verdict.OK, f"the speaker of {owner} answers it (l2.answer-ping)")]
    if settings.bind_address:
        return [Link("ping", Verdict.OK, f"the kernel of {owner} answers it, for it has the address (l2.bind-address)")]
    text = (
        f'no answer, or "Redirect Host" from {owner}, is healthy: kube-proxy takes only the ports of the Service, and the kernel '
        f"of {owner} forwards the rest; try `{_trial(view)}` instead, or set l2.answer-ping"
    )
    return [Link("ping", Verdict.OK, text)]


def _trial(view: _View) -> str:
    """A command that shows whether the Service is reached."""
    address = view.leases[0].address
    port = next((port for port in view.service.ports if port.protocol == "TCP"), None)
    if port is not None:
        return f"nc -vz {address} {port.port}"
    return f"arping {address}" if address.version == 4 else f"ndisc6 {address} INTERFACE"
