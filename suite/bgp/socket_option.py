"""The socket options a BGP session needs, as values: nothing here touches a socket.

Numbers are Linux's (uapi/linux/{tcp,in,in6}.h, asm-generic/socket.h); Python's socket module lacks some of them.
"""

import struct
from collections.abc import Iterator
from ipaddress import IPv4Address

from suite.bgp.prefix import Address

Option = tuple[int, int, int | bytes]

MD5_KEY_LIMIT = 80  # TCP_MD5SIG_MAXKEYLEN
INTERNETWORK_CONTROL = 0xC0  # DSCP CS6, which routers put BGP into (RFC 4594 section 3.1)

_SOL_SOCKET, _IPPROTO_IP, _IPPROTO_TCP, _IPPROTO_IPV6 = 1, 0, 6, 41
_SO_BINDTODEVICE = 25
_TCP_NODELAY, _TCP_MD5SIG = 1, 14
_IP_TOS, _IP_TTL, _IP_MINTTL = 1, 2, 21
_IPV6_UNICAST_HOPS, _IPV6_TCLASS, _IPV6_MINHOPCOUNT = 16, 67, 73
_AF_INET, _AF_INET6 = 2, 10


def session_options(address: Address, *, ttl: int | None, security_hops: int | None) -> Iterator[Option]:
    """Options of every socket to this peer.

    `ttl` is what packets leave with, None for the system's default. `security_hops` is RFC 5082: packets leave with
    255, and what arrives from further away than so many hops is dropped by the kernel.
    """
    yield _IPPROTO_TCP, _TCP_NODELAY, 1
    v4 = isinstance(address, IPv4Address)
    level, tos, hops, least = (
        (_IPPROTO_IP, _IP_TOS, _IP_TTL, _IP_MINTTL)
        if v4
        else (_IPPROTO_IPV6, _IPV6_TCLASS, _IPV6_UNICAST_HOPS, _IPV6_MINHOPCOUNT)
    )
    yield level, tos, INTERNETWORK_CONTROL
    if security_hops is not None:
        yield level, hops, 255
        yield level, least, 256 - security_hops
    elif ttl is not None:
        yield level, hops, ttl


def floor_option(family: int, hops: int | None) -> Option:
    """How far away what reaches a socket of family 4 or 6 may come from, listening ones too; None for anywhere."""
    level, least = (_IPPROTO_IP, _IP_MINTTL) if family == 4 else (_IPPROTO_IPV6, _IPV6_MINHOPCOUNT)
    return level, least, 0 if hops is None else 256 - hops


def device_option(device: str) -> Option:
    """Bind to an interface or to a VRF's device."""
    return _SOL_SOCKET, _SO_BINDTODEVICE, device.encode() + b"\0"


def md5_option(address: Address, password: str) -> Option:
    """TCP MD5 (RFC 2385) towards an address, for a socket that connects or listens; an empty password clears it.

    struct tcp_md5sig: sockaddr_storage of 128 octets, flags, prefix length, key length, interface index, key.
    """
    key = password.encode()
    if len(key) > MD5_KEY_LIMIT:
        raise ValueError(f"a TCP MD5 password has at most {MD5_KEY_LIMIT} octets")
    if isinstance(address, IPv4Address):
        where = struct.pack("=HH4s", _AF_INET, 0, address.packed)
    else:
        where = struct.pack("=HHI16s", _AF_INET6, 0, 0, address.packed)
    value = where.ljust(128, b"\0") + struct.pack("=BBHI80s", 0, 0, len(key), 0, key)
    return _IPPROTO_TCP, _TCP_MD5SIG, value
