"""Which records a Service, a static host or an imported record asks for.  Pure; whether it gets them, ``plan`` decides.

<svc>.<ns>.<zone>                 A, AAAA     the Service's leases, or those of a published one's endpoints
_<port>._<proto>.<svc>.<ns>.<zone>  SRV       named ports
*.<svc>.<ns>.<zone>               A, AAAA     with the annotation ``suite/wildcard``
names it asks for                 A, AAAA     ``suite/hostname`` and external-dns' annotations
names asked for it                A, AAAA     host names of Ingresses and Gateways that it serves
<address>.in-addr.arpa, .ip6.arpa PTR         to the first name above
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import ip_address
from typing import NamedTuple, TypeAlias

from suite.dns import name, nodes, rrtype
from suite.dns.name import DomainNameError
from suite.dns.rdata import RdataError, parse_rdata
from suite.model.address import Address
from suite.model.configuration import Configuration, StaticHost, StaticRecord
from suite.model.refusal import Reason, Refusal
from suite.model.service import Endpoint, Service, ServiceRef, ServiceType
from suite.model.snapshot import Snapshot
from suite.nameserver.reverse import ReverseZones

MAX_TXT = 255
BELOW = ", below whose name it stands"
"""Why a name belongs to a Service that did not ask for it."""
OTHERS_ZONES = frozenset({"arpa", "com", "edu", "gov", "int", "invalid", "local", "mil", "net", "onion", "org"})
"""Zones of others that everybody asks for (RFC 6761, RFC 6762, RFC 7686): no name of one label hides what is in them."""
_NO_ALIAS = "does not answer without its zone too: it is an alias, and no zone has a CNAME at its name"
_NEVER_AT_APEX = frozenset({rrtype.CNAME, rrtype.DNAME, rrtype.NS, rrtype.SOA})
"""What the name of a one-name zone may have elsewhere, but not as a zone (RFC 1034 section 3.6.2)."""


class Rank(IntEnum):
    """Whose claim to a name goes first."""

    CANONICAL = 0
    """``<svc>.<ns>`` and what stands below it; what the zone itself needs."""
    CONFIGURED = 1
    """Static names: an operator wrote them."""
    OWN_NAMESPACE = 2
    """A name below the Service's own namespace; the name of the namespace itself is any other name."""
    GRANTED = 3
    """Any other name that the configuration lets it ask for."""


class Record(NamedTuple):
    """One record that somebody asks for."""

    zone: bytes
    owner: bytes
    rtype: int
    ttl: int
    rdata: bytes
    is_leased: bool = False
    rank: Rank = Rank.CANONICAL
    since: int = 0
    """The revision since which it is asked for; among equals the lower one wins."""


Note: TypeAlias = tuple[bytes, bytes, str]
"""(zone, folded owner, why it has less than one would expect)."""


class Wanted(NamedTuple):
    """What one source of names asks for, and which of its wishes are refused already."""

    records: tuple[Record, ...] = ()
    notes: tuple[Note, ...] = ()
    refusals: tuple[Refusal, ...] = ()


@dataclass(frozen=True, slots=True)
class Scheme:
    """What names are made of under one configuration."""

    configuration: Configuration
    zones: tuple[bytes, ...]
    """Forward zones, folded, the default one first."""
    pool_zones: dict[str, bytes]
    reverse: ReverseZones
    may_claim: Callable[[Iterable[str], str], bool]
    """(the name inside each zone that it lies in, namespace) -> whether the configuration grants it."""

    @property
    def ttl(self) -> int:
        """Seconds an answer may be kept, where a name says nothing else."""
        return self.configuration.dns.ttl

    def zone_of(self, pool: str) -> bytes:
        """The zone of Services with addresses from this pool."""
        return self.pool_zones.get(pool, self.zones[0])

    def above(self, owner: bytes) -> list[bytes]:
        """The forward zones that a folded name lies in or is, the longest first: in that one it stands."""
        return [each for each in name.ancestors(owner) if each in self.zones]

    def around(self, owner: bytes) -> bytes | None:
        """The nearest zone, forward or of a pool in reverse, that a folded name lies in or is; None where there is none."""
        reverse = self.reverse.origins if self.configuration.dns.reverse else ()
        return next((above for above in name.ancestors(owner) if above in self.zones or above in reverse), None)

    def place(self, text: str, zone: bytes) -> tuple[bytes, bytes]:
        """(zone, owner) of a name as people write it: inside one of our zones when it ends in one, else below ``zone``.

        Where zones of ours lie below each other, a name stands in the longest that it lies in.

        Raises:
            DomainNameError: it is no name, or it is absolute and in no zone of ours.
        """
        owner = name.from_text(text.rstrip(".") + ".")
        if self.above(owner.lower()) in ([], [owner.lower()]):
            if text.endswith("."):
                raise DomainNameError(f"{text} is in none of the zones served here")
            owner = name.from_text(text, zone)
        return self.above(owner.lower())[0], owner


def wanted_by_service(service: Service, snapshot: Snapshot, scheme: Scheme) -> Wanted:
    """Everything a Service asks for."""
    if not is_published(service):
        return Wanted()
    leases = snapshot.bound(service.ref)
    below = scheme.zone_of(leases[0].pool if leases else service.pool)
    try:
        canonical = name.from_labels([service.ref.name.encode(), service.ref.namespace.encode()])[:-1] + below
    except DomainNameError as error:
        return Wanted(refusals=(Refusal(Reason.NAME_NOT_GRANTED, f"{service.ref} makes no name: {error}"),))
    zone = scheme.above(canonical.lower())[0]
    ttl = scheme.ttl if service.ttl is None else service.ttl
    if service.type is ServiceType.EXTERNAL_NAME:
        return _external(service, canonical, ttl, snapshot, scheme)
    addresses: list[Address] = [lease.address for lease in leases]
    if not addresses and not service.wants_address:
        addresses = _published_addresses(service, snapshot)
    records = list(_addresses(zone, canonical, ttl, addresses, Rank.CANONICAL, is_leased=bool(leases)))
    if service.wildcard:
        star = b"\x01*" + canonical
        records += _addresses(zone, star, ttl, addresses, Rank.CANONICAL, is_leased=bool(leases))
    if addresses or _may_have_address(service):
        records += _services(service, zone, canonical, ttl)
    notes: list[Note] = []
    why = "" if addresses else _why_none(service, snapshot)
    if why:
        own = (canonical, b"\x01*" + canonical) if service.wildcard else (canonical,)
        records += [_reason(zone, owner, ttl, why, Rank.CANONICAL) for owner in own]
        notes += [(zone, owner.lower(), why) for owner in own]
    records += _pointers(leases_addresses=addresses if leases else [], target=canonical, ttl=ttl, scheme=scheme)
    names, refusals = _granted(service, below, snapshot, scheme)
    for place, owner, rank, since in names:
        asked = list(_addresses(place, owner, ttl, addresses, rank, is_leased=bool(leases)))
        if why:
            asked.append(_reason(place, owner, ttl, why, rank))
            notes.append((place, owner.lower(), why))
        records += [record._replace(since=since) for record in asked]
    return Wanted(tuple(records), tuple(dict.fromkeys(notes)), tuple(refusals))


def plain_name(ref: ServiceRef, zone: bytes) -> bytes:
    """The canonical name of a Service in a zone; empty where it is no name, or not in small letters."""
    first, second = ref.name.encode(), ref.namespace.encode()
    if not (0 < len(first) <= name.MAX_LABEL and 0 < len(second) <= name.MAX_LABEL):
        return b""
    owner = b"%c%b%c%b%b" % (len(first), first, len(second), second, zone)
    return owner if owner == owner.lower() and len(owner) <= name.MAX_NAME else b""


def named_above(service: Service, snapshot: Snapshot, scheme: Scheme) -> set[ServiceRef]:
    """The Services, whether there are any or not, below whose canonical names this one asks for names."""
    if not service.wished_names or not is_published(service):
        return set()
    leases = snapshot.bound(service.ref)
    zone = scheme.zone_of(leases[0].pool if leases else service.pool)
    names, _ = _hostnames(service, zone, scheme)
    return {ref for _, owner, _, _ in names for ref, _ in _above(owner, scheme)}


def is_published(service: Service) -> bool:
    """LoadBalancer and ExternalName Services have names; others when they ask for it."""
    if service.publish is not None:
        return service.publish
    return service.type in {ServiceType.LOAD_BALANCER, ServiceType.EXTERNAL_NAME}


def single_labels(service: Service) -> list[str]:
    """Names the Service asks for that have one label: each is also a zone of its own, for clients without a search list."""
    return [text for text in service.wished_names if _may_stand_alone(text.rstrip("."))]


def single_aliases(host: StaticHost, scheme: Scheme) -> list[str]:
    """Aliases of one label: written so, or directly in the first zone, where the configuration puts a bare name."""
    inside = [_inside_first(text, scheme) for text in host.aliases]
    return [text for text in inside if _may_stand_alone(text)]


def _inside_first(text: str, scheme: Scheme) -> str:
    """A name as people write it, without the first zone at its end."""
    return text.lower().removesuffix("." + name.to_text(scheme.zones[0])).rstrip(".")


def _may_stand_alone(text: str) -> bool:
    """Whether a wish makes a zone of one label that is nobody else's."""
    return bool(text) and "." not in text and text.lower() not in OTHERS_ZONES


def _never_alone(label: str, owner: bytes) -> tuple[Refusal, ...]:
    """Why a wish of one label does not answer without its zone, when that is a zone of others."""
    if label not in OTHERS_ZONES:
        return ()
    why = f"{label}. is a zone of others, so it answers as {name.to_text(owner)} alone"
    return (Refusal(Reason.NAME_NOT_GRANTED, why),)


def wanted_by_host(host: StaticHost, snapshot: Snapshot, scheme: Scheme) -> Wanted:
    """A static host and its aliases: literal addresses, or those of the Service it follows."""
    addresses = list(host.addresses)
    if host.service is not None:
        addresses += [lease.address for lease in snapshot.bound(host.service)]
    ttl = scheme.ttl if host.ttl is None else host.ttl
    why = "" if addresses else _why_nothing_followed(host.service, snapshot)
    records: list[Record] = []
    notes: list[Note] = []
    refusals: list[Refusal] = []
    for text in dict.fromkeys(
        (host.name, *host.aliases)
    ):  # its own name of one label may be an alias: then that is a zone
        try:
            zone, owner = scheme.place(text, scheme.zones[0])
        except DomainNameError as error:
            refusals.append(Refusal(Reason.NAME_NOT_GRANTED, str(error)))
            continue
        refusals += _never_alone(_inside_first(text, scheme), owner) if text in host.aliases else ()
        is_leased = host.service is not None
        records += _addresses(zone, owner, ttl, addresses, Rank.CONFIGURED, is_leased=is_leased)
        if why:
            records.append(_reason(zone, owner, ttl, why, Rank.CONFIGURED))
            notes.append((zone, owner.lower(), why))
    return Wanted(tuple(records), tuple(dict.fromkeys(notes)), tuple(refusals))


def wanted_by_record(record: StaticRecord, scheme: Scheme) -> Wanted:
    """A static record of any type; it may stand at the apex of a zone of ours, beside what the zone needs.

    In a reverse zone a value without a dot at its end lies in the first zone, as nobody calls a machine ``nas.in-addr.arpa``.
    """
    try:
        whole = name.from_text(record.name.rstrip(".") + ".")
        around = scheme.around(whole.lower())
        zone, owner = (around, whole) if around is not None else scheme.place(record.name, scheme.zones[0])
        owner = zone if owner.lower() == zone else owner
        rtype = rrtype.type_from_text(record.type)
        rdata = parse_rdata(rtype, record.value, around if around in scheme.zones else scheme.zones[0])
    except (DomainNameError, RdataError, ValueError) as error:
        return Wanted(refusals=(Refusal(Reason.NAME_NOT_GRANTED, f"{record.name} {record.type}: {error}"),))
    ttl = scheme.ttl if record.ttl is None else record.ttl
    return Wanted((Record(zone, owner, rtype, ttl, rdata, rank=Rank.CONFIGURED),))


def wanted_by_label(label: bytes, records: Iterable[Record], why: str = "") -> Wanted:
    """A name of one label as a zone of its own: the records that the name has inside other zones, moved to its apex.

    ``why`` tells why it has no address there; where another zone has one, there is nothing to tell.
    """
    apex = bytes([len(label)]) + label + name.ROOT
    moved = tuple(
        record._replace(zone=apex, owner=apex, rank=Rank.CANONICAL)
        for record in records
        if record.rtype not in _NEVER_AT_APEX
    )
    has_address = any(record.rtype in {rrtype.A, rrtype.AAAA} for record in moved)
    return Wanted(moved, ((apex, apex, why),) if why and not has_address else ())


def _addresses(
    zone: bytes, owner: bytes, ttl: int, addresses: Iterable[Address], rank: Rank, *, is_leased: bool
) -> Iterator[Record]:
    for address in addresses:
        rtype = rrtype.A if address.version == 4 else rrtype.AAAA
        yield Record(zone, owner, rtype, ttl, address.packed, is_leased, rank)


def _services(service: Service, zone: bytes, canonical: bytes, ttl: int) -> Iterator[Record]:
    """SRV of each named port (RFC 2782) whose name has room; the node port where there is no address of its own."""
    for port in service.ports:
        longest = name.MAX_NAME - len(canonical) - len(b"\0__tcp\0")
        if 0 < len(port.name.encode()) <= min(name.MAX_LABEL - 1, longest):
            owner = name.from_labels([f"_{port.name}".encode(), f"_{port.protocol.lower()}".encode()])[:-1] + canonical
            number = port.node_port if service.type is ServiceType.NODE_PORT else port.port
            yield Record(zone, owner, rrtype.SRV, ttl, nodes.SRV_HEAD + number.to_bytes(2) + canonical)


def _pointers(leases_addresses: list[Address], target: bytes, ttl: int, scheme: Scheme) -> Iterator[Record]:
    if not scheme.configuration.dns.reverse:
        return
    for address in leases_addresses:
        zone = scheme.reverse.find(address)
        if zone is not None:
            yield Record(zone.origin, zone.owner(address), rrtype.PTR, ttl, target, is_leased=True)


def _external(service: Service, canonical: bytes, ttl: int, snapshot: Snapshot, scheme: Scheme) -> Wanted:
    """ExternalName: each of its names says what stands elsewhere, and its ports lead there."""
    try:
        rtype, rdata = _elsewhere(service.external_name)
    except DomainNameError as error:
        return Wanted(refusals=(Refusal(Reason.NAME_NOT_GRANTED, f"externalName of {service.ref}: {error}"),))
    zone, is_alias = scheme.above(canonical.lower())[0], rtype == rrtype.CNAME
    own = (canonical, b"\x01*" + canonical) if service.wildcard else (canonical,)
    names, refusals = _granted(service, scheme.zone_of(service.pool), snapshot, scheme)
    records = [Record(zone, owner, rtype, ttl, rdata) for owner in own]
    ports = _services(service, zone, canonical, ttl)
    if is_alias:  # no alias may be what SRV leads to
        ports = (port._replace(rdata=port.rdata.removesuffix(canonical) + rdata) for port in ports)
    records += ports
    records += [Record(at, owner, rtype, ttl, rdata, rank=rank, since=since) for at, owner, rank, since in names]
    if is_alias:
        short = {_label_zone(label) for label in single_labels(service) if len(label.encode()) <= name.MAX_LABEL}
        alone = [owner for at, owner, _, _ in names if owner.lower().removesuffix(at) + name.ROOT in short]
        refusals += [Refusal(Reason.NAME_NOT_GRANTED, f"{name.to_text(each)} {_NO_ALIAS}") for each in alone]
    return Wanted(tuple(records), (), tuple(refusals))


def _label_zone(label: str) -> bytes:
    octets = label.rstrip(".").lower().encode()
    return bytes([len(octets)]) + octets + name.ROOT


def _elsewhere(text: str) -> tuple[int, bytes]:
    """Type and content of what an ``externalName`` says: a name, or an address (kubectl lets people write one).

    Raises:
        DomainNameError: it is neither.
    """
    try:
        address = ip_address(text)
    except ValueError:
        return rrtype.CNAME, name.from_text(text.rstrip(".") + ".")
    return rrtype.A if address.version == 4 else rrtype.AAAA, address.packed


def _published_addresses(service: Service, snapshot: Snapshot) -> list[Address]:
    """A published Service without a lease: its ready endpoints when headless, else the nodes that serve it."""
    known = snapshot.endpoints.get(service.ref)
    ready: tuple[Endpoint, ...] = tuple(each for each in known.endpoints if each.is_ready) if known else ()
    if service.is_headless:
        return [ip_address(each.address) for each in ready]
    if service.type is not ServiceType.NODE_PORT:
        return []
    names = {each.node for each in ready} if known else set(snapshot.nodes.keys())
    nodes = [snapshot.nodes.get(each) for each in sorted(names)]
    return [address for node in nodes if node and not node.is_unready for address in node.addresses]


def _may_have_address(service: Service) -> bool:
    """Whether there is an address outside its cluster that it may have some time."""
    return service.type is not ServiceType.CLUSTER_IP or service.is_headless


def _why_none(service: Service, snapshot: Snapshot) -> str:
    refusal = snapshot.refusals.get(service.ref)
    if refusal is not None:
        return refusal.message
    if not _may_have_address(service):
        return "a ClusterIP is an address inside its cluster alone; make the Service headless, a NodePort or a LoadBalancer"
    return "its address is on its way" if service.wants_address else "nothing serves it now"


def _why_nothing_followed(ref: ServiceRef | None, snapshot: Snapshot) -> str:
    """Why a static host without an address of its own has none from the Service that it follows."""
    service = None if ref is None else snapshot.services.get(ref)
    if service is None:
        return "the configuration gives it none" if ref is None else f"there is no Service {ref}"
    return _why_none(service, snapshot) if service.wants_address else f"{ref} asks for no address of its own"


def _hostnames(
    service: Service, zone: bytes, scheme: Scheme
) -> tuple[list[tuple[bytes, bytes, Rank, int]], list[Refusal]]:
    """(zone, owner, rank, since which revision) of each name it may ask for, and why it may not ask for the others."""
    granted: list[tuple[bytes, bytes, Rank, int]] = []
    refused: list[Refusal] = []
    for text in dict.fromkeys(service.hostnames):
        try:
            place, owner = scheme.place(text, zone)
        except DomainNameError as error:
            refused.append(Refusal(Reason.NAME_NOT_GRANTED, f"{text!r}: {error}"))
            continue
        rank = _rank(owner, service.ref.namespace, scheme)
        if rank is not None:
            granted.append((place, owner, rank, service.asks_since(text)))
            refused += _never_alone(text.rstrip(".").lower(), owner)
        else:
            refused.append(
                Refusal(Reason.NAME_NOT_GRANTED, f"no grant in dns.claims lets {service.ref} claim {text!r}")
            )
    return [*granted, *_routed(service, zone, scheme, refused)], refused


def _granted(
    service: Service, zone: bytes, snapshot: Snapshot, scheme: Scheme
) -> tuple[list[tuple[bytes, bytes, Rank, int]], list[Refusal]]:
    """Those of its names that no stranger's Service stands above, and why it may not have the others."""
    names, refused = _hostnames(service, zone, scheme)
    free, taken = _free(names, service, snapshot, scheme)
    return free, [*refused, *taken]


def _routed(
    service: Service, zone: bytes, scheme: Scheme, refused: list[Refusal]
) -> Iterator[tuple[bytes, bytes, Rank, int]]:
    """The same of the names that Ingresses and routes ask for; one that lies in none of our zones is not meant for us."""
    for asked in service.routed:
        try:
            place, owner = scheme.place(asked.text, zone)
        except DomainNameError:
            continue
        rank = _rank(owner, asked.namespace, scheme)
        if rank is not None:
            yield place, owner, rank, service.asks_since(asked.text)
        else:
            who = f"{asked.kind} {asked.namespace}/{asked.name}"
            refused.append(Refusal(Reason.NAME_NOT_GRANTED, f"no grant in dns.claims lets {who} claim {asked.text!r}"))


def _free(
    names: list[tuple[bytes, bytes, Rank, int]], service: Service, snapshot: Snapshot, scheme: Scheme
) -> tuple[list[tuple[bytes, bytes, Rank, int]], list[Refusal]]:
    """Those of ``names`` that stand below no name of a stranger's Service, and whose the others are."""
    free: list[tuple[bytes, bytes, Rank, int]] = []
    taken: list[Refusal] = []
    own = {service.ref.namespace, *(asked.namespace for asked in service.routed)}
    for each in names:
        _, owner, rank, _ = each  # in zones below each other a namespace's own names may stand below those of another
        others = (
            (ref, zone)
            for ref, zone in _above(owner, scheme)
            if ref != service.ref and not (rank is Rank.OWN_NAMESPACE and ref.namespace in own)
        )
        holder = next((ref for ref, zone in others if _is_named(ref, zone, snapshot, scheme)), None)
        if holder is None:
            free.append(each)
        else:
            whose = f"service {holder.namespace}/{holder.name}{BELOW}"
            taken.append(Refusal(Reason.NAME_TAKEN, f"{name.to_text(owner.lower())} belongs to {whose}"))
    return free, taken


def _above(owner: bytes, scheme: Scheme) -> list[tuple[ServiceRef, bytes]]:
    """The Services, each with its zone, that would have canonical names above ``owner``, should there be any."""
    found: list[tuple[ServiceRef, bytes]] = []
    for zone in scheme.above(owner.lower()):
        labels = list(name.labels(owner.lower()[: len(owner) - len(zone)] + name.ROOT))
        if len(labels) > 2:
            first, namespace = (each.decode(errors="replace") for each in labels[-2:])
            found.append((ServiceRef(namespace, first), zone))
    return found


def _is_named(ref: ServiceRef, zone: bytes, snapshot: Snapshot, scheme: Scheme) -> bool:
    """Whether there is such a Service with its canonical name in this zone."""
    service = snapshot.services.get(ref)
    if service is None or not is_published(service):
        return False
    leases = snapshot.bound(ref)
    return scheme.zone_of(leases[0].pool if leases else service.pool) == zone


def _rank(owner: bytes, namespace: str, scheme: Scheme) -> Rank | None:
    """How good a claim from ``namespace`` is to a name; None where the configuration does not grant it.

    It is judged by what stands before each zone of ours that it lies in: below each it may be a name that is never granted.
    """
    above, label = scheme.above(owner.lower()), name.from_labels([namespace.encode()])[:-1].lower()
    if any(owner.lower() != label + zone and name.is_below(owner.lower(), label + zone) for zone in above):
        return Rank.OWN_NAMESPACE
    inside = [name.to_text(owner[: -len(zone)] + name.ROOT).rstrip(".").lower() for zone in above]
    return Rank.GRANTED if scheme.may_claim(inside, namespace) else None


def _reason(zone: bytes, owner: bytes, ttl: int, why: str, rank: Rank) -> Record:
    """Why a name has no address, for who reads no extended errors."""
    return Record(zone, owner, rrtype.TXT, ttl, _text(f"no address: {why}"), rank=rank)


def _text(text: str) -> bytes:
    octets = text.encode()[:MAX_TXT]
    return bytes([len(octets)]) + octets
