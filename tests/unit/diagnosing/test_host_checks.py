"""What `suite doctor` finds wrong with a machine that should announce addresses, and what it leaves alone."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_interface

import pytest

from suite.l2.checks import Check, HostFacts, Intent, Weight, examine, subnet_ends
from suite.l2.rtnetlink import BROADCASTS, LOOPBACK, LOWER_UP, NO_ARP, UP, Interface

VIP = ip_address("10.0.42.0")
ETH0 = Interface(
    2,
    "eth0",
    bytes.fromhex("020000001001"),
    UP | LOWER_UP | BROADCASTS,
    addresses=frozenset({ip_interface("10.0.10.1/16")}),
)
LO = Interface(
    1, "lo", bytes(6), UP | LOWER_UP | LOOPBACK, is_ethernet=False, addresses=frozenset({ip_interface("10.0.42.0/32")})
)
SOUND = HostFacts(interfaces=(LO, ETH0), arp_ignore={"all": 1}, arp_announce={"all": 2})
INTENT = Intent(vips=(VIP,), pools=((VIP, ip_address("10.0.42.255")),))


def found(facts: HostFacts = SOUND, intent: Intent = INTENT) -> list[tuple[Check, Weight]]:
    return [(finding.check, finding.weight) for finding in examine(facts, intent)]


def test_a_sound_machine_has_no_findings() -> None:
    assert found() == []


@pytest.mark.parametrize(
    ("facts", "finding"),
    [
        pytest.param(replace(SOUND, has_net_raw=False), (Check.PRIVILEGE, Weight.ERROR), id="no CAP_NET_RAW"),
        pytest.param(replace(SOUND, arp_ignore={"all": 0}), (Check.ARP_IGNORE, Weight.ERROR), id="the kernel answers"),
        pytest.param(replace(SOUND, arp_announce={}), (Check.ARP_ANNOUNCE, Weight.WARNING), id="the kernel announces"),
        pytest.param(replace(SOUND, wireless=frozenset({"eth0"})), (Check.WIRELESS, Weight.WARNING), id="Wi-Fi"),
        pytest.param(replace(SOUND, interfaces=(LO,)), (Check.NO_INTERFACE, Weight.ERROR), id="only lo"),
        pytest.param(
            replace(SOUND, interfaces=(LO, ETH0, replace(ETH0, index=3, name="eth1", master=9))),
            (Check.ENSLAVED, Weight.WARNING),
            id="bridge port with an address",
        ),
        pytest.param(
            replace(SOUND, interfaces=(LO, replace(ETH0, addresses=frozenset({ip_interface("10.0.42.0/16")})))),
            (Check.ADDRESS_ON_INTERFACE, Weight.ERROR),
            id="the VIP on the LAN's interface",
        ),
        pytest.param(
            replace(SOUND, interfaces=(replace(LO, addresses=frozenset()), ETH0)),
            (Check.ADDRESS_MISSING, Weight.WARNING),
            id="the VIP nowhere",
        ),
        pytest.param(
            replace(SOUND, gateways=frozenset({ip_address("10.0.42.1")})),
            (Check.POOL_OVERLAP, Weight.ERROR),
            id="gateway",
        ),
    ],
)
def test_what_is_wrong_with_a_machine_is_found(facts: HostFacts, finding: tuple[Check, Weight]) -> None:
    assert finding in found(facts)


def test_ipvs_without_strict_arp_is_found_and_with_it_is_not() -> None:
    lax = replace(SOUND, uses_ipvs=True, arp_ignore={"all": 0}, interfaces=(replace(LO, addresses=frozenset()), ETH0))

    assert (Check.IPVS_STRICT_ARP, Weight.ERROR) in found(lax)
    assert found(replace(lax, arp_ignore={"all": 1})) == []


@pytest.mark.parametrize(
    ("intent", "check"),
    [
        pytest.param(replace(INTENT, nodes=frozenset({ip_address("10.0.42.7")})), Check.POOL_OVERLAP, id="a node"),
        pytest.param(replace(INTENT, dhcp_offers=(ip_address("10.0.42.8"),)), Check.DHCP_OVERLAP, id="a DHCP client"),
    ],
)
def test_a_pool_that_holds_somebody_elses_address_is_found(intent: Intent, check: Check) -> None:
    assert [finding for finding, _ in found(intent=intent)] == [check]


def test_the_ends_of_the_subnets_are_known_with_their_links() -> None:
    addresses = frozenset({ip_interface("10.0.10.1/16"), ip_interface("fd00:42::1:1/64"), ip_interface("10.9.0.1/31")})
    facts = replace(SOUND, interfaces=(LO, replace(ETH0, addresses=addresses)))

    assert [(str(address), what) for address, what in subnet_ends(facts)] == [
        ("10.0.0.0", "the first of 10.0.0.0/16 on eth0"),
        ("10.0.255.255", "the broadcast address of 10.0.0.0/16 on eth0"),
        ("fd00:42::", "the first of fd00:42::/64 on eth0"),
    ]


def test_bound_addresses_need_no_other_device() -> None:
    assert (
        found(
            replace(SOUND, interfaces=(replace(LO, addresses=frozenset()), ETH0)), replace(INTENT, binds_addresses=True)
        )
        == []
    )


def test_every_finding_says_what_to_type() -> None:
    findings = examine(replace(SOUND, arp_ignore={}, arp_announce={}), INTENT)

    assert [finding.cure for finding in findings] == [
        "sysctl -w net.ipv4.conf.all.arp_ignore=1",
        "sysctl -w net.ipv4.conf.all.arp_announce=2",
    ]


@pytest.mark.parametrize(
    ("interface", "why"),
    [
        pytest.param(ETH0, None, id="usable"),
        pytest.param(replace(ETH0, flags=BROADCASTS), "is down", id="down"),
        pytest.param(replace(ETH0, flags=UP | BROADCASTS), "has no carrier", id="no carrier"),
        pytest.param(replace(ETH0, flags=ETH0.flags | NO_ARP), "has ARP switched off", id="no ARP"),
        pytest.param(replace(ETH0, flags=UP | LOWER_UP), "cannot broadcast", id="point to point"),
        pytest.param(
            replace(ETH0, master=7), "is enslaved to a bridge or bond; announce on that instead", id="bridge port"
        ),
        pytest.param(LO, "is no Ethernet interface", id="loopback"),
        pytest.param(replace(ETH0, mac=bytes(6)), "has no MAC address", id="no MAC"),
    ],
)
def test_an_interface_says_why_nothing_can_be_announced_on_it(interface: Interface, why: str | None) -> None:
    assert interface.why_unusable == why
