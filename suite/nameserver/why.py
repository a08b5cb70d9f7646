"""Why a name is answered as it is, down to the rows of the database.  Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from suite.dns import name, rrtype
from suite.dns.answer import MAX_ALIASES
from suite.dns.catalogue import Zones
from suite.dns.nodes import Node
from suite.dns.zone import Zone
from suite.model.refusal import Refusal
from suite.model.reverse import is_reverse
from suite.model.service import ServiceRef
from suite.model.snapshot import Snapshot
from suite.nameserver.claims import Source
from suite.nameserver.losers import said
from suite.nameserver.plan import ZonePlanner
from suite.nameserver.records import BELOW, Rank, Record

_RANKS = {
    Rank.CANONICAL: "by its canonical name",
    Rank.CONFIGURED: "as an operator wrote it",
    Rank.OWN_NAMESPACE: "a name below its own namespace",
    Rank.GRANTED: "granted by dns.claims",
}


@dataclass(frozen=True, slots=True)
class Why:
    """One step from a name to the row it comes from; ``sql`` shows that row."""

    step: str
    text: str
    sql: str = ""


def why(snapshot: Snapshot, qname: bytes) -> tuple[Why, ...]:
    """The zone of a name, who holds it, who else asked for it, and the rows that its answer is made of; aliases are followed."""
    planner = ZonePlanner()
    refused = planner.plan(snapshot).refused
    zones = Zones.of(planner.zones.values())
    steps: list[Why] = []
    seen: set[bytes] = set()
    owner: bytes | None = qname.lower()
    while owner is not None and owner not in seen and len(seen) <= MAX_ALIASES:
        seen.add(owner)
        zone = zones.find(owner)
        if zone is None:
            outcome = "the answer ends with the alias" if steps else "REFUSED"
            return (*steps, Why("zone", f"{name.to_text(owner)} is in none of the zones served here: {outcome}"))
        asked = owner
        found, owner = _about(snapshot, planner, zone, asked)
        steps += [*found, *_denied(refused, asked)]
    return tuple(steps)


def _about(snapshot: Snapshot, planner: ZonePlanner, zone: Zone, owner: bytes) -> tuple[list[Why], bytes | None]:
    """Everything about one name, and the name that its answer leads to."""
    steps = [Why("zone", f"{name.to_text(zone.origin)} serial {zone.serial}")]
    holder, further, steps_to_it = _holder(zone, owner)
    steps += steps_to_it
    claims, has = planner.claims_on(zone.origin, holder), planner.who_has(zone.origin, holder)
    for source, record in claims:
        since = f", asked for since revision {record.since}" if record.since else ""
        verb = "holder" if source in has else "refused"
        steps.append(Why(verb, f"{said(source)}, {_rank(record)}{since}"))
    for source in (source for source, _ in claims if source in has):
        steps += _rows(snapshot, source, holder)
        further = further or _inside(planner, source)
    if left_out := planner.left_out(zone.origin, holder):
        steps.append(Why("left out", left_out))
    if text := zone.notes.get(holder):
        steps.append(Why("no address", text))
    return steps, further


def _rank(record: Record) -> str:
    """How good a claim is, in words."""
    return "which leases the address" if record.rtype == rrtype.PTR and record.is_leased else _RANKS[record.rank]


def _denied(refused: Mapping[ServiceRef, tuple[Refusal, ...]], owner: bytes) -> list[Why]:
    """Who asked for a name that stands below that of somebody's Service; of other names the claims tell."""
    said_of = f"{name.to_text(owner)} belongs to "
    return [
        Why("refused", f"service {ref}: {each.message}")
        for ref, told in sorted(refused.items())
        for each in told
        if each.message.startswith(said_of) and each.message.endswith(BELOW)
    ]


def _inside(planner: ZonePlanner, source: Source) -> bytes | None:
    """Where a name of one label says what it says as a zone of its own."""
    if source[0] != "label":
        return None
    label = source[1].encode()
    inside = (bytes([len(label)]) + label + origin for origin in sorted(planner.zones, key=len))
    return next((owner for owner in inside if planner.claims_on(owner[1 + len(label) :], owner)), None)


def _holder(zone: Zone, owner: bytes) -> tuple[bytes, bytes | None, list[Why]]:
    """The name whose records answer (itself, a wildcard or a cut above it), and the name that these lead to."""
    cut = zone.cut_above(owner)
    if cut is not None:
        return _cut(zone, owner, *cut)
    node = zone.get(owner)
    if node is not None:
        if not node.rrsets:
            return owner, None, [Why("name", "it has no records, only names below it: NODATA (RFC 8020)")]
        return owner, _target(node), []
    encloser = zone.closest_encloser(owner)
    star = b"\x01*" + encloser
    covering = zone.get(star)
    if covering is not None:
        return star, _target(covering), [Why("name", f"covered by {name.to_text(star)}")]
    nearest = f"nobody asks for it; the nearest that exists is {name.to_text(encloser)}: NXDOMAIN"
    return owner, None, [Why("name", nearest)]


def _cut(zone: Zone, owner: bytes, above: bytes, node: Node) -> tuple[bytes, bytes | None, list[Why]]:
    """A delegation refers to other servers (RFC 1034 section 4.2.1), a DNAME makes another name of it (RFC 6672)."""
    dname = node.get(rrtype.DNAME)
    if dname is None or (above != zone.origin and node.get(rrtype.NS) is not None):
        return above, None, [Why("name", f"the delegation of {name.to_text(above)} refers to other servers")]
    made = owner[: len(owner) - len(above)] + dname.rdatas[0].lower()
    if len(made) > name.MAX_NAME:
        return above, None, [Why("name", f"the DNAME of {name.to_text(above)} makes it too long: YXDOMAIN")]
    return above, made, [Why("name", f"the DNAME of {name.to_text(above)} makes it {name.to_text(made)}")]


def _target(node: Node) -> bytes | None:
    """The name that an alias leads to."""
    alias = node.get(rrtype.CNAME)
    return None if alias is None else alias.rdatas[0].lower()


def _rows(snapshot: Snapshot, source: Source, owner: bytes) -> list[Why]:
    kind, first, second = source
    if kind == "service":
        return _service_rows(snapshot, ServiceRef(first, second))
    if kind == "host":
        host = next(each for each in snapshot.configuration.dns.hosts if each.name == first)
        followed = _service_rows(snapshot, host.service) if host.service else []
        return [Why("row", f"dns.hosts of the configuration: {host.name}", _CONFIGURATION), *followed]
    if kind == "record":
        return _record_rows(snapshot, owner)
    if kind == "label":
        return [Why("row", f"it says what {first} says inside {snapshot.configuration.dns.zones[0]}")]
    section = "address-pools" if is_reverse(first) else "dns.zones"
    return [Why("row", f"{section} of the configuration", _CONFIGURATION)]


_CONFIGURATION = "SELECT revision, document FROM configuration WHERE valid_to IS NULL"


def _service_rows(snapshot: Snapshot, ref: ServiceRef) -> list[Why]:
    where = f"namespace = '{ref.namespace}' AND name = '{ref.name}'"
    rows = [
        Why(
            "row",
            f"lease {lease.id}: {lease.address} {lease.state.value} to {lease.ref} since {lease.valid_from:%Y-%m-%d %H:%M:%S}Z, "
            f"pool {lease.pool}, revision {lease.revision}",
            f"SELECT * FROM lease WHERE id = {lease.id}",  # noqa: S608 - shown, never run
        )
        for lease in snapshot.bound(ref)
    ]
    refusal = snapshot.refusals.get(ref)
    if refusal is not None:
        rows.append(Why("row", f"{refusal.reason.value}: {refusal.message}", f"SELECT * FROM refusal WHERE {where}"))  # noqa: S608 - shown, never run
    return rows or [Why("row", f"Service {ref}", f"SELECT document FROM service WHERE {where}")]  # noqa: S608 - shown, never run


def _record_rows(snapshot: Snapshot, owner: bytes) -> list[Why]:
    found = []
    for record in snapshot.records.keys():  # noqa: SIM118 - a persistent map
        if name.from_text(record.name).lower() == owner:
            quoted = record.name.replace("'", "''")
            found.append(
                Why("row", f"{record.type} {record.value}", f"SELECT * FROM static_record WHERE name = '{quoted}'")  # noqa: S608 - shown, never run
            )
    return found or [Why("row", "dns.records of the configuration", _CONFIGURATION)]
