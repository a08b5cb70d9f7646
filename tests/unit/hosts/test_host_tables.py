"""Host tables are written from the names that are served, and read to be taken over."""

import json
from datetime import UTC, datetime
from ipaddress import ip_address

import pytest
from rpds import HashTrieMap

from suite.cli.host_table import Host, dnsmasq_file, hosts_file, hosts_of, proposals, read_table, usg_tree
from suite.model.address import parse_range
from suite.model.configuration import Configuration
from suite.model.lease import Lease, LeaseState
from suite.model.pool import Pool
from suite.model.service import ServiceRef
from suite.model.snapshot import Snapshot

VIP = ip_address("10.10.10.10")
DASHBOARD = Host(
    (VIP,), ("k8s-dashboard.service", "kubernetes-dashboard.kubernetes-dashboard.service", "k8s-dashboard")
)
PAIRS = [(name + ".", VIP) for name in reversed(DASHBOARD.names)]


def test_names_of_one_address_are_one_host_and_the_short_name_with_a_domain_goes_first() -> None:
    assert hosts_of(PAIRS) == [DASHBOARD]


def test_the_hosts_file_has_one_line_for_each_address() -> None:
    hosts = hosts_of([("both.service.", VIP), ("both.service.", ip_address("2001:db8::10"))])

    assert hosts_file(hosts) == "10.10.10.10\tboth.service\n2001:db8::10\tboth.service\n"


def test_dnsmasq_gets_host_records() -> None:
    assert dnsmasq_file([Host((VIP,), ("a.service", "a"))]) == "host-record=a.service,a,10.10.10.10\n"


def test_the_gateway_gets_what_the_story_typed_by_hand() -> None:
    tree = usg_tree([Host((VIP,), ("k8s-dashboard.service", "k8s-dashboard"))])

    assert tree["system"]["static-host-mapping"]["host-name"] == {
        "k8s-dashboard.service": {"alias": ["k8s-dashboard"], "inet": ["10.10.10.10"]}
    }


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1 localhost\n::1 ip6-localhost\n10.10.10.10\tk8s-dashboard.service k8s-dashboard # ours\n\n",
        json.dumps(usg_tree([Host((VIP,), ("k8s-dashboard.service", "k8s-dashboard"))])),
    ],
    ids=["/etc/hosts", "config.gateway.json"],
)
def test_a_table_is_read_without_what_is_nobody_s_host(text: str) -> None:
    assert read_table(text) == [Host((VIP,), ("k8s-dashboard.service", "k8s-dashboard"))]


@pytest.mark.parametrize(
    ("text", "fault"),
    [("10.10.10 printer\n", "line 1: "), ('{"system": ', "line 1: no valid JSON")],
    ids=["no address", "cut off"],
)
def test_a_table_that_cannot_be_read_is_refused_with_its_place(text: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        read_table(text)


def snapshot(*leases: Lease) -> Snapshot:
    configuration = Configuration(pools=(Pool("bgp", (parse_range("10.10.10.10-10.10.10.250"),)),))
    return Snapshot(configuration=configuration, leases=HashTrieMap({lease.address: (lease,) for lease in leases}))


def proposed(address: str, *leases: Lease) -> list[tuple[str, str]]:
    found = proposals([Host((ip_address(address),), ("box.service", "box"))], snapshot(*leases))
    return [(each.section, each.text) for each in found]


def test_a_name_whose_address_is_leased_follows_the_service() -> None:
    lease = Lease(VIP, ServiceRef("kube", "dashboard"), "bgp", LeaseState.BOUND, "", datetime(2026, 11, 22, tzinfo=UTC))

    assert proposed("10.10.10.10", lease) == [
        ("dns.hosts", "{name: box.service, service: kube/dashboard, aliases: [box]}")
    ]


def test_an_address_of_a_pool_that_nobody_has_is_reserved_and_keeps_its_name() -> None:
    assert proposed("10.10.10.99") == [
        ("dns.hosts", "{name: box.service, addresses: [10.10.10.99], aliases: [box]}"),
        ("reservations", '{address: 10.10.10.99, note: "box.service box"}'),
    ]


def test_any_other_address_is_taken_as_it_stands() -> None:
    assert proposed("192.168.1.9") == [("dns.hosts", "{name: box.service, addresses: [192.168.1.9], aliases: [box]}")]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("nas",), [("dns.hosts", "{name: nas, addresses: [192.168.1.9], aliases: [nas]}")]),
        (("nas", "nas.service"), [("dns.hosts", "{name: nas.service, addresses: [192.168.1.9], aliases: [nas]}")]),
        (
            ("nas", "nas.lan"),
            [("left", "nas.lan (192.168.1.9)"), ("dns.hosts", "{name: nas, addresses: [192.168.1.9], aliases: [nas]}")],
        ),
        (("nas.local",), [("left", "nas.local (192.168.1.9)")]),
    ],
    ids=["a bare name", "the bare name first", "one name elsewhere", "all names elsewhere"],
)
def test_a_name_goes_on_being_answered_as_it_was_or_stays_in_the_table(
    names: tuple[str, ...], expected: list[tuple[str, str]]
) -> None:
    found = proposals([Host((ip_address("192.168.1.9"),), names)], snapshot())

    assert [(each.section, each.text) for each in found] == expected
