"""Host tables of routers and machines: written from the names that are served, read to be taken over.  Pure.

A router that cannot forward a zone gets the names as a table; it has to be written again when leases change.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from suite.model.address import Address, parse_address
from suite.model.lease import LeaseState
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
    """``dns.hosts`` or ``reservations``."""
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
    aliases = f", aliases: [{', '.join(host.names[1:])}]" if len(host.names) > 1 else ""
    name = host.names[0]
    pooled = [each for each in host.addresses if snapshot.configuration.pool_of(each) is not None]
    if not pooled:
        listed = ", ".join(map(str, host.addresses))
        yield Proposal(host, "dns.hosts", f"{{name: {name}, addresses: [{listed}]{aliases}}}", "an address of its own")
        return
    for address in pooled:
        for lease in snapshot.leases.get(address) or ():
            if lease.state is LeaseState.BOUND:
                text = f"{{name: {name}, service: {lease.ref}{aliases}}}"
                yield Proposal(host, "dns.hosts", text, f"{address} is leased to it, and the name follows the lease")
                return
    listed = ", ".join(map(str, host.addresses))
    yield Proposal(
        host, "dns.hosts", f"{{name: {name}, addresses: [{listed}]{aliases}}}", "its address is reserved below"
    )
    for address in pooled:
        text = f"{{address: {address}, note: {json.dumps(' '.join(host.names))}}}"
        yield Proposal(
            host, "reservations", text, f"{address} is inside a pool and nobody's: kept back until you say whose"
        )
