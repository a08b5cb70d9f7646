"""Reading the kernel's tables below /proc: pure functions from their text (proc(5))."""

import sys
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address

from suite.model.address import Address

LISTENING = "0A"
"""State of a listening TCP socket (TCP_LISTEN in tcp_states.h)."""
ROUTE_GATEWAY = 0x2
"""RTF_GATEWAY in route.h."""


def effective_capabilities(status: str) -> int:
    """CapEff of /proc/self/status as a bit set; 0 where it does not say."""
    values = (line.split(":")[1] for line in status.splitlines() if line.startswith("CapEff:"))
    return int(next(values, "0").strip(), 16)


def resolvers(resolv_conf: str) -> tuple[Address, ...]:
    """The name servers of /etc/resolv.conf (resolv.conf(5)), in order; what is no address is passed over."""
    words = (line.split() for line in resolv_conf.splitlines())
    found: dict[Address, None] = {}
    for each in words:
        if each[:1] == ["nameserver"] and len(each) > 1:
            with suppress(ValueError):
                found[ip_address(each[1].partition("%")[0])] = None
    return tuple(found)


def local_addresses(fib_trie: str) -> tuple[Address, ...]:
    """This machine's IPv4 addresses in /proc/net/fib_trie, without the loopback's."""
    found: dict[Address, None] = {}
    leaf = ""
    for line in fib_trie.splitlines():
        words = line.split()
        if words[:1] == ["|--"] and len(words) == 2:
            leaf = words[1]
        elif words[:3] == ["/32", "host", "LOCAL"] and not leaf.startswith("127."):
            found[IPv4Address(leaf)] = None
    return tuple(found)


def local_addresses6(if_inet6: str) -> tuple[Address, ...]:
    """This machine's global IPv6 addresses in /proc/net/if_inet6."""
    rows = (line.split() for line in if_inet6.splitlines())
    return tuple(IPv6Address(bytes.fromhex(row[0])) for row in rows if len(row) == 6 and row[3] == "00")


def gateways(route: str) -> tuple[Address, ...]:
    """IPv4 gateways in /proc/net/route."""
    rows = [line.split() for line in route.splitlines()[1:]]
    found = (row[2] for row in rows if len(row) > 3 and int(row[3], 16) & ROUTE_GATEWAY)
    return tuple(dict.fromkeys(_address4(octets) for octets in found))


def gateways6(ipv6_route: str) -> tuple[Address, ...]:
    """IPv6 gateways in /proc/net/ipv6_route, link-local ones left out: they are in no pool."""
    rows = [line.split() for line in ipv6_route.splitlines()]
    found = (IPv6Address(bytes.fromhex(row[4])) for row in rows if len(row) > 8 and int(row[8], 16) & ROUTE_GATEWAY)
    return tuple(dict.fromkeys(each for each in found if not each.is_link_local))


def listeners(table: str, *, is_tcp: bool) -> Iterator[tuple[Address, int, int]]:
    """(address, port, inode) of bound sockets in /proc/net/udp, udp6, tcp and tcp6; of TCP only listening ones."""
    for line in table.splitlines()[1:]:
        row = line.split()
        if len(row) > 9 and (not is_tcp or row[3] == LISTENING):
            host, port = row[1].split(":")
            yield (_address4(host) if len(host) == 8 else _address6(host)), int(port, 16), int(row[9])


def _address4(digits: str) -> Address:
    """The kernel prints a 32-bit word as this machine reads it."""
    return IPv4Address(int(digits, 16).to_bytes(4, sys.byteorder))


def _address6(digits: str) -> Address:
    """Four such words."""
    words = (digits[at : at + 8] for at in range(0, 32, 8))
    address = IPv6Address(b"".join(int(word, 16).to_bytes(4, sys.byteorder) for word in words))
    return address.ipv4_mapped or address
