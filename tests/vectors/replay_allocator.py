"""Replays MetalLB's allocator rows (``allocator.json``): on the pure functions, or through a store.

Rows of ``cases`` speak to the allocator directly (a failed request leaves what the Service holds); rows of
``service_cases`` speak to the controller.  Hold and cooling times are 0, as MetalLB has neither.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from typing import Any

from suite.cluster.source import Batch
from suite.controller.draft import Draft
from suite.controller.plan import Planner
from suite.ipam.allocation import Grant, Terms, allocate
from suite.ipam.ledger import Ledger
from suite.ipam.lifecycle import Waits
from suite.ipam.reservations import KeptBack
from suite.ipam.usage import pool_usage
from suite.model.address import parse_address, parse_range
from suite.model.changes import Changes
from suite.model.configuration import Configuration
from suite.model.event import Action
from suite.model.pool import Pool, ServiceAllocation
from suite.model.refusal import Refusal
from suite.model.selector import Selector, labels_of
from suite.model.service import Port, Service, ServiceRef, ServiceType
from suite.model.snapshot import Snapshot
from suite.model.succession import succeed

NOW = datetime(2026, 1, 1, tzinfo=UTC)
Commit = Callable[[Changes, Snapshot], Snapshot]
Row = tuple[str, dict[str, Any], dict[str, Any]]
"""Name of the row, what is expected (only what we compare), what we got."""


def pure_commit() -> Commit:
    """A commit that only counts: ids and revisions, no database."""
    ids, revisions = count(1), count(1)

    def commit(changes: Changes, snapshot: Snapshot) -> Snapshot:
        opened = [replace(lease, id=next(ids)) for lease in changes.opened]
        return succeed(snapshot, changes, opened, revision=next(revisions), at=NOW)

    return commit


def replay(document: dict[str, Any], new_commit: Callable[[], Commit] = pure_commit) -> Iterator[Row]:
    """Every row of an allocator file with what was expected and what came out."""
    for case in document["cases"]:
        yield from _allocator_case(case, new_commit())
    for case in document["service_cases"]:
        yield from _service_case(case, new_commit())


def _pool(row: dict[str, Any]) -> Pool:
    kept = row.get("service_allocation")
    allocation = None
    if kept:
        selectors = tuple(
            Selector((tuple(text.split("=", 1)),))  # type: ignore[arg-type]
            for text in kept.get("service_selectors") or ()
        )
        allocation = ServiceAllocation(kept["priority"], tuple(kept.get("namespaces") or ()), (), selectors)
    ranges = tuple(parse_range(text) for text in row["addresses"])
    return Pool(row["name"], ranges, row["auto_assign"], row["avoid_buggy_ips"], allocation)


def _configuration(pools: list[dict[str, Any]], version: int) -> Configuration:
    return Configuration(tuple(map(_pool, pools)), hold_time=0, cooling_time=0, digest=f"version {version}")


def _allocator_case(case: dict[str, Any], commit: Commit) -> Iterator[Row]:
    configuration = _configuration(case["pools"], 0)
    snapshot = commit(Changes(configuration=configuration), Snapshot(epoch="e"))
    for step in case["steps"]:
        name = f"{case['id']} step {step['n']} {step['op']}"
        ledger = Ledger(snapshot.open_leases())
        match step["op"]:
            case "pool_capacity":
                pool = configuration.pool(step["pool"])
                assert pool is not None
                sizes = dict.fromkeys((4, 6), 0) | {
                    each.family: each.total for each in pool_usage(Snapshot(configuration=Configuration((pool,))))
                }
                got = {"ipv4": sizes[4], "ipv6": min(sizes[6], 2**63 - 1)}
                yield name, {key: step["expect"][key] for key in got}, got
            case "replace_pools":
                configuration = _configuration(step["pools"], step["n"] + 1)
                changes = Planner(snapshot).turn(Batch(), NOW, configuration)
                snapshot = commit(changes, snapshot)
                yield name, {"services": step["expect"]["services"]}, {"services": _holdings(snapshot, step)}
            case "release":
                draft = Draft(ledger, Waits(0, 0), NOW)
                for lease in ledger.bound(_ref(step)):
                    draft.release(lease, "released")
                snapshot = commit(_written(draft), snapshot)
                yield name, step["expect"], {"error": False, "ips_after": _addresses(snapshot, _ref(step))}
            case _:
                draft = Draft(ledger, Waits(0, 0), NOW)
                service = _service(step)
                outcome = _ask(service, configuration, draft)
                changes = _written(draft)
                if not isinstance(outcome, Refusal):
                    changes = replace(changes, services=(service,))
                snapshot = commit(changes, snapshot)
                yield name, *_compared(step, outcome, snapshot)


def _ask(service: Service, configuration: Configuration, draft: Draft) -> Grant | Refusal:
    """Allocate, and let go of what the Service held elsewhere, as MetalLB's allocator does."""
    terms = Terms(configuration.pools, draft.ledger, KeptBack((), configuration.pools), lambda _: None)
    outcome = allocate(service, terms)
    if not isinstance(outcome, Refusal):
        chosen = {pick.address for pick in outcome}
        for ref in [ref for ref in draft.ledger.refs() if ref.name == service.ref.name]:
            for lease in draft.ledger.bound(ref):
                if lease.address not in chosen:
                    draft.move(lease, "moved")
        draft.grant(service, outcome, Action.ALLOCATED, was_requested=bool(service.requested))
    return outcome


def _written(draft: Draft) -> Changes:
    return Changes(closed=tuple(draft.closed), opened=draft.opened, events=tuple(draft.events))


def _ref(step: dict[str, Any]) -> ServiceRef:
    return ServiceRef("vectors", step.get("name") or step["service"])


def _service(step: dict[str, Any]) -> Service:
    requested = tuple(parse_address(text) for text in step["request"].get("ips") or ())
    families = (
        tuple(address.version for address in requested)
        or {
            "ipv4": (4,),
            "ipv6": (6,),
            "dual": (4, 6),
        }[step["request"]["family"]]
    )
    ports = tuple(Port(int(number), protocol.upper()) for protocol, number in (p.split("/") for p in step["ports"]))
    return Service(
        ServiceRef(step["namespace"] or "vectors", step["service"]),
        type=ServiceType.LOAD_BALANCER,
        families=families,
        ports=ports,
        labels=labels_of(step["labels"]),
        requested=requested,
        sharing_key=step["sharing_key"],
        is_local=bool(step["backend_key"]),
        selector=(("backend", step["backend_key"]),) if step["backend_key"] else (),
        pool=step["request"].get("pool", ""),
    )


def _addresses(snapshot: Snapshot, ref: ServiceRef) -> list[str]:
    return [str(lease.address) for lease in snapshot.bound(ref)]


def _holdings(snapshot: Snapshot, step: dict[str, Any]) -> dict[str, Any]:
    held = {}
    for name in step["expect"]["services"]:
        leases = snapshot.bound(ServiceRef("vectors", name))
        held[name] = {"pool": leases[0].pool if leases else None, "ips": [str(lease.address) for lease in leases]}
    return held


def _compared(
    step: dict[str, Any], outcome: Grant | Refusal, snapshot: Snapshot
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the row asserts beside what we got, in the same words."""
    expect = step["expect"]
    refused = isinstance(outcome, Refusal)
    wanted: dict[str, Any] = {"error": expect["error"]}
    got: dict[str, Any] = {"error": refused}
    ips = [] if isinstance(outcome, Refusal) else [str(pick.address) for pick in outcome]
    if "ips" in expect:
        wanted["ips"], got["ips"] = expect["ips"], ips
    if expect.get("ips_after"):
        wanted["ips_after"], got["ips_after"] = expect["ips_after"], _everywhere(snapshot, step["service"])
    if expect.get("pool") and not isinstance(outcome, Refusal):
        wanted["pool"], got["pool"] = expect["pool"], outcome[0].pool.name
    if expect.get("ips_subset_of"):
        wanted["outside"], got["outside"] = [], sorted(set(ips) - set(expect["ips_subset_of"]))
    if expect.get("ips_exact"):
        wanted["ips_exact"], got["ips_exact"] = expect["ips_exact"], ips
    if "family_counts" in expect:
        wanted["family_counts"] = expect["family_counts"]
        got["family_counts"] = {"ipv4": sum("." in ip for ip in ips), "ipv6": sum(":" in ip for ip in ips)}
    return wanted, got


def _everywhere(snapshot: Snapshot, name: str) -> list[str]:
    """What a Service of this name holds, whichever namespace the row put it in."""
    return [
        str(lease.address)
        for ref in sorted(snapshot.holdings.keys())
        if ref.name == name
        for lease in snapshot.bound(ref)
    ]


def _service_case(case: dict[str, Any], commit: Commit) -> Iterator[Row]:
    snapshot = Snapshot(epoch="e")
    planner = Planner(snapshot)
    said: list[str] = []

    def turn(batch: Batch, configuration: Configuration | None = None) -> None:
        nonlocal snapshot
        changes = planner.turn(batch, NOW, configuration)
        said.extend(_events(changes))
        if changes:
            snapshot = commit(changes, snapshot)
        planner.committed(snapshot)

    for step in case["steps"]:
        name = f"{case['id']} step {step['n']} {step['op']}"
        match step["op"]:
            case "set_pools":
                turn(Batch(), _configuration(step["pools"], step["n"] + 1))
                continue  # upstream processes Services again only when they are set; what they hold is compared then
            case "delete_service":
                turn(Batch(services_gone=(_ref(step),)))
            case _:
                turn(Batch(services=(_described(step),)))
        expect = step["expect"]
        leases = snapshot.bound(_ref(step))
        got = {
            "allocated_ips": [str(lease.address) for lease in leases],
            "pool": leases[0].pool if leases else None,
        }
        yield name, {key: expect[key] for key in got}, got


def _described(step: dict[str, Any]) -> Service:
    row = step["service"]
    families = tuple(parse_address(text).version for text in row["cluster_ips"])
    status = tuple(parse_address(text) for text in row["status_ingress"])
    return Service(_ref(step), type=ServiceType(row["type"]), families=families, status=status)


def _events(changes: Changes) -> list[str]:
    return [event.action.value for event in changes.events]
