"""The doctor names what is wrong with a machine, and the line that mends it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_interface
from pathlib import Path

import pytest

from suite.cli.finding import Finding, Severity
from suite.cli.health import CAP_NET_BIND_SERVICE, CAP_NET_RAW, Facts, Listener, examine
from suite.l2.checks import HostFacts
from suite.l2.rtnetlink import BROADCASTS, LOWER_UP, UP, Interface
from suite.model.address import parse_range
from suite.model.advertisement import L2Advertisement
from suite.model.configuration import Configuration, DnsSettings, L2Settings, Listen
from suite.model.node import Node
from suite.model.pool import Pool
from suite.model.problem import Problem

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
POOL = Pool("lan", (parse_range("10.0.42.0/24"),), excluded=(parse_range("10.0.42.254"),))
CONFIGURATION = Configuration(
    (POOL,),
    l2_advertisements=(L2Advertisement(),),
    dns=DnsSettings(listen=(Listen(ip_address("127.0.0.1"), 1053),)),
)
WELL = Facts(capabilities=1 << CAP_NET_RAW, configuration=CONFIGURATION, database="sqlite:////d/suite.db")


def trouble(**differences):
    found = examine(replace(WELL, **differences))
    return [(each.check, each.severity.value, each.text) for each in found if each.severity is not Severity.OK]


def listening_on(*listens, **differences):
    dns = DnsSettings(listen=tuple(Listen(ip_address(address), port) for address, port in listens))
    return trouble(configuration=replace(CONFIGURATION, dns=dns), **differences)


def test_a_machine_without_trouble_is_told_so():
    assert trouble() == []


@pytest.mark.parametrize(
    ("differences", "expected"),
    [
        pytest.param({"python": (3, 10)}, ("python", "error", "Python 3.10"), id="python"),
        pytest.param(
            {"state": Path("/s"), "state_fault": "cannot be written"},
            ("state", "error", "/s cannot be written"),
            id="state-closed",
        ),
        pytest.param(
            {"state": Path("/s"), "state_mode": 0o755},
            ("state", "warning", "/s can be opened by others (mode 0755)"),
            id="state-open",
        ),
        pytest.param(
            {"state": Path("/s"), "free_disk": 3 << 20}, ("disk", "error", "3 MiB free where /s is"), id="disk"
        ),
        pytest.param({"database_fault": "it is away"}, ("database", "error", "it is away"), id="database"),
        pytest.param(
            {"has_database": True, "chain_fault": "event 7.1 was changed"},
            ("audit", "error", "event 7.1 was changed"),
            id="audit",
        ),
        pytest.param(
            {"now": NOW, "database_time": NOW + timedelta(minutes=1)},
            (
                "clock",
                "warning",
                "this machine's clock is 60 seconds behind the newest commit; times stand still until it catches up",
            ),
            id="clock",
        ),
        pytest.param(
            {"config": "c.yaml", "problems": (Problem("dns", "no", source="c.yaml", line=3),)},
            ("configuration", "error", "c.yaml:3: dns: no"),
            id="configuration",
        ),
        pytest.param(
            {"configuration": Configuration()},
            ("configuration", "warning", "no pool is configured, so no Service gets an address"),
            id="no-pool",
        ),
        pytest.param(
            {"host_addresses": (ip_address("10.0.42.1"),)},
            ("pools", "error", "10.0.42.1 in pool lan is this machine's own"),
            id="own-address",
        ),
        pytest.param(
            {"gateways": (ip_address("10.0.42.9"),)},
            ("pools", "error", "10.0.42.9 in pool lan is the gateway's"),
            id="gateway",
        ),
        pytest.param(
            {"capabilities": 0},
            (
                "privilege",
                "warning",
                "CAP_NET_RAW is missing, so this machine announces nothing by ARP and NDP; addresses and names work",
            ),
            id="privilege",
        ),
    ],
)
def test_one_trouble_is_one_finding(differences, expected):
    assert trouble(**differences) == [expected]


def test_every_trouble_comes_with_a_fix():
    found = examine(
        replace(
            WELL,
            python=(3, 9),
            state_mode=0o777,
            free_disk=0,
            capabilities=0,
            database_fault="away",
            host_addresses=(ip_address("10.0.42.1"),),
        )
    )

    assert all(each.fix for each in found if each.severity is not Severity.OK)


def test_an_address_that_a_service_has_may_stand_on_the_machine_but_for_a_node_s_own():
    vip, node = ip_address("10.0.42.1"), Node("compute1", addresses=(ip_address("10.0.42.2"),))
    own = {"host_addresses": (vip, *node.addresses), "leased": frozenset((vip, *node.addresses))}

    assert trouble(nodes=(node,), **own) == [("pools", "error", "10.0.42.2 in pool lan is this machine's own")]


def test_an_excluded_address_may_be_the_gateway_s():
    assert trouble(gateways=(ip_address("10.0.42.254"),)) == []


def test_a_privilege_nobody_needs_is_not_missed():
    assert trouble(capabilities=0, configuration=replace(CONFIGURATION, l2_advertisements=())) == []


@pytest.mark.parametrize(
    ("configured", "running", "is_missed"),
    [
        pytest.param(("controller", "web"), (), False, id="the-configuration-has-no-speaker"),
        pytest.param(("controller", "speaker"), ("controller", "web"), False, id="the-running-suite-has-none"),
        pytest.param(("controller", "web"), ("speaker", "web"), True, id="the-running-suite-has-one"),
    ],
)
def test_the_privilege_to_announce_is_missed_only_where_a_speaker_runs(configured, running, is_missed):
    found = trouble(capabilities=0, configuration=replace(CONFIGURATION, roles=configured), running=frozenset(running))

    assert [check for check, *_ in found] == ["privilege"] * is_missed


def test_a_low_port_needs_a_privilege():
    assert listening_on(("10.0.0.1", 53)) == [("ports", "error", "10.0.0.1:53 needs a privilege that this user lacks")]
    assert listening_on(("10.0.0.1", 53), capabilities=1 << CAP_NET_BIND_SERVICE | 1 << CAP_NET_RAW) == []
    assert listening_on(("10.0.0.1", 53), unprivileged_port=53) == []


@pytest.mark.parametrize(
    ("configured", "running", "is_missed"),
    [
        pytest.param(("controller", "web"), (), False, id="the-configuration-has-no-nameserver"),
        pytest.param(("controller", "nameserver"), ("controller", "web"), False, id="the-running-suite-has-none"),
        pytest.param(("controller", "web"), ("nameserver",), True, id="the-running-suite-has-one"),
    ],
)
def test_ports_for_names_are_looked_at_only_where_a_nameserver_runs(configured, running, is_missed):
    dns = DnsSettings(listen=(Listen(ip_address("10.0.0.1"), 53),))
    configuration = replace(CONFIGURATION, dns=dns, roles=configured)

    assert [check for check, *_ in trouble(configuration=configuration, running=frozenset(running))] == [
        "ports"
    ] * is_missed


@pytest.mark.parametrize(
    ("ours", "theirs", "clashes"),
    [
        pytest.param("127.0.0.1", "127.0.0.1", True, id="same"),
        pytest.param("127.0.0.1", "127.0.0.53", False, id="other"),
        pytest.param("0.0.0.0", "127.0.0.53", True, id="ours-is-every-address"),
        pytest.param("10.0.0.1", "0.0.0.0", True, id="theirs-is-every-address"),
        pytest.param("10.0.0.1", "::", True, id="theirs-is-every-address-of-both-families"),
        pytest.param("fd00::1", "0.0.0.0", False, id="other-family"),
    ],
)
def test_a_taken_port_is_seen_where_it_matters(ours, theirs, clashes):
    rival = Listener(ip_address(theirs), 1053, "udp", "dnsmasq")

    assert bool(listening_on((ours, 1053), listeners=(rival,))) is clashes


def test_the_one_who_has_the_port_is_named():
    rival = Listener(ip_address("127.0.0.1"), 1053, "udp", "dnsmasq")

    assert trouble(listeners=(rival,)) == [
        ("ports", "error", "127.0.0.1:1053 is taken by dnsmasq (127.0.0.1 port 1053/udp)")
    ]


def test_the_stub_of_systemd_has_a_fix_of_its_own():
    rival = Listener(ip_address("127.0.0.53"), 1053, "udp", "systemd-resolve")
    dns = DnsSettings(listen=(Listen(ip_address("0.0.0.0"), 1053),))

    *_, finding = examine(replace(WELL, configuration=replace(CONFIGURATION, dns=dns), listeners=(rival,)))

    assert "DNSStubListener=no" in finding.fix


def test_a_running_suite_is_not_its_own_rival():
    rival = Listener(ip_address("127.0.0.1"), 1053, "udp", "suite")

    assert trouble(listeners=(rival,), is_running=True) == []


def test_what_is_not_there_yet_is_no_trouble():
    assert Finding("database", Severity.OK, "sqlite:////d/suite.db will be made at the first start") in examine(WELL)


def test_a_machine_that_follows_a_controller_lacks_no_database():
    finding = Finding("database", Severity.OK, "this machine follows a controller, and needs none")

    assert finding in examine(replace(WELL, follows=True))


def test_what_is_well_is_told_too():
    well = replace(
        WELL,
        state=Path("/s"),
        state_mode=0o700,
        free_disk=1 << 30,
        has_database=True,
        now=NOW,
        database_time=NOW,
        config="c.yaml",
    )

    assert [each.text for each in examine(well)] == [
        "Python 3.11",
        "/s is ours alone",
        "1024 MiB free where /s is",
        "sqlite:////d/suite.db answers and has the schema of this release",
        "the log's chain of hashes is whole",
        "the clock is not behind the database",
        "c.yaml can be used",
        "no pool holds an address of this machine or its gateway",
        "CAP_NET_RAW is there, so layer 2 can be announced",
        "127.0.0.1:1053 is free",
    ]


VIPS = ip_address("10.0.42.1"), ip_address("10.0.42.2")


def host(**differences):
    own = frozenset({ip_interface("10.0.10.1/16")})
    eth0 = Interface(2, "eth0", b"\x02\0\0\0\0\1", UP | LOWER_UP | BROADCASTS, addresses=own)
    return HostFacts(**{"interfaces": (eth0,), "arp_ignore": {"all": 1}, "arp_announce": {"all": 2}} | differences)


def test_addresses_on_no_device_are_one_finding():
    [(check, severity, text)] = trouble(host=host(), vips=VIPS)

    assert (check, severity) == ("layer2", "warning")
    assert text.startswith("10.0.42.1 stands on no device")
    assert text.endswith("(and 1 more alike)")


def test_in_a_cluster_kube_proxy_takes_the_packets():
    assert trouble(host=host(), vips=VIPS, is_cluster=True) == []


def test_a_kernel_that_answers_for_every_node_is_found():
    bound = replace(CONFIGURATION, l2=L2Settings(bind_address=True))

    [(check, severity, text)] = trouble(host=host(arp_ignore={"all": 0}), vips=VIPS, configuration=bound)

    assert (check, severity) == ("layer2", "error")
    assert text.startswith("arp_ignore is 0 on eth0")


def test_a_nodes_address_in_a_pool_is_found():
    nodes = (Node("compute1", addresses=(ip_address("10.0.42.7"),)),)

    assert trouble(configuration=replace(CONFIGURATION, nodes=nodes)) == [
        ("pools", "error", "10.0.42.7 in pool lan is node compute1's")
    ]


def test_a_node_that_only_the_cluster_knows_is_looked_at_too():
    nodes = (Node("compute1", addresses=(ip_address("10.0.42.7"),)),)

    assert trouble(nodes=nodes) == [("pools", "error", "10.0.42.7 in pool lan is node compute1's")]


def test_an_address_that_dhcp_gives_out_is_found_in_its_pool():
    found = trouble(dhcp=(ip_address("10.0.42.7"), ip_address("10.0.99.9")))

    assert found == [
        ("pools", "warning", "10.0.42.7 in pool lan is given out by DHCP: a machine gets it first, or later")
    ]


def test_a_pool_with_an_end_of_this_machine_s_subnet_is_told():
    eth0 = replace(host().interfaces[0], addresses=frozenset({ip_interface("10.0.42.7/24")}))
    why = "nobody would announce it by layer 2"

    assert [text for check, _, text in trouble(host=host(interfaces=(eth0,))) if check == "pools"] == [
        f"10.0.42.0 in pool lan is the first of 10.0.42.0/24 on eth0: {why}",
        f"10.0.42.255 in pool lan is the broadcast address of 10.0.42.0/24 on eth0: {why}",
    ]


def test_the_ends_of_a_subnet_matter_to_layer_2_alone():
    eth0 = replace(host().interfaces[0], addresses=frozenset({ip_interface("10.0.42.7/24")}))
    configuration = replace(CONFIGURATION, l2_advertisements=())

    assert trouble(host=host(interfaces=(eth0,)), configuration=configuration) == []
