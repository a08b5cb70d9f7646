"""Why a name is answered as it is, down to the rows of the database.  Pure."""

from dataclasses import dataclass

from suite.dns import name
from suite.dns.catalogue import Zones
from suite.dns.zone import Zone
from suite.model.service import ServiceRef
from suite.model.snapshot import Snapshot
from suite.nameserver.claims import Source
from suite.nameserver.losers import said
from suite.nameserver.plan import ZonePlanner
from suite.nameserver.records import Rank

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
    """The zone of a name, who holds it, who else asked for it, and the rows that its answer is made of."""
    planner = ZonePlanner()
    planner.plan(snapshot)
    owner = qname.lower()
    zone = Zones.of(planner.zones.values()).find(owner)
    if zone is None:
        return (Why("zone", f"{name.to_text(qname)} is in none of the zones served here: REFUSED"),)
    steps = [Why("zone", f"{name.to_text(zone.origin)} serial {zone.serial}")]
    holder, steps_to_it = _holder(zone, owner)
    steps += steps_to_it
    claims = planner.claims_on(zone.origin, holder)
    for place, (source, record) in enumerate(claims):
        since = f", asked for since revision {record.since}" if record.since else ""
        verb = "holder" if place == 0 else "refused"
        steps.append(Why(verb, f"{said(source)}, {_RANKS[record.rank]}{since}"))
    if claims:
        steps += _rows(snapshot, claims[0][0], holder)
    if left_out := planner.left_out(zone.origin, holder):
        steps.append(Why("left out", left_out))
    if text := zone.notes.get(holder):
        steps.append(Why("no address", text))
    return tuple(steps)


def _holder(zone: Zone, owner: bytes) -> tuple[bytes, list[Why]]:
    """The name whose records answer: itself, or the wildcard that covers it (RFC 4592)."""
    node = zone.get(owner)
    if node is not None:
        if not node.rrsets:
            return owner, [Why("name", "it has no records, only names below it: NODATA (RFC 8020)")]
        return owner, []
    encloser = zone.closest_encloser(owner)
    star = b"\x01*" + encloser
    if zone.get(star) is not None:
        return star, [Why("name", f"covered by {name.to_text(star)}")]
    return owner, [Why("name", f"nobody asks for it; the nearest that exists is {name.to_text(encloser)}: NXDOMAIN")]


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
    return [Why("row", "dns.zones of the configuration", _CONFIGURATION)]


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
