"""The raw ICMPv6 socket that router advertisements come and go through on one interface; needs CAP_NET_RAW."""

import contextlib
import socket
import struct
from ipaddress import IPv6Address

from suite.bgp.advert import HOP_LIMIT, TYPE, advertisement, is_advertisement

ALL_NODES = "ff02::1"
BATCH = 64
LARGEST = 2048

_ICMP6_FILTER = 1  # netinet/icmp6.h; a set bit blocks the type
_IPV6_RECVHOPLIMIT, _IPV6_HOPLIMIT = 51, 52


class AdvertLink:
    """One interface. OSError if it is not there or the privilege is missing."""

    def __init__(self, interface: str) -> None:
        self._interface = interface
        self._index = socket.if_nametoindex(interface)
        self._socket = socket.socket(socket.AF_INET6, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.IPPROTO_ICMPV6)
        try:
            self._prepare()
        except OSError:
            self._socket.close()
            raise

    def fileno(self) -> int:
        """Readable when `receive` has something."""
        return self._socket.fileno()

    @property
    def is_gone(self) -> bool:
        """Whether the interface was removed, or another one has its name now."""
        try:
            return socket.if_nametoindex(self._interface) != self._index
        except OSError:
            return True

    def send(self) -> None:
        """Tell everybody on the link that we are here. A link that is down is told when it is up: it is repeated."""
        with contextlib.suppress(OSError):
            self._socket.sendto(advertisement(), (ALL_NODES, 0, 0, self._index))

    def receive(self) -> list[IPv6Address]:
        """Who has advertised itself, with the interface as zone; a portion at most, never waits."""
        heard = []
        for _ in range(BATCH):
            try:
                octets, ancillary, _flags, source = self._socket.recvmsg(LARGEST, 64)
            except OSError:  # nothing more, or the link went down; the next read is about something else
                break
            address = IPv6Address(f"{source[0].partition('%')[0]}%{self._interface}")
            if is_advertisement(octets, address, _hop_limit(ancillary)):
                heard.append(address)
        return heard

    def close(self) -> None:
        self._socket.close()

    def _prepare(self) -> None:
        wanted = bytearray(b"\xff" * 32)
        wanted[TYPE // 8] &= ~(1 << TYPE % 8) & 0xFF
        raw, ipv6 = self._socket, socket.IPPROTO_IPV6
        raw.setsockopt(socket.IPPROTO_ICMPV6, _ICMP6_FILTER, _words(wanted))
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, self._interface.encode() + b"\0")
        raw.setsockopt(ipv6, _IPV6_RECVHOPLIMIT, 1)
        raw.setsockopt(ipv6, socket.IPV6_MULTICAST_HOPS, HOP_LIMIT)
        raw.setsockopt(ipv6, socket.IPV6_MULTICAST_IF, self._index)
        raw.setsockopt(ipv6, socket.IPV6_MULTICAST_LOOP, 0)


def _words(bits: bytes | bytearray) -> bytes:
    """Bit n of the filter stands in 32-bit word n / 32 of this machine's byte order."""
    return struct.pack("=8I", *struct.unpack("<8I", bits))


def _hop_limit(ancillary: list[tuple[int, int, bytes]]) -> int:
    """What a packet arrived with; 0 if the kernel did not say."""
    wanted = (socket.IPPROTO_IPV6, _IPV6_HOPLIMIT)
    return next((struct.unpack("=i", value[:4])[0] for level, kind, value in ancillary if (level, kind) == wanted), 0)
