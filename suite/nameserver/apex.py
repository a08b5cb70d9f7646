"""What a zone says at its own name: SOA with its timers, NS, and where that name server is.  Pure."""

from itertools import chain

from suite.dns import name, rrtype
from suite.dns.name import DomainNameError
from suite.model import promise
from suite.model.address import Address
from suite.model.configuration import Configuration
from suite.model.promise import REFRESH, RETRY
from suite.model.snapshot import Snapshot
from suite.nameserver.records import Rank, Record, Wanted


def apex_of(origin: bytes, snapshot: Snapshot) -> Wanted:
    """SOA and NS of a zone, and the addresses of the name servers that stand in it."""
    configuration = snapshot.configuration
    dns = configuration.dns
    forward = name.from_text(dns.zones[0]).lower()
    try:
        servers = [name.from_text(text.rstrip(".") + ".") for text in dns.name_servers]
    except DomainNameError:
        servers = []
    servers = servers or [b"\x02ns" + forward]
    mailbox = _mailbox(dns.contact, forward)
    numbers = (snapshot.revision, REFRESH, RETRY, expire_of(configuration), dns.negative_ttl)
    soa = servers[0] + mailbox + b"".join((number & 0xFFFFFFFF).to_bytes(4, "big") for number in numbers)
    records = [Record(origin, origin, rrtype.SOA, dns.ttl, soa, is_leased=bool(dns.transfer_acl))]
    for server in servers:
        records.append(Record(origin, origin, rrtype.NS, dns.ttl, server))
        if origin == _home(server.lower(), configuration):
            records += [
                Record(
                    origin,
                    server,
                    rrtype.A if each.version == 4 else rrtype.AAAA,
                    dns.ttl,
                    each.packed,
                    rank=Rank.CANONICAL,
                )
                for each in _reached_at(configuration)
            ]
    return Wanted(tuple(records))


def _home(server: bytes, configuration: Configuration) -> bytes | None:
    """The zone of ours that a folded name stands in: the longest one; None where it is somebody else's."""
    zones = {name.from_text(text).lower() for text in configuration.dns.zones}
    return next((above for above in name.ancestors(server) if above in zones), None)


def _mailbox(contact: str, forward: bytes) -> bytes:
    """A mail address as a name: all before the ``@`` is one label, dots included (RFC 1035 section 8)."""
    local, _, domain = contact.rpartition("@")
    try:
        if local:
            return name.from_labels([local.encode(), *name.labels(name.from_text(domain.rstrip(".") + "."))])
        return name.from_text(contact.rstrip(".") + "." if "." in contact else contact, forward)
    except DomainNameError:
        return b"\x0ahostmaster" + forward


def expire_of(configuration: Configuration) -> int:
    """How long a secondary may answer without us."""
    return promise.expire_of(configuration.cooling_time, _used(configuration))


def cooling_needed(configuration: Configuration) -> int:
    """The cooling time in seconds that keeps the promise about reused addresses with secondaries; 0 when it is kept."""
    needed = promise.cooling_needed(configuration.cooling_time, _used(configuration))
    return needed if configuration.dns.transfer_acl else 0


def _used(configuration: Configuration) -> int:
    dns = configuration.dns
    ttls = (host.ttl or 0 for host in dns.hosts), (record.ttl or 0 for record in dns.records)
    return promise.used_for(dns.stale_limit, (dns.ttl, *chain(*ttls)))


def _reached_at(configuration: Configuration) -> list[Address]:
    """Addresses of this name server: those the configuration names, else those it listens on."""
    dns = configuration.dns
    return list(dns.addresses) or [each.address for each in dns.listen if not each.address.is_unspecified]
