"""Asking a LAN again and again who has some addresses, for people who want to know how long nobody answered.

IPv4 by ARP (RFC 826), IPv6 by Neighbor Solicitation to the target's own group (RFC 4861 section 7.2.2).
"""

import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from ipaddress import IPv4Address, IPv6Address
from selectors import EVENT_READ, DefaultSelector

from suite.l2 import ndp

Address = IPv4Address | IPv6Address

ETH_P = {4: 0x0806, 6: 0x86DD}
"""What a socket is bound to, by family: ARP, IPv6."""
REQUEST, REPLY = b"\x00\x01", b"\x00\x02"
HEADER = b"\x00\x01\x08\x00\x06\x04"
"""Ethernet, IPv4, six and four octets."""
BROADCAST = b"\xff" * 6
SOLICITATION = b"\x60\x00\x00\x00\x00\x20\x3a\xff"
"""IPv6, 32 octets of ICMPv6, hop limit 255."""
PORTION = 64
"""Frames taken between two looks at the clock."""


def ask(
    interface: str,
    sources: Mapping[int, Address],
    addresses: Sequence[Address],
    every: float,
    is_over: Callable[[], bool],
) -> Iterator[tuple[float, Address]]:
    """Each answer with its time (seconds of the monotonic clock), until ``is_over``.

    ``sources`` are this machine's addresses there, by family; each of ``addresses`` whose family is among them is asked for every
    ``every`` seconds.

    Raises:
        OSError: there is no such interface, or this process lacks CAP_NET_RAW.
    """
    wanted = {address.packed: address for address in addresses if address.version in sources}
    with ExitStack() as closing, DefaultSelector() as selector:
        askers = {family: closing.enter_context(_opened(interface, family)) for family in sources}
        for family, asker in askers.items():
            selector.register(asker, EVENT_READ, family)
        next_round = time.monotonic()
        while not is_over():
            left = next_round - time.monotonic()
            if left <= 0:
                for packed, address in wanted.items():
                    asker = askers[address.version]
                    asker.send(question(asker.getsockname()[4], sources[address.version].packed, packed))
                next_round += every
                continue
            for key, _ in selector.select(left):
                for frame in _waiting(askers[key.data]):
                    if (found := wanted.get(answered(frame))) is not None:
                        yield time.monotonic(), found


def question(mac: bytes, source: bytes, target: bytes) -> bytes:
    """A frame that asks who has ``target``."""
    return request(mac, source, target) if len(target) == 4 else solicitation(mac, source, target)


def request(mac: bytes, source: bytes, target: bytes) -> bytes:
    """By ARP, asking everybody."""
    return BROADCAST + mac + b"\x08\x06" + HEADER + REQUEST + mac + source + bytes(6) + target


def solicitation(mac: bytes, source: bytes, target: bytes) -> bytes:
    """By Neighbor Discovery, asking the group that the owner of ``target`` is in, and saying where to answer."""
    message = bytes((ndp.SOLICITATION, 0, 0, 0)) + bytes(4) + target + bytes((ndp.SOURCE_MAC_OPTION, 1)) + mac
    packet = SOLICITATION + source + ndp.group(target) + message
    return ndp.group_mac(target) + mac + ndp.TYPE + packet[:42] + ndp.checksum(packet) + packet[44:]


def answered(frame: bytes) -> bytes:
    """The address that somebody says is theirs, in a reply or an advertisement; no octets for any other frame."""
    if frame[12:14] == b"\x08\x06":
        return frame[28:32] if frame[20:22] == REPLY else b""
    is_advertisement = ndp.invalid(frame) is None and frame[54] == ndp.ADVERTISEMENT
    return frame[62:78] if is_advertisement else b""


def _opened(interface: str, family: int) -> socket.socket:
    asker = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    try:
        asker.bind((interface, ETH_P[family]))
        asker.setblocking(False)
    except OSError:
        asker.close()
        raise
    return asker


def _waiting(asker: socket.socket) -> Iterator[bytes]:
    for _ in range(PORTION):
        try:
            yield asker.recv(ndp.LONGEST)
        except BlockingIOError:
            return
