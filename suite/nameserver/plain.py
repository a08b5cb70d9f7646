"""Plain Services: what those that say nothing about names ask for, straight from the snapshot to folded claims.  Pure.

A start puts nearly all Services of a large cluster in their place here, in a few steps for each and without an object of
its own.  It comes to what ``records.wanted_by_service`` says of them (a property test proves it).
"""

from collections.abc import Callable
from functools import lru_cache

from suite.dns import name, nodes, rrtype
from suite.model.service import NamedPort, ServiceRef
from suite.model.snapshot import Snapshot
from suite.nameserver.claims import ClaimTable
from suite.nameserver.records import Scheme, plain_name

_ADDRESS_TYPES = {4: rrtype.A, 6: rrtype.AAAA}


def placing(
    snapshot: Snapshot, scheme: Scheme, claims: ClaimTable
) -> Callable[[ServiceRef, tuple[NamedPort, ...]], bool]:
    """What puts the claims of a plain Service with these named ports into the table; False, and nothing, where it cannot.

    It can where the Service has one address, or one of each family, and makes names that need no look at their letters.
    """
    is_sole = not scheme.pool_zones and not any(name.is_below(each, scheme.zones[0]) for each in scheme.zones[1:])
    leased, add, ttl, zone = snapshot.leased, claims.add_folded, scheme.ttl, scheme.zones[0]
    alone = {family: nodes.head(rtype, ttl, leased=True) for family, rtype in _ADDRESS_TYPES.items()}
    heads = {4: nodes.service_head(ttl, 4), 6: nodes.service_head(ttl, 16)}
    both = nodes.service_head(ttl, 20)
    pointer = nodes.head(rrtype.PTR, ttl, leased=True)
    find = scheme.reverse.find if scheme.configuration.dns.reverse else lambda _: None

    def place(ref: ServiceRef, ports: tuple[NamedPort, ...]) -> bool:
        addresses = leased(ref) if is_sole else []
        below, size = _below(ports)
        canonical = plain_name(ref, zone) if addresses else b""
        if not canonical or size + len(canonical) > name.MAX_NAME:
            return False
        if len(addresses) == 1:  # as nearly always, so in few steps
            asked = (heads if ports else alone)[addresses[0].version] + addresses[0].packed
        elif [each.version for each in addresses] == [4, 6]:
            asked = both + addresses[0].packed + addresses[1].packed
        else:
            return False
        add(zone, canonical, asked + below)
        for address in addresses:
            if (reverse := find(address)) is not None:
                add(reverse.origin, reverse.owner(address), pointer + canonical)
        return True

    return place


@lru_cache(4096)
def _below(ports: tuple[NamedPort, ...]) -> tuple[bytes, int]:
    """Named ports as a folded node says them, and how long they make a name; too long where they make none, or one twice."""
    labels = [(f"_{port.name}".encode(), f"_{port.protocol}".lower().encode()) for port in ports]
    sizes = [len(first) + len(second) + 2 for first, second in labels]
    is_fit = all(first == first.lower() and max(len(first), len(second)) <= name.MAX_LABEL for first, second in labels)
    if not is_fit or len(set(labels)) < len(labels):
        return b"", name.MAX_NAME
    below = b"".join(nodes.port(*each, port.number) for each, port in zip(labels, ports, strict=True))
    return below, max(sizes, default=0)
