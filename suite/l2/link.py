"""The sockets of one interface: answers, announcements, probes. All decisions are in `arp`, `ndp` and `packet_filter`.

A link has one AF_PACKET socket for ARP and, while it owns or probes IPv6 addresses, one for Neighbor Discovery. Bound to
one protocol each, they cost IPv4 traffic nothing (the one that overhears DHCP has the kernel look at six fields of each
IPv4 packet; `l2.watch-dhcp: false` spares that); a kernel filter, renewed whenever the addresses change, keeps foreign
questions away. Needs CAP_NET_RAW. For IPv6 it joins the solicited-node groups, with MLD reports, so that switches which
snoop on multicast let the questions through.
"""

import ctypes
import errno
import socket
import struct
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address

from suite.l2 import arp, echo, ndp, packet_filter
from suite.l2.arp import Claim
from suite.l2.dhcp import Given, given
from suite.l2.drop import Drop
from suite.l2.frames import Templates
from suite.l2.hardware import Mac
from suite.l2.rtnetlink import Interface

Address = IPv4Address | IPv6Address

SO_ATTACH_FILTER = 26
SOL_PACKET, PACKET_ADD_MEMBERSHIP, PACKET_DROP_MEMBERSHIP, PACKET_MULTICAST = 263, 1, 2, 0
RECEIVE_BUFFER = 1 << 20
LARGEST_FRAME = 2048
"""Longer frames arrive cut to this and are dropped as oversized."""

PORTION = 64
"""Frames served before other work gets its turn."""

GROUPS_PER_SOCKET = 200
"""Each joined group takes some of a socket's option memory, 20 KiB on older kernels."""


class MissingPrivilegeError(Exception):
    """The process may not open packet sockets; the text names the capability and where to grant it."""

    def __init__(self) -> None:
        super().__init__(
            "answering ARP and NDP needs CAP_NET_RAW: AmbientCapabilities=CAP_NET_RAW in the systemd unit, "
            'or securityContext.capabilities.add: ["NET_RAW"] in the pod'
        )


@dataclass(frozen=True, slots=True)
class Family:
    """What differs between ARP, Neighbor Discovery and echo."""

    name: str
    protocol: int
    target: slice
    answer: Callable[[bytes, dict[bytes, bytes], Mac], bytes | Drop]
    claim: Callable[[bytes, Mac], Claim | None] | None
    """What a frame says about an address; None where frames say nothing of the kind."""
    filter: Callable[[Iterable[bytes], int], packet_filter.Program]
    version: int
    prepare: Callable[[Templates, bytes, Mac], bytes] | None = None
    """What a reply needs beyond its question; None for nothing."""


ARP = Family(
    *("arp", 0x0806, slice(38, 42), arp.answer, arp.claim, packet_filter.arp),
    version=4,
    prepare=lambda templates, packed, mac: arp.prepare(templates.arp, packed, mac),
)
NDP = Family(
    *("ndp", 0x86DD, slice(62, 78), ndp.answer, ndp.claim, packet_filter.discovery),
    version=6,
    prepare=lambda templates, packed, mac: ndp.prepare(templates.advertisement, packed, mac),
)
ECHO4 = Family("echo4", 0x0800, slice(30, 34), echo.answer4, None, packet_filter.echo4, version=4)
ECHO6 = Family("echo6", 0x86DD, slice(38, 54), echo.answer6, None, packet_filter.echo6, version=6)


@dataclass(slots=True)
class Answerer:
    """One socket of one family. It works over anything with `recv` and `send`: a packet socket, or a socketpair in tests."""

    family: Family
    socket: socket.socket
    mac: Mac
    replies: dict[bytes, bytes] = field(default_factory=dict)
    watched: frozenset[bytes] = frozenset()
    """Addresses that are probed for: who claims them is reported as well."""
    answered: Counter[bytes] = field(default_factory=Counter)
    dropped: Counter[Drop] = field(default_factory=Counter)
    unsent: int = 0
    """Frames that the interface did not take: it is down, or its queue is full."""

    def serve(self, portion: int = PORTION) -> list[Claim]:
        """Answer what has arrived, a portion at most; who else claims our addresses or those we watch. Never waits."""
        claims: list[Claim] = []
        receive, send, answer = self.socket.recv, self.socket.send, self.family.answer
        replies, mac, answered, target = self.replies, self.mac, self.answered, self.family.target
        for _ in range(portion):
            try:
                frame = receive(LARGEST_FRAME)
            except OSError:  # nothing more, or the interface went down, which netlink reports
                break
            outcome = answer(frame, replies, mac)
            if not isinstance(outcome, bytes):  # twice as fast as asking whether it is a Drop
                self._note(frame, outcome, claims)
                continue
            try:
                send(outcome)
            except OSError:
                self.unsent += 1
            answered[frame[target]] += 1
        return claims

    def send(self, frame: bytes) -> None:
        """Send one frame; a frame that cannot leave is counted, and announced again by the next refresh."""
        try:
            self.socket.send(frame)
        except OSError:
            self.unsent += 1

    def admit(self) -> None:
        """Tell the kernel which frames are of interest. A program too big for old kernels is made coarser."""
        ranges = packet_filter.MOST_RANGES
        while True:
            program = self.family.filter(self.replies.keys() | self.watched, ranges)
            try:
                _attach(self.socket, program)
            except OSError as fault:
                if fault.errno != errno.ENOMEM or ranges == 1:
                    raise
                ranges //= 2
            else:
                return

    def _note(self, frame: bytes, drop: Drop, claims: list[Claim]) -> None:
        self.dropped[drop] += 1
        if self.family.claim is not None and (drop is Drop.CONFLICT or self.watched):
            claim = self.family.claim(frame, self.mac)
            if claim is not None and (claim.address in self.replies or claim.address in self.watched):
                claims.append(claim)


class Link:
    """One interface on which addresses are owned and probed. `interface` is replaced when the kernel reports a change."""

    def __init__(self, interface: Interface, templates: Templates, *, answers_ping: bool = False) -> None:
        self.interface = interface
        self._answers_ping = answers_ping
        self._templates = templates
        self._owned: frozenset[Address] = frozenset()
        self.watched: frozenset[bytes] = frozenset()
        self.announced: Counter[Address] = Counter()
        """How often each owned address was announced unasked."""
        self._groups = Groups(interface.index)
        self.answerers: list[Answerer] = [Answerer(ARP, open_socket(interface.name, ARP), interface.mac)]

    @property
    def owned(self) -> frozenset[Address]:
        return self._owned

    def answers_for(self, packed: bytes) -> bool:
        """Whether an address is owned here."""
        return any(packed in answerer.replies for answerer in self.answerers)

    def own(self, addresses: Iterable[Address], watched: frozenset[bytes] = frozenset()) -> bool:
        """Answer for exactly these addresses from now on, and listen for claims of the packed `watched` ones.

        Returns whether sockets were opened, so that the caller's selector must learn of them.
        """
        self._owned, self.watched = frozenset(addresses), watched
        for gone in self.announced.keys() - self._owned:
            del self.announced[gone]
        opened = self._open_missing(watched)
        for answerer in self.answerers:
            self._equip(answerer, watched)
        sixes = {address.packed for address in self._owned if address.version == 6}
        self._groups.join(sixes | {packed for packed in watched if len(packed) == 16})
        return opened

    def update(self, interface: Interface) -> None:
        """The kernel says the interface changed; a new MAC goes into all answers at once."""
        mac_changed = interface.mac != self.interface.mac
        self.interface = interface
        if mac_changed:
            for answerer in self.answerers:
                answerer.mac = interface.mac
                self._equip(answerer, answerer.watched)

    def announce(self, address: Address) -> None:
        """Tell everybody that an owned address is here: gratuitous ARP, or an unsolicited Neighbor Advertisement."""
        self.announced[address] += 1
        if address.version == 4:
            for frame in arp.announcements(self._templates.arp, address.packed, self.interface.mac):
                self.answerers[0].send(frame)
        else:
            prepared = ndp.prepare(self._templates.advertisement, address.packed, self.interface.mac)
            self.answerers[1].send(ndp.announcement(prepared))

    def probe(self, packed: bytes) -> None:
        """Ask whether anybody uses the address; it must be among `watched`."""
        if len(packed) == 4:
            self.answerers[0].send(arp.probe(self._templates.arp, packed, self.interface.mac))
        else:
            self.answerers[1].send(ndp.probe(self._templates.solicitation, packed, self.interface.mac))

    def close(self) -> None:
        for answerer in self.answerers:
            answerer.socket.close()
        self._groups.close()

    def _open_missing(self, watched: frozenset[bytes]) -> bool:
        """Sockets are opened when first needed: discovery stands second, echo behind."""
        versions = {address.version for address in self._owned}
        wanted = [NDP] if 6 in versions or any(len(packed) == 16 for packed in watched) else []
        if self._answers_ping:
            wanted += [family for family in (ECHO4, ECHO6) if family.version in versions]
        present = {answerer.family.name for answerer in self.answerers}
        missing = [family for family in wanted if family.name not in present]
        for family in missing:
            answerer = Answerer(family, open_socket(self.interface.name, family), self.interface.mac)
            self.answerers.insert(1 if family is NDP else len(self.answerers), answerer)
        return bool(missing)

    def _equip(self, answerer: Answerer, watched: frozenset[bytes]) -> None:
        family, mac = answerer.family, self.interface.mac
        answerer.replies = {
            address.packed: family.prepare(self._templates, address.packed, mac) if family.prepare else b""
            for address in self._owned
            if address.version == family.version
        }
        if family is ARP or family is NDP:
            answerer.watched = frozenset(packed for packed in watched if len(packed) == (4 if family is ARP else 16))
        for gone in answerer.answered.keys() - answerer.replies.keys():
            del answerer.answered[gone]
        answerer.admit()


class Overhearer:
    """One socket that hears which addresses DHCP gives out on an interface; it never sends."""

    def __init__(self, interface: str) -> None:
        self.socket = _packet_socket(interface, ECHO4.protocol, packet_filter.dhcp())

    def serve(self, portion: int = PORTION) -> list[Given]:
        """What was heard, of a portion of frames at most. Never waits."""
        heard: list[Given] = []
        for _ in range(portion):
            try:
                frame = self.socket.recv(LARGEST_FRAME)
            except OSError:
                break
            if (said := given(frame)) is not None:
                heard.append(said)
        return heard

    def close(self) -> None:
        self.socket.close()


class Groups:
    """The solicited-node groups joined on one interface; several addresses may share a group."""

    def __init__(self, index: int) -> None:
        self._index = index
        self._members: dict[bytes, socket.socket] = {}
        self._sockets: dict[socket.socket, int] = {}

    def join(self, addresses: Iterable[bytes]) -> None:
        """Be in the groups of exactly these IPv6 addresses."""
        wanted = {ndp.group(address) for address in addresses}
        for group in self._members.keys() - wanted:
            self._leave(group)
        for group in sorted(wanted - self._members.keys()):
            self._enter(group)

    def close(self) -> None:
        for opened in self._sockets:
            opened.close()

    def _enter(self, group: bytes) -> None:
        try:
            self._take(group, socket.AF_INET6)
        except OSError:
            # The kernel's own IPv6 is off on this interface. Its receive filter can still be opened for the group;
            # only switches that snoop on MLD will not know of us.
            self._take(group, socket.AF_PACKET)

    def _take(self, group: bytes, family: int) -> None:
        opened = self._with_room(family)
        opened.setsockopt(*self._membership(opened, group, enter=True))
        self._members[group] = opened
        self._sockets[opened] += 1

    def _leave(self, group: bytes) -> None:
        opened = self._members.pop(group)
        self._sockets[opened] -= 1
        with suppress(OSError):  # the interface may be gone, and the membership with it
            opened.setsockopt(*self._membership(opened, group, enter=False))

    def _with_room(self, family: int) -> socket.socket:
        for opened, count in self._sockets.items():
            if opened.family == family and count < GROUPS_PER_SOCKET:
                return opened
        opened = socket.socket(family, socket.SOCK_DGRAM, 0)
        self._sockets[opened] = 0
        return opened

    def _membership(self, opened: socket.socket, group: bytes, *, enter: bool) -> tuple[int, int, bytes]:
        if opened.family == socket.AF_INET6:
            option = socket.IPV6_JOIN_GROUP if enter else socket.IPV6_LEAVE_GROUP
            return socket.IPPROTO_IPV6, option, group + struct.pack("=I", self._index)
        option = PACKET_ADD_MEMBERSHIP if enter else PACKET_DROP_MEMBERSHIP
        return SOL_PACKET, option, struct.pack("=IHH8s", self._index, PACKET_MULTICAST, 6, ndp.group_mac(group))


def open_socket(interface: str, family: Family) -> socket.socket:
    """A packet socket that hears nothing until `Answerer.admit` says what. Raises MissingPrivilegeError."""
    return _packet_socket(interface, family.protocol, [packet_filter.REJECT])


def _packet_socket(interface: str, protocol: int, program: packet_filter.Program) -> socket.socket:
    try:
        opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
    except PermissionError:
        raise MissingPrivilegeError from None
    # Filtered first, bound second: between the two calls a socket would collect what nobody asked for.
    _attach(opened, program)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    opened.bind((interface, protocol))
    return opened


def _attach(opened: socket.socket, program: packet_filter.Program) -> None:
    """Swap the socket's filter for another, in one step (struct sock_fprog of <linux/filter.h>)."""
    if opened.family != socket.AF_PACKET:
        return
    instructions = ctypes.create_string_buffer(packet_filter.to_bytes(program))
    opened.setsockopt(
        socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HP", len(program), ctypes.addressof(instructions))
    )
