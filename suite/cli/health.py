"""What ``suite doctor`` concludes: pure checks over facts, each with the line that mends what it finds.

To add a check, write a function from :class:`Facts` to :class:`Finding` and put it into :data:`CHECKS`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from suite.cli import bgp_health
from suite.cli.bgp_health import BgpFacts
from suite.cli.finding import Finding, Severity
from suite.cli.forwarder import NameFacts, check_forwarders
from suite.l2 import checks as layer2
from suite.model.address import Address
from suite.model.configuration import Configuration
from suite.model.explain import selects_pool
from suite.model.node import Node
from suite.model.problem import Problem

OLDEST_PYTHON = (3, 11)
LEAST_DISK = 64 << 20
"""Octets that the state directory's disk should have left: a WAL and a backup of a common database."""
CAP_NET_RAW = 13
CAP_NET_BIND_SERVICE = 10
"""Bits of CapEff (capability.h)."""
PRIVILEGED_PORTS = 1024
CLOCK_SLACK = 2.0
"""Seconds that the database may be ahead of this machine's clock."""


@dataclass(frozen=True, slots=True)
class Listener:
    """A bound local port; ``address`` is its text, wildcards included."""

    address: Address
    port: int
    protocol: str
    owner: str = ""
    """The program, where it may be known."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What was found out about this machine; every field has the value of a machine without trouble."""

    python: tuple[int, int] = OLDEST_PYTHON
    uid: int = 1000
    capabilities: int = 0
    """Effective capabilities, as the kernel's bit set."""
    unprivileged_port: int = PRIVILEGED_PORTS
    """The first port that needs no privilege (net.ipv4.ip_unprivileged_port_start)."""
    state: Path = Path("/var/lib/suite")
    state_mode: int | None = None
    """Permission bits of the state directory; None when it does not exist."""
    state_owner: int | None = None
    state_fault: str = ""
    """Why it cannot be written; empty when it can, or could be made."""
    free_disk: int | None = None
    """Octets; None where nobody may know."""
    database: str = ""
    database_fault: str = ""
    """Why the database cannot be used; empty when it can, or when there is none yet."""
    database_fix: str = ""
    has_database: bool = False
    follows: bool = False
    """Whether what is known of the suite is what a controller said last: there is no database here."""
    chain_fault: str = ""
    """Why the audit log does not verify; empty when it does."""
    now: datetime | None = None
    database_time: datetime | None = None
    """Time of the newest commit."""
    is_running: bool = False
    running: frozenset[str] = frozenset()
    """The roles of the suite that runs here; empty when none does, or nobody may know."""
    config: str = ""
    problems: tuple[Problem, ...] = ()
    configuration: Configuration = field(default_factory=Configuration)
    host_addresses: tuple[Address, ...] = ()
    leased: frozenset[Address] = frozenset()
    """Addresses that Services have: kube-proxy's IPVS mode puts them on every machine, `l2.bind-address` on the owner's."""
    gateways: tuple[Address, ...] = ()
    listeners: tuple[Listener, ...] = ()
    vips: tuple[Address, ...] = ()
    """Leased addresses that are announced by layer 2."""
    nodes: tuple[Node, ...] = ()
    """Those that the cluster told of; the configuration has its own."""
    dhcp: tuple[Address, ...] = ()
    """Addresses of pools that DHCP gives out, as the running suite has heard."""
    is_cluster: bool = False
    """Whether the nodes are a cluster's, so that kube-proxy takes the packets."""
    bgp: BgpFacts = field(default_factory=BgpFacts)
    names: NameFacts = field(default_factory=NameFacts)
    host: layer2.HostFacts | None = None
    """What the kernel says of its interfaces; None where nothing is announced by layer 2, or nobody may know."""

    def has_role(self, role: str) -> bool:
        """Whether this machine plays it: the running suite says so, and the configuration where none runs."""
        return role in (self.running or self.configuration.roles)


def examine(facts: Facts) -> list[Finding]:
    """Every finding, in the order of the checks."""
    return [finding for check in CHECKS for finding in check(facts)]


def check_python(facts: Facts) -> Iterable[Finding]:
    """The interpreter is new enough."""
    text = f"Python {facts.python[0]}.{facts.python[1]}"
    if facts.python < OLDEST_PYTHON:
        yield Finding("python", Severity.ERROR, text, "install Python 3.11 or later")
    else:
        yield Finding("python", Severity.OK, text)


def check_state(facts: Facts) -> Iterable[Finding]:
    """The state directory is ours and nobody else's."""
    if facts.state_fault:
        fix = f"sudo install -d -m 0700 -o {facts.uid} {facts.state}, or choose another with --state"
        yield Finding("state", Severity.ERROR, f"{facts.state} {facts.state_fault}", fix)
    elif facts.state_mode is None:
        yield Finding("state", Severity.OK, f"{facts.state} will be made at the first start")
    elif facts.state_mode & 0o077:
        text = f"{facts.state} can be opened by others (mode {facts.state_mode:04o})"
        yield Finding("state", Severity.WARNING, text, f"chmod 0700 {facts.state}")
    else:
        yield Finding("state", Severity.OK, f"{facts.state} is ours alone")


def check_disk(facts: Facts) -> Iterable[Finding]:
    """There is room for the database to grow."""
    if facts.free_disk is None:
        return
    text = f"{facts.free_disk >> 20} MiB free where {facts.state} is"
    if facts.free_disk < LEAST_DISK:
        yield Finding("disk", Severity.ERROR, text, "make room: a full disk stops allocation, though nothing is lost")
    else:
        yield Finding("disk", Severity.OK, text)


def check_database(facts: Facts) -> Iterable[Finding]:
    """The database answers, has our schema, and its log is whole."""
    if facts.database_fault:
        yield Finding(
            "database", Severity.ERROR, facts.database_fault, facts.database_fix or f"look at {facts.database}"
        )
        return
    if facts.follows:
        yield Finding("database", Severity.OK, "this machine follows a controller, and needs none")
        return
    if not facts.has_database:
        yield Finding("database", Severity.OK, f"{facts.database} will be made at the first start")
        return
    yield Finding("database", Severity.OK, f"{facts.database} answers and has the schema of this release")
    if facts.chain_fault:
        fix = "keep the database as it is; `suite audit verify` says where, a backup says what it was"
        yield Finding("audit", Severity.ERROR, facts.chain_fault, fix)
    else:
        yield Finding("audit", Severity.OK, "the log's chain of hashes is whole")


def check_clock(facts: Facts) -> Iterable[Finding]:
    """This machine's clock is not behind the database."""
    if facts.now is None or facts.database_time is None:
        return
    behind = (facts.database_time - facts.now).total_seconds()
    if behind > CLOCK_SLACK:
        text = f"this machine's clock is {behind:.0f} seconds behind the newest commit; times stand still until it catches up"
        yield Finding("clock", Severity.WARNING, text, "sudo timedatectl set-ntp true")
    else:
        yield Finding("clock", Severity.OK, "the clock is not behind the database")


def check_configuration(facts: Facts) -> Iterable[Finding]:
    """The configuration can be used."""
    for problem in facts.problems:
        severity = Severity.WARNING if problem.is_warning else Severity.ERROR
        yield Finding("configuration", severity, str(problem), "edit the line, then `suite config check`")
    if facts.config and not any(not problem.is_warning for problem in facts.problems):
        yield Finding("configuration", Severity.OK, f"{facts.config} can be used")
    if not facts.configuration.pools and not facts.problems:
        fix = "write address-pools; `suite config reference` shows how"
        yield Finding("configuration", Severity.WARNING, "no pool is configured, so no Service gets an address", fix)


def check_pools(facts: Facts) -> Iterable[Finding]:
    """No pool holds an address that this machine or its gateway has already."""
    of_nodes = {address for node in (*facts.configuration.nodes, *facts.nodes) for address in node.addresses}
    borrowed = facts.leased - of_nodes if of_nodes else frozenset()
    taken = [(address, "is this machine's own") for address in facts.host_addresses if address not in borrowed]
    taken += [(address, "is the gateway's") for address in facts.gateways]
    taken += [
        (address, f"is node {node.name}'s")
        for node in (*facts.configuration.nodes, *facts.nodes)
        for address in node.addresses
        if address not in facts.host_addresses
    ]
    found = False
    for pool in facts.configuration.pools:
        for address, whose in taken:
            if any(address in span for span in pool.ranges) and not any(address in span for span in pool.excluded):
                found = True
                text = f"{address} in pool {pool.name} {whose}"
                yield Finding("pools", Severity.ERROR, text, f"exclude {address} from pool {pool.name}")
        is_on_lan = any(selects_pool(each, pool) for each in facts.configuration.l2_advertisements)
        for address, what in layer2.subnet_ends(facts.host) if facts.host is not None and is_on_lan else ():
            if address in pool:
                found = True
                text = f"{address} in pool {pool.name} is {what}: nobody would announce it by layer 2"
                yield Finding("pools", Severity.WARNING, text, f"exclude {address} from pool {pool.name}")
        for address in facts.dhcp:
            if address in pool:
                found = True
                text = f"{address} in pool {pool.name} is given out by DHCP: a machine gets it first, or later"
                yield Finding("pools", Severity.WARNING, text, "divide the range between the pool and the DHCP server")
    if facts.configuration.pools and not found:
        yield Finding("pools", Severity.OK, "no pool holds an address of this machine or its gateway")


def check_privilege(facts: Facts) -> Iterable[Finding]:
    """Layer 2 can be announced from here, where this machine is one that announces."""
    if not facts.configuration.l2_advertisements or not facts.has_role("speaker"):
        return
    if facts.capabilities >> CAP_NET_RAW & 1:
        yield Finding("privilege", Severity.OK, "CAP_NET_RAW is there, so layer 2 can be announced")
        return
    fix = "run as root, or give the service AmbientCapabilities=CAP_NET_RAW (systemd), or add NET_RAW (container)"
    text = "CAP_NET_RAW is missing, so this machine announces nothing by ARP and NDP; addresses and names work"
    yield Finding("privilege", Severity.WARNING, text, fix)


def check_layer2(facts: Facts) -> Iterable[Finding]:
    """The kernel leaves the addresses to the speaker, and lets their packets in."""
    if facts.host is None or not facts.configuration.l2_advertisements:
        return
    found: dict[layer2.Check, list[layer2.Finding]] = {}
    intent = layer2.Intent(facts.vips, binds_addresses=facts.configuration.l2.bind_address)
    for each in layer2.examine(facts.host, intent):
        is_told = each.check is layer2.Check.PRIVILEGE or (
            each.check is layer2.Check.ADDRESS_MISSING and facts.is_cluster
        )
        if not is_told:
            found.setdefault(each.check, []).append(each)
    for alike in found.values():
        more = f" (and {len(alike) - 1} more alike)" if len(alike) > 1 else ""
        yield Finding("layer2", Severity(alike[0].weight.value), alike[0].text + more, alike[0].cure)
    if not found:
        yield Finding("layer2", Severity.OK, "the kernel leaves the announced addresses to the speaker")


def check_ports(facts: Facts) -> Iterable[Finding]:
    """The places where DNS is to listen are free and may be bound, where this machine is one that answers."""
    if not facts.has_role("nameserver"):
        return
    for listen in facts.configuration.dns.listen:
        if listen.port < facts.unprivileged_port and not facts.capabilities >> CAP_NET_BIND_SERVICE & 1:
            fix = "give the service CAP_NET_BIND_SERVICE, or listen on a port above 1023"
            yield Finding("ports", Severity.ERROR, f"{listen} needs a privilege that this user lacks", fix)
        rivals = [each for each in facts.listeners if each.port == listen.port and _clash(each.address, listen.address)]
        if facts.is_running or not rivals:
            yield Finding(
                "ports", Severity.OK, f"{listen} {'is in use by the running suite' if facts.is_running else 'is free'}"
            )
            continue
        yield _taken(rivals[0], str(listen))


def _clash(one: Address, other: Address) -> bool:
    """Whether a socket on one keeps another from the same port: equal, or one of them every address (:: takes IPv4 too)."""
    if one.is_unspecified and (one.version == 6 or other.version == 4):
        return True
    if other.is_unspecified and (other.version == 6 or one.version == 4):
        return True
    return one == other


def _taken(rival: Listener, listen: str) -> Finding:
    owner = f" by {rival.owner}" if rival.owner else ""
    text = f"{listen} is taken{owner} ({rival.address} port {rival.port}/{rival.protocol})"
    if str(rival.address).startswith("127.0.0.5"):
        fix = "systemd-resolved has its stub there: listen on a specific address, or set DNSStubListener=no in resolved.conf"
    else:
        fix = "stop that server, or change dns.listen; `sudo ss -lunp` names it"
    return Finding("ports", Severity.ERROR, text, fix)


def check_bgp(facts: Facts) -> Iterable[Finding]:
    """Sessions, routers, and the way of the answers."""
    for check in (bgp_health.check_sessions, bgp_health.check_routers, bgp_health.check_ways):
        yield from check(facts.bgp)


def check_names(facts: Facts) -> Iterable[Finding]:
    """The way of a name from a computer of the LAN to its address."""
    return check_forwarders(facts.names)


Check = Callable[[Facts], Iterable[Finding]]

CHECKS: tuple[Check, ...] = (
    check_python,
    check_state,
    check_disk,
    check_database,
    check_clock,
    check_configuration,
    check_pools,
    check_privilege,
    check_layer2,
    check_ports,
    check_bgp,
    check_names,
)
"""Every check, in the order people should mend things."""
