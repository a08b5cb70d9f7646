"""Reads from the kernel what `checks` judges. Read-only; what cannot be read is left at its default."""

import sys
from collections.abc import Iterator
from contextlib import closing
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from suite.l2.checks import Address, HostFacts
from suite.l2.netlink import Interfaces

CAP_NET_RAW = 13
ROUTE_GATEWAY = 0x2
CONF = Path("/proc/sys/net/ipv4/conf")


def collect() -> HostFacts:
    """The facts of this network namespace, as of now."""
    with closing(Interfaces()) as interfaces:
        known = tuple(interfaces.by_name().values())
    return HostFacts(
        interfaces=known,
        arp_ignore=dict(_settings("arp_ignore")),
        arp_announce=dict(_settings("arp_announce")),
        wireless=frozenset(each.name for each in known if Path("/sys/class/net", each.name, "wireless").exists()),
        has_net_raw=bool(_capabilities() >> CAP_NET_RAW & 1),
        uses_ipvs=any(each.name == "kube-ipvs0" for each in known),
        gateways=frozenset((*_gateways4(), *_gateways6())),
    )


def _settings(name: str) -> Iterator[tuple[str, int]]:
    for folder in CONF.iterdir():
        text = _text(folder / name).strip()
        if text.isdigit():
            yield folder.name, int(text)


def _capabilities() -> int:
    lines = _text(Path("/proc/self/status")).splitlines()
    return next((int(line.split()[1], 16) for line in lines if line.startswith("CapEff:")), 0)


def _gateways4() -> Iterator[Address]:
    """/proc/net/route has addresses as hexadecimal numbers in the machine's byte order."""
    for line in _text(Path("/proc/net/route")).splitlines()[1:]:
        fields = line.split()
        if int(fields[3], 16) & ROUTE_GATEWAY:
            yield IPv4Address(int(fields[2], 16).to_bytes(4, sys.byteorder))


def _gateways6() -> Iterator[Address]:
    for line in _text(Path("/proc/net/ipv6_route")).splitlines():
        fields = line.split()
        if int(fields[8], 16) & ROUTE_GATEWAY:
            yield IPv6Address(bytes.fromhex(fields[4]))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except OSError:
        return ""
