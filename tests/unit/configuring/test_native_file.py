"""Our own file, and the ConfigMap of old within it."""

from ipaddress import IPv4Address

import pytest

from suite.config.document import from_object, read_file, read_text
from suite.config.loading import load
from suite.model.advertisement import BgpAdvertisement, L2Advertisement
from suite.model.configuration import Listen, RateLimit, StaticHost
from suite.model.lease import Reservation
from suite.model.node import Node
from suite.model.peer import Peer, SecretRef
from suite.model.service import ServiceRef

COFFEE = (
    "address-pools:\n- name: default\n  protocol: layer2\n  addresses:\n"
    "  - 10.0.42.0/24   \n"  # the published text has blanks at the end
)
DASHBOARD = """\
peers: [{peer-address: 192.168.1.1, peer-asn: 64512, my-asn: 64512}]
address-pools: [{name: bgp, protocol: bgp, addresses: [10.10.10.10-10.10.10.250]}]
"""


def configured(text):
    outcome = load(read_text(text, "suite.yaml"))
    assert outcome.errors == ()
    return outcome.configuration


def wrapped(text):
    body = "".join(f"    {line}\n" for line in text.splitlines())
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{namespace: metallb-system, name: config}}\ndata:\n  config: |\n{body}"


def test_a_layer2_pool_is_announced_by_every_node_everywhere():
    assert configured(COFFEE).l2_advertisements == (L2Advertisement("l2advertisement1", pools=("default",)),)


def test_a_bgp_pool_without_advertisements_gets_one_with_the_defaults():
    assert configured(DASHBOARD).bgp_advertisements == (BgpAdvertisement("bgpadvertisement1", pools=("bgp",)),)


def test_a_peer_of_the_old_format_has_its_default_timers():
    assert configured(DASHBOARD).peers == (
        Peer("peer1", 64512, 64512, address=IPv4Address("192.168.1.1"), hold_time=90.0, keepalive_time=30.0),
    )


@pytest.mark.parametrize("text", [COFFEE, DASHBOARD], ids=["coffee", "dashboard"])
def test_a_config_map_says_what_its_content_says(text):
    assert configured(wrapped(text)) == configured(text)


def test_a_config_map_from_a_cluster_says_the_same():
    given = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "config"}, "data": {"config": COFFEE}}

    assert load(from_object(given), strict=False).configuration == configured(COFFEE)


def test_a_problem_inside_a_config_map_has_its_line_in_the_file():
    (problem,) = load(read_text(wrapped(COFFEE.replace("layer2", "layer3")), "c.yaml")).problems

    assert str(problem) == (
        "c.yaml:8: address-pools[0].protocol: expected one of layer2, bgp, none, found 'layer3'; did you mean 'layer2'?"
    )


def test_several_documents_are_one_configuration():
    assert [pool.name for pool in configured(f"{COFFEE}---\n{DASHBOARD}").pools] == ["default", "bgp"]


def test_the_order_and_style_of_keys_leave_the_digest_alone():
    one = configured("hold-time: 1h\ncooling-time: 11m\n").digest

    assert configured("# the same\ncooling-time:   11m\nhold-time: 1h\n").digest == one


def test_a_reservation_is_for_a_name_or_for_nobody():
    text = COFFEE + "reservations:\n- {address: 10.0.42.7, name: coffee, note: cups}\n- address: 10.0.42.8-10.0.42.9\n"

    assert configured(text).reservations == (
        Reservation(IPv4Address("10.0.42.7"), ServiceRef("default", "coffee"), "cups", "config"),
        Reservation(IPv4Address("10.0.42.8"), None, "", "config", IPv4Address("10.0.42.9")),
    )


def test_excluded_addresses_are_not_the_pools_to_lease():
    (pool,) = configured(COFFEE + "  excluded: 10.0.42.0-10.0.42.9\n").pools

    assert IPv4Address("10.0.42.9") not in pool
    assert IPv4Address("10.0.42.10") in pool


@pytest.mark.parametrize(
    ("written", "full"),
    [
        ("printer", "printer.service."),
        ("printer.service", "printer.service."),
        ("printer.lab", "printer.lab."),
        ("printer.other", "printer.other.service."),
        ("printer.lab.", "printer.lab."),
        ("Printer", "printer.service."),
    ],
)
def test_a_host_lies_in_the_first_zone_unless_it_says_another(written, full):
    dns = configured(f"dns: {{zones: [service, lab], hosts: [{{name: {written}, addresses: 10.0.1.9}}]}}").dns

    assert dns.hosts == (StaticHost(full, (IPv4Address("10.0.1.9"),)),)


def test_a_host_may_follow_a_service():
    dns = configured(
        "dns: {hosts: [{name: k8s-dashboard, service: kubernetes-dashboard/web, aliases: [board], ttl: 20}]}"
    ).dns

    assert dns.hosts[0] == StaticHost(
        "k8s-dashboard.service.", (), ServiceRef("kubernetes-dashboard", "web"), ("board.service.",), 20
    )


@pytest.mark.parametrize("written", ["k8s-dashboard", "k8s-dashboard.service"])
def test_a_host_s_own_name_of_one_label_may_be_its_alias(written):
    dns = configured(f"dns: {{hosts: [{{name: {written}, service: x, aliases: [k8s-dashboard]}}]}}").dns

    assert dns.hosts[0].aliases == ("k8s-dashboard.service.",)


def test_listen_takes_one_address_or_several():
    one = configured("dns: {listen: 127.0.0.1:53}").dns.listen

    assert (*one, Listen(IPv4Address("127.0.0.2"), 54)) == configured(
        "dns: {listen: ['127.0.0.1:53', '127.0.0.2:54']}"
    ).dns.listen


def test_nodes_and_their_labels_may_stand_in_the_file():
    assert configured("nodes: [{name: n1, labels: {b: 1, a: yes}, addresses: 10.0.0.1}]").nodes == (
        Node("n1", (("a", "yes"), ("b", "1")), (IPv4Address("10.0.0.1"),)),
    )


def test_a_database_may_be_named_by_its_url_alone():
    assert configured("database: sqlite:////var/lib/suite/suite.db").database.url == "sqlite:////var/lib/suite/suite.db"


def test_a_password_may_stand_in_a_file():
    text = DASHBOARD.replace("my-asn: 64512", "my-asn: 64512, password-file: /etc/secret")

    assert configured(text).peers[0].password_secret == SecretRef("/etc/secret")


def test_a_password_is_in_no_repr():
    configuration = configured(DASHBOARD.replace("my-asn: 64512", "my-asn: 64512, password: geheim"))

    assert configuration.peers[0].password == "geheim"
    assert "geheim" not in repr(configuration) + repr(read_text("password: geheim"))


@pytest.mark.parametrize(("octets", "code"), [(b"a: \xff", "file.not_utf8"), (None, "file.unreadable")])
def test_a_file_that_cannot_be_read_is_a_problem(tmp_path, octets, code):
    path = tmp_path / "suite.yaml"
    if octets is not None:
        path.write_bytes(octets)

    assert [problem.code for problem in load(read_file(path)).problems] == [code]


def test_a_rate_limit_may_be_one_number():
    assert load(read_text("dns: {rate-limit: 50}")).configuration.dns.rate_limit == RateLimit(rate=50)
