"""Finding out about this machine for ``suite doctor``; it reads and asks, and changes nothing."""

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suite.cli import procfs
from suite.cli.clock import now
from suite.cli.documents import load_file
from suite.cli.fault import Fault
from suite.cli.health import PRIVILEGED_PORTS, Facts, Listener
from suite.cli.target import Target, is_missing

if TYPE_CHECKING:
    from suite.l2.checks import HostFacts
    from suite.model.address import Address
    from suite.model.snapshot import Snapshot
    from suite.store.store import Store

PROC = Path("/proc")
TABLES = (("udp", "udp"), ("udp6", "udp"), ("tcp", "tcp"), ("tcp6", "tcp"))


def gather(target: Target) -> Facts:
    """Everything the checks look at."""
    facts = Facts(
        python=(sys.version_info[0], sys.version_info[1]),
        uid=os.getuid(),
        capabilities=procfs.effective_capabilities(_read("self/status")),
        unprivileged_port=int(_read("sys/net/ipv4/ip_unprivileged_port_start") or PRIVILEGED_PORTS),
        now=now(),
        is_running=_is_running(target),
        host_addresses=(
            *procfs.local_addresses(_read("net/fib_trie")),
            *procfs.local_addresses6(_read("net/if_inet6")),
        ),
        gateways=(*procfs.gateways(_read("net/route")), *procfs.gateways6(_read("net/ipv6_route"))),
        listeners=tuple(_listeners()),
    )
    facts = replace(
        facts, **_state(target), **_told(target), running=_running(target) if facts.is_running else frozenset()
    )
    if not facts.configuration.l2_advertisements or not facts.has_role("speaker"):
        return facts
    return replace(facts, host=_layer2(), dhcp=_overheard(target) if facts.is_running else ())


def _state(target: Target) -> dict[str, Any]:
    path = target.state
    existing = next(each for each in (path, *path.absolute().parents) if not is_missing(each))
    found: dict[str, Any] = {"state": path}
    if not os.access(existing, os.W_OK | os.X_OK, effective_ids=True):
        found["state_fault"] = (
            "cannot be written" if existing == path else f"cannot be made: {existing} cannot be written"
        )
    with suppress(PermissionError):
        disk = os.statvfs(existing)
        found["free_disk"] = disk.f_bavail * disk.f_frsize
    with suppress(OSError):
        status = path.stat()
        found |= {"state_mode": stat.S_IMODE(status.st_mode), "state_owner": status.st_uid}
    return found


def _told(target: Target) -> dict[str, Any]:
    """What the configuration file and the database say; the file's configuration goes first."""
    found = _database(target)
    if target.config is not None:
        outcome = load_file(target.config)
        found |= {
            "config": str(target.config),
            "problems": outcome.problems,
            "configuration": outcome.configuration or outcome.attempt,
        }
    return found


def _database(target: Target) -> dict[str, Any]:
    try:
        url = target.database_url()
    except Fault:
        return {}  # the configuration's own problems are told beside it
    path = Path(url.removeprefix("sqlite:///"))
    if url.startswith("sqlite:///") and is_missing(path):
        return {"database": url, **_heard(target)}
    try:
        with target.store() as store:
            return {"database": url, "has_database": True, **_inside(store)}
    except Fault as fault:
        return {"database": url, "database_fault": fault.message, "database_fix": fault.fix}


def _heard(target: Target) -> dict[str, Any]:
    """What a controller said last, where this machine follows one."""
    from suite.store.remote import kept
    from suite.store.remote.lines import FeedError

    try:
        known, _ = kept.recall(target.state / kept.NAME, now().timestamp())
    except (FeedError, OSError):
        return {}
    return {"follows": True, **_of(known.snapshot)} if known.snapshot.is_complete else {}


def _inside(store: "Store") -> dict[str, Any]:
    snapshot = store.read()
    report = store.verify()
    return {"database_time": snapshot.at, "chain_fault": "; ".join(report.faults), **_of(snapshot)}


def _of(snapshot: "Snapshot") -> dict[str, Any]:
    return {
        "configuration": snapshot.configuration,
        "vips": tuple(_vips(snapshot)),
        "leased": frozenset(_bound(snapshot)),
        "is_cluster": len(snapshot.nodes) > 0,
        "nodes": tuple(snapshot.nodes.values()),
    }


def _bound(snapshot: "Snapshot") -> Iterator["Address"]:
    """Addresses that Services have."""
    from suite.model.lease import LeaseState

    for address, leases in snapshot.leases.items():
        if any(lease.state is LeaseState.BOUND for lease in leases):
            yield address


def _vips(snapshot: "Snapshot") -> Iterator["Address"]:
    """Leased addresses of pools that layer 2 announces."""
    from suite.model.explain import selects_pool

    configuration = snapshot.configuration
    for address in _bound(snapshot):
        pool = configuration.pool_of(address)
        if pool and any(selects_pool(each, pool) for each in configuration.l2_advertisements):
            yield address


def _layer2() -> "HostFacts | None":
    from suite.l2.host_facts import collect

    try:
        return collect()
    except OSError:  # a kernel without netlink, or a sandbox that forbids it: there is nothing to say
        return None


def _overheard(target: Target) -> tuple["Address", ...]:
    """Addresses of pools that the running suite has heard DHCP give out."""
    from suite.cli.desk import ask
    from suite.model.address import parse_address

    try:
        return tuple(map(parse_address, ask(target, "/v1/layer2").get("dhcp", ())))
    except Fault:  # it announces nothing by layer 2, or has ended since
        return ()


def _is_running(target: Target) -> bool:
    from suite.web.client import ask

    try:
        ask(target.socket, "/healthz", 2)
    except OSError:
        return False
    return True


def _running(target: Target) -> frozenset[str]:
    """The roles of the suite that answers here."""
    from suite.cli.desk import ask

    try:
        return frozenset(each["role"] for each in ask(target, "/v1/status")["instances"] if each["here"])
    except Fault:  # it has ended since
        return frozenset()


def _listeners() -> Iterator[Listener]:
    owners: dict[int, str] | None = None
    for table, protocol in TABLES:
        for address, port, inode in procfs.listeners(_read(f"net/{table}"), is_tcp=protocol == "tcp"):
            if owners is None:
                owners = _owners()
            yield Listener(address, port, protocol, owners.get(inode, ""))


def _owners() -> dict[int, str]:
    """Program by socket inode, as far as this user may see."""
    found: dict[int, str] = {}
    for directory in PROC.glob("[0-9]*/fd"):
        with suppress(OSError):
            program = (directory.parent / "comm").read_text().strip()
            for link in directory.iterdir():
                with suppress(OSError):
                    name = str(link.readlink())
                    if name.startswith("socket:["):
                        found[int(name[8:-1])] = program
    return found


def _read(name: str) -> str:
    """A file below /proc; empty where this kernel has none."""
    try:
        return (PROC / name).read_text()
    except OSError:
        return ""
