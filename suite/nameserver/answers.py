"""What is answered now, by fully qualified name: a view of the zones, which costs what is looked up in it.  Pure."""

from collections.abc import Iterator, Mapping

from suite.dns import name, rrtype
from suite.dns.catalogue import Zones
from suite.dns.name import DomainNameError
from suite.dns.rrset import RRset
from suite.dns.zone import Zone
from suite.model.address import Address, address_from_key

_FAMILIES = {rrtype.A: b"\x04", rrtype.AAAA: b"\x06"}


class Answers(Mapping[str, tuple[Address, ...]]):
    """The addresses of each name that has any; names are absolute."""

    def __init__(self, zones: Mapping[bytes, Zone]) -> None:
        self._zones = Zones.of(zones.values())

    def __getitem__(self, text: str) -> tuple[Address, ...]:
        try:
            key = name.from_text(text).lower()
        except DomainNameError:
            raise KeyError(text) from None
        zone = self._zones.find(key)
        node = zone.get(key) if zone else None
        found = _addresses(node.rrsets) if node else ()
        if not found:
            raise KeyError(text)
        return found

    def __iter__(self) -> Iterator[str]:
        every = {rrset.name for zone in self._zones.by_origin.values() for rrset in zone.rrsets()}
        return (text for text in map(name.to_text, every) if text in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _addresses(rrsets: tuple[RRset, ...]) -> tuple[Address, ...]:
    return tuple(
        address_from_key(_FAMILIES[rrset.rtype] + rdata)
        for rrset in rrsets
        if rrset.rtype in _FAMILIES
        for rdata in rrset.rdatas
    )
