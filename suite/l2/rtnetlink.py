"""The kernel's view of interfaces, as messages of AF_NETLINK: bytes in, changes out; requests as bytes. Pure.

Only what layer 2 needs of rtnetlink(7) is read: which interfaces exist, whether they can carry ARP now, which MAC and
addresses they have, and whether they are enslaved to a bridge or bond (then the master speaks, not they).
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface, ip_interface

from suite.l2.hardware import Mac, is_unicast

InterfaceAddress = IPv4Interface | IPv6Interface

NEW_LINK, DELETE_LINK, GET_LINK = 16, 17, 18
NEW_ADDRESS, DELETE_ADDRESS, GET_ADDRESS = 20, 21, 22
ERROR, DONE, OVERRUN = 2, 3, 4
REQUEST, ACKNOWLEDGE, DUMP = 0x1, 0x4, 0x300
REPLACE, CREATE = 0x100, 0x400
GROUPS = 0x1 | 0x10 | 0x100
"""Subscriptions: links, IPv4 addresses, IPv6 addresses."""

IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_MASTER = 1, 3, 4, 10
IFA_ADDRESS, IFA_LOCAL, IFA_CACHEINFO, IFA_FLAGS, IFA_PROTO = 1, 2, 6, 8, 11
UP, BROADCASTS, LOOPBACK, LOWER_UP, NO_ARP = 0x1, 0x2, 0x8, 0x10000, 0x80
NO_DUPLICATE_DETECTION = 0x02
ETHERNET = 1
IPV4, IPV6 = 2, 10
FOREVER = 0xFFFFFFFF

_HEADER = struct.Struct("=IHHII")
_LINK = struct.Struct("=BxHiII")
_ADDRESS = struct.Struct("=BBBBI")
_ATTRIBUTE = struct.Struct("=HH")


@dataclass(frozen=True, slots=True)
class Interface:
    """One network interface of this machine."""

    index: int
    name: str
    mac: Mac
    flags: int
    master: int = 0
    """Index of the bridge or bond it is enslaved to; 0 for none."""
    mtu: int = 1500
    is_ethernet: bool = True
    addresses: frozenset[InterfaceAddress] = frozenset()

    @property
    def is_up(self) -> bool:
        return bool(self.flags & UP)

    @property
    def has_carrier(self) -> bool:
        """A cable with somebody at its other end."""
        return bool(self.flags & LOWER_UP)

    @property
    def why_unusable(self) -> str | None:
        """Why addresses cannot be announced here, in words for people; None if they can."""
        reasons = (
            (not self.is_ethernet or self.flags & LOOPBACK, "is no Ethernet interface"),
            (not is_unicast(self.mac), "has no MAC address"),
            (not self.flags & BROADCASTS, "cannot broadcast"),
            (self.flags & NO_ARP, "has ARP switched off"),
            (self.master, "is enslaved to a bridge or bond; announce on that instead"),
            (not self.is_up, "is down"),
            (not self.has_carrier, "has no carrier"),
        )
        return next((words for applies, words in reasons if applies), None)

    @property
    def is_usable(self) -> bool:
        return self.why_unusable is None


@dataclass(frozen=True, slots=True)
class Change:
    """An interface as it was and as it is; None for one that did not exist before, or does not any more."""

    before: Interface | None
    after: Interface | None


@dataclass(slots=True)
class InterfaceTable:
    """All interfaces, kept up to date by feeding it what the kernel says."""

    interfaces: dict[int, Interface] = field(default_factory=dict)

    def feed(self, datagram: bytes) -> list[Change]:
        """Digest one datagram of notifications or of a dump; what changed, in order."""
        changes = []
        for kind, body in messages(datagram):
            change = self._digest(kind, body)
            if change is not None and change.before != change.after:
                changes.append(change)
        return changes

    def by_name(self) -> Mapping[str, Interface]:
        return {interface.name: interface for interface in self.interfaces.values()}

    def _digest(self, kind: int, body: bytes) -> Change | None:
        if len(body) < (_LINK.size if kind in {NEW_LINK, DELETE_LINK} else _ADDRESS.size):
            return None
        if kind == NEW_LINK:
            return self._link(body)
        if kind == DELETE_LINK:
            return self._no_link(body)
        if kind in {NEW_ADDRESS, DELETE_ADDRESS}:
            return self._address(body, is_new=kind == NEW_ADDRESS)
        return None

    def _link(self, body: bytes) -> Change | None:
        family, hardware, index, flags, _ = _LINK.unpack_from(body)
        if family != 0:  # a bridge speaks of its ports in messages of its own family
            return None
        attributes = dict(_attributes(body[_LINK.size :]))
        before = self.interfaces.get(index)
        after = Interface(
            index=index,
            name=attributes.get(IFLA_IFNAME, b"").rstrip(b"\0").decode(errors="replace"),
            mac=attributes.get(IFLA_ADDRESS, b""),
            flags=flags,
            master=_number(attributes.get(IFLA_MASTER)),
            mtu=_number(attributes.get(IFLA_MTU)),
            is_ethernet=hardware == ETHERNET,
            addresses=before.addresses if before else frozenset(),
        )
        self.interfaces[index] = after
        return Change(before, after)

    def _no_link(self, body: bytes) -> Change | None:
        family, _, index, _, _ = _LINK.unpack_from(body)
        before = self.interfaces.pop(index, None) if family == 0 else None
        return Change(before, None) if before else None

    def _address(self, body: bytes, *, is_new: bool) -> Change | None:
        _, prefix, _, _, index = _ADDRESS.unpack_from(body)
        before = self.interfaces.get(index)
        attributes = dict(_attributes(body[_ADDRESS.size :]))
        packed = attributes.get(IFA_LOCAL) or attributes.get(IFA_ADDRESS)
        if before is None or packed is None or len(packed) not in {4, 16} or prefix > len(packed) * 8:
            return None
        address = ip_interface((packed, prefix))
        addresses = before.addresses | {address} if is_new else before.addresses - {address}
        self.interfaces[index] = after = replace(before, addresses=addresses)
        return Change(before, after)


def messages(datagram: bytes) -> Iterator[tuple[int, bytes]]:
    """The messages of a datagram as (kind, body); a length that makes no sense ends it."""
    at = 0
    while at + _HEADER.size <= len(datagram):
        length, kind, *_ = _HEADER.unpack_from(datagram, at)
        if length < _HEADER.size or at + length > len(datagram):
            return
        yield kind, datagram[at + _HEADER.size : at + length]
        at += _aligned(length)


def dump_request(kind: int, sequence: int) -> bytes:
    """Ask for all links (GET_LINK) or all addresses (GET_ADDRESS)."""
    return _message(kind, REQUEST | DUMP, sequence, _LINK.pack(0, 0, 0, 0, 0))


def address_request(
    address: IPv4Address | IPv6Address, index: int, sequence: int, *, remove: bool = False, owner: int = 0
) -> bytes:
    """Put an address on an interface as a host route (/32 or /128), or take it away.

    It never becomes the source of this machine's own traffic: IPv6 addresses are deprecated from birth and skip duplicate
    detection. `owner` marks it (IFA_PROTO, Linux 5.18), so that we never remove what others put there.
    """
    is_six = address.version == 6
    flags = NO_DUPLICATE_DETECTION if is_six else 0
    body = _ADDRESS.pack(IPV6 if is_six else IPV4, address.max_prefixlen, flags, 0, index)
    body += _attribute(IFA_LOCAL, address.packed) + _attribute(IFA_ADDRESS, address.packed)
    if is_six and not remove:
        body += _attribute(IFA_CACHEINFO, struct.pack("=IIII", 0, FOREVER, 0, 0))
    if owner:
        body += _attribute(IFA_PROTO, bytes((owner,)))
    kind, extra = (DELETE_ADDRESS, 0) if remove else (NEW_ADDRESS, REPLACE | CREATE)
    return _message(kind, REQUEST | ACKNOWLEDGE | extra, sequence, body)


def errors(datagram: bytes) -> Iterator[tuple[int, int]]:
    """The acknowledgements in a datagram as (sequence, errno); errno 0 is success."""
    for kind, body in messages(datagram):
        if kind == ERROR and len(body) >= 4 + _HEADER.size:
            yield _HEADER.unpack_from(body, 4)[3], -struct.unpack_from("=i", body)[0]


def is_done(datagram: bytes) -> bool:
    """Whether a datagram ends a dump."""
    return any(kind in {DONE, ERROR} for kind, _ in messages(datagram))


def _message(kind: int, flags: int, sequence: int, body: bytes) -> bytes:
    return _HEADER.pack(_HEADER.size + len(body), kind, flags, sequence, 0) + body


def _attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value + bytes(-len(value) % 4)


def _attributes(body: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + _ATTRIBUTE.size <= len(body):
        length, kind = _ATTRIBUTE.unpack_from(body, at)
        if length < _ATTRIBUTE.size:
            return
        yield kind & 0x3FFF, body[at + _ATTRIBUTE.size : at + length]
        at += _aligned(length)


def _aligned(length: int) -> int:
    return (length + 3) & ~3


def _number(value: bytes | None) -> int:
    return int.from_bytes(value, "little" if struct.pack("=H", 1)[0] else "big") if value else 0
