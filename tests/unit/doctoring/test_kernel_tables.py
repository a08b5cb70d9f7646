"""The kernel's tables are read as proc(5) writes them; samples are from Linux 6.1, x86-64 (little-endian words)."""

import sys
from ipaddress import ip_address

import pytest

from suite.cli import procfs

little_endian = pytest.mark.skipif(sys.byteorder != "little", reason="the samples are of a little-endian machine")

FIB_TRIE = """Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     |-- 10.0.42.0
        /24 link UNICAST
     |-- 10.0.42.9
        /32 host LOCAL
     |-- 127.0.0.1
        /32 host LOCAL
Local:
     |-- 10.0.42.9
        /32 host LOCAL
     |-- 10.0.42.255
        /32 link BROADCAST
"""
IF_INET6 = """fd000000000000000000000000000009 02 40 00 80     eth0
fe800000000000000042acfffe110002 02 40 20 80     eth0
00000000000000000000000000000001 01 80 10 80       lo
"""
ROUTE = """Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t012A000A\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t002A000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
"""
IPV6_ROUTE = (
    "00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
    "fd000000000000000000000000000001 00000400 00000001 00000000 00000003     eth0\n"
    "00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
    "fe800000000000000000000000000001 00000400 00000001 00000000 00000003     eth0\n"
)
HEADER = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
UDP = (
    HEADER + "  12: 3500007F:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000   101        0 23456 2 0 0\n"
)
TCP = HEADER + (
    "   0: 00000000:041D 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 777 1 0 100 0\n"
    "   1: 0100007F:041D 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 778 1 0 20 4\n"
)
UDP6 = HEADER + (
    "   0: 00000000000000000000000000000000:0035 00000000000000000000000000000000:0000 07 "
    "00000000:00000000 00:00000000 00000000     0        0 99 2 0 0\n"
)


def test_own_addresses_are_found_once_and_without_the_loopback():
    assert procfs.local_addresses(FIB_TRIE) == (ip_address("10.0.42.9"),)


def test_global_ipv6_addresses_are_found():
    assert procfs.local_addresses6(IF_INET6) == (ip_address("fd00::9"),)


@little_endian
def test_the_gateway_is_found():
    assert procfs.gateways(ROUTE) == (ip_address("10.0.42.1"),)


def test_ipv6_gateways_that_could_be_in_a_pool_are_found():
    assert procfs.gateways6(IPV6_ROUTE) == (ip_address("fd00::1"),)


@little_endian
def test_bound_udp_sockets_are_found():
    assert list(procfs.listeners(UDP, is_tcp=False)) == [(ip_address("127.0.0.53"), 53, 23456)]


def test_of_tcp_only_listening_sockets_count():
    assert list(procfs.listeners(TCP, is_tcp=True)) == [(ip_address("0.0.0.0"), 1053, 777)]


def test_ipv6_sockets_are_found():
    assert list(procfs.listeners(UDP6, is_tcp=False)) == [(ip_address("::"), 53, 99)]


def test_capabilities_are_a_bit_set():
    assert procfs.effective_capabilities("Name:\tx\nCapEff:\t0000000000002000\n") == 1 << 13


@pytest.mark.parametrize(
    "read",
    [
        procfs.effective_capabilities,
        procfs.local_addresses,
        procfs.local_addresses6,
        procfs.gateways,
        procfs.gateways6,
        lambda text: list(procfs.listeners(text, is_tcp=False)),
    ],
)
def test_a_table_this_kernel_does_not_have_is_empty(read):
    assert not read("")
