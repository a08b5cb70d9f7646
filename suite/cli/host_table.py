"""Host tables of routers and machines: written from the names that are served, read to be taken over.  Pure.

A router that cannot forward a zone gets the names as a table; it has to be written again when leases change.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from suite.model.address import Address, parse_address
from suite.model.lease import Lease, LeaseState
from suite.model.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Host:
    """Addresses and their names, the one that people write first; names without the dot at the end."""

    addresses: tuple[Address, ...]
    names: tuple[str, ...]


def hosts_of(pairs: Iterable[tuple[str, Address]]) -> list[Host]:
    """Names with one address each time, put together: names with the same addresses are one host."""
    by_name: dict[str, set[Address]] = {}
    for name, address in pairs:
        by_name.setdefault(name.rstrip("."), set()).add(address)
    by_addresses: dict[tuple[Address, ...], list[str]] = {}
    for name, addresses in by_name.items():
        by_addresses.setdefault(tuple(sorted(addresses, key=_place)), []).append(name)
    found = [Host(addresses, tuple(sorted(names, key=_rank))) for addresses, names in by_addresses.items()]
    return sorted(found, key=lambda host: _place(host.addresses[0]))


def _place(address: Address) -> tuple[int, int]:
    return address.version, int(address)


def _rank(name: str) -> tuple[bool, int, str]:
    """Short names with a domain first, names of one label last."""
    return "." not in name, name.count("."), name


def hosts_file(hosts: Iterable[Host]) -> str:
    """As /etc/hosts has it: hosts(5)."""
    return "".join(f"{address}\t{' '.join(host.names)}\n" for host in hosts for address in host.addresses)


def dnsmasq_file(hosts: Iterable[Host]) -> str:
    """As dnsmasq has it: host-record lines, which answer in both directions."""
    return "".join(f"host-record={','.join([*host.names, *map(str, host.addresses)])}\n" for host in hosts)


def usg_tree(hosts: Iterable[Host]) -> dict[str, Any]:
    """As the config.gateway.json of a UniFi Security Gateway has it; the gateway's table knows IPv4 only."""
    table: dict[str, Any] = {}
    for host in hosts:
        inet = [str(address) for address in host.addresses if address.version == 4]
        if inet:
            alias = {"alias": list(host.names[1:])} if len(host.names) > 1 else {}
            table[host.names[0]] = {**alias, "inet": inet}
    return {"system": {"static-host-mapping": {"host-name": table}}}


@dataclass(frozen=True, slots=True)
class Proposal:
    """What one host of a table should become: YAML for ``dns.hosts`` or ``reservations``."""

    host: Host
    section: str
    """``dns.hosts``, ``reservations``, or ``left`` for what stays in the table."""
    text: str
    why: str


def read_table(text: str) -> list[Host]:
    """The hosts of a config.gateway.json or of a file like /etc/hosts; loopback and multicast are nobody's host.

    Raises:
        ValueError: a line or entry that cannot be read, with its place.
    """
    hosts = _read_usg(text) if text.lstrip().startswith("{") else _read_hosts(text)
    return [host for host in hosts if not any(each.is_loopback or each.is_multicast for each in host.addresses)]


def _read_usg(text: str) -> Iterator[Host]:
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"line {error.lineno}: no valid JSON: {error.msg}") from None
    table: Any = document
    for name in ("system", "static-host-mapping", "host-name"):
        table = table.get(name, {}) if isinstance(table, dict) else {}
    for name, value in table.items():
        entry = value if isinstance(value, dict) else {}
        alias, inet = _texts(entry.get("alias")), _texts(entry.get("inet"))
        yield Host(tuple(_address(each, f"host-name {name}") for each in inet), (name, *alias))


def _texts(value: object) -> list[str]:
    """One text or a list of them: the gateway writes both."""
    return [value] if isinstance(value, str) else [str(each) for each in value] if isinstance(value, list) else []


def _read_hosts(text: str) -> Iterator[Host]:
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if len(words) > 1:
            yield Host((_address(words[0].partition("%")[0], f"line {number}"),), tuple(words[1:]))


def _address(text: str, place: str) -> Address:
    try:
        return parse_address(text)
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from None


def proposals(hosts: Iterable[Host], snapshot: Snapshot) -> list[Proposal]:
    """What to write for each host, so that no name goes on pointing at an address that is somebody else's tomorrow.

    An address inside a pool belongs to whom it is leased to: the name then follows that Service. Where nobody has it, it is
    reserved, and the name leads there. Other addresses are taken as they stand.
    """
    return [each for host in hosts if host.addresses for each in _proposed(host, snapshot)]


def _proposed(host: Host, snapshot: Snapshot) -> Iterator[Proposal]:
    zones = snapshot.configuration.dns.zones
    names = [each for each in host.names if _is_servable(each, zones)]
    rest = [each for each in host.names if each not in names]
    if rest:
        why = f"in none of the zones served here ({', '.join(zones)}); dns.zones may have more"
        yield Proposal(host, "left", f"{' '.join(rest)} ({', '.join(map(str, host.addresses))})", why)
    if not names:
        return
    pooled = [each for each in host.addresses if snapshot.configuration.pool_of(each) is not None]
    owners = {lease.ref: each for each in pooled for lease in snapshot.leases.get(each) or () if _is_bound(lease)}
    listed = f"addresses: [{', '.join(map(str, host.addresses))}]"
    for ref, address in owners.items():
        yield _named(host, names, f"service: {ref}", f"{address} is leased to it, and the name follows the lease")
        return
    yield _named(host, names, listed, "its address is reserved below" if pooled else "an address of its own")
    for address in pooled:
        text = f"{{address: {address}, note: {json.dumps(' '.join(host.names))}}}"
        why = f"{address} is inside a pool and nobody's: kept back until you say whose"
        yield Proposal(host, "reservations", text, why)


def _is_bound(lease: Lease) -> bool:
    return lease.state is LeaseState.BOUND


def _is_servable(name: str, zones: Iterable[str]) -> bool:
    """Whether a table's name, which is a whole name there, can be ours: of one label, or within a zone."""
    full = f"{name.rstrip('.').lower()}."
    return full.count(".") == 1 or any(full.endswith(f".{zone}") for zone in zones)


def _named(host: Host, names: list[str], leads_to: str, why: str) -> Proposal:
    """A static host with every name; those of one label are aliases, which is what lets them be asked for bare."""
    inside = [each for each in names if "." in each.rstrip(".")]
    bare = [each for each in names if each not in inside]
    first, others = (inside or bare)[0], [*inside[1:], *bare]
    aliases = f", aliases: [{', '.join(others)}]" if others else ""
    return Proposal(host, "dns.hosts", f"{{name: {first}, {leads_to}{aliases}}}", why)
