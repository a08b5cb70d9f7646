"""What a forwarder answers is judged, and the line that mends it is that forwarder's."""

from dataclasses import replace
from ipaddress import ip_address

import pytest

from suite.cli.finding import Severity
from suite.cli.forwarder import Heard, NameFacts, Said, Subject, check_forwarders, judge
from suite.cli.forwarder_lines import Cure, Place, Product, line_for, product_of
from suite.cli.procfs import resolvers
from suite.model.configuration import Listen

SUITE, ROUTER = Listen(ip_address("192.168.1.53"), 53), Listen(ip_address("192.168.1.1"), 53)
SUBJECT = Subject(
    "coffee.default.service.",
    "service.",
    "A",
    ("10.0.42.1",),
    SUITE,
    "1.42.0.10.in-addr.arpa.",
    "42.0.10.in-addr.arpa.",
)
SOA = Said("NOERROR", ("ns.service. hostmaster.service. 7 60 10 80 5",))
POINTER = Said("NOERROR", ("coffee.default.service.",))
WELL = Heard(
    ROUTER, Product.UNBOUND, soa=SOA, soa_unchecked=SOA, address=Said("NOERROR", ("10.0.42.1",)), pointer=POINTER
)
NOT_THERE = Said("NXDOMAIN", denied_by=".", lasts=900)


def told(**differences):
    (remark,) = judge(replace(WELL, **differences), SUBJECT)
    return remark


def test_a_forwarder_that_leads_everywhere_is_well():
    (finding,) = check_forwarders(NameFacts(SUBJECT, (WELL,)))

    assert (finding.severity, finding.text) == (
        Severity.OK,
        "192.168.1.1:53 (unbound) leads coffee.default.service to its address",
    )


def test_nobody_is_judged_where_nothing_has_a_name():
    assert list(check_forwarders(NameFacts(None, (WELL,)))) == []


@pytest.mark.parametrize(
    ("differences", "text", "fix"),
    [
        pytest.param(
            {"soa": NOT_THERE, "soa_unchecked": NOT_THERE},
            "192.168.1.1:53 does not forward zone service to 192.168.1.53:53 (NXDOMAIN)",
            'unbound: stub-zone: name: "service" stub-addr: 192.168.1.53',
            id="not-forwarded",
        ),
        pytest.param(
            {"soa": Said("SERVFAIL", errors=(9,))},
            "192.168.1.1:53 validates, and the signed root proves that zone service does not exist (SERVFAIL)",
            'unbound: server: domain-insecure: "service"',
            id="validated-away",
        ),
        pytest.param(
            {"soa": replace(NOT_THERE, is_authentic=True), "soa_unchecked": replace(NOT_THERE, is_authentic=True)},
            "192.168.1.1:53 validates, and the signed root proves that zone service does not exist (NXDOMAIN)",
            'unbound: server: domain-insecure: "service"',
            id="denied-by-the-root",
        ),
        pytest.param(
            {"soa": Said(), "soa_unchecked": Said(), "address": Said(), "pointer": Said()},
            "192.168.1.1:53 does not answer for zone service",
            "does it forward to 192.168.1.53:53, and may it reach that? "
            'unbound: stub-zone: name: "service" stub-addr: 192.168.1.53',
            id="silent",
        ),
        pytest.param(
            {"address": Said("NOERROR")},
            "192.168.1.1:53 takes the address out of the answer for coffee.default.service: rebind protection",
            'unbound: server: private-domain: "service"',
            id="rebind",
        ),
        pytest.param(
            {"address": Said("NXDOMAIN", denied_by="service.", lasts=4)},
            "192.168.1.1:53 remembers that coffee.default.service does not exist, for every type; it exists now",
            "in 4 s it asks again by itself; at once: unbound: unbound-control flush_zone service",
            id="remembered",
        ),
        pytest.param(
            {"address": Said("NOERROR", ("10.0.42.9",))},
            "192.168.1.1:53 leads coffee.default.service to 10.0.42.9, not to 10.0.42.1: a cached answer, or a record of its own",
            "unbound: unbound-control flush_zone service",
            id="elsewhere",
        ),
        pytest.param(
            {"pointer": Said("NXDOMAIN", denied_by="10.in-addr.arpa.")},
            "192.168.1.1:53 answers for 10.0.42.1 itself, with an empty built-in reverse zone (RFC 6303)",
            'unbound: server: local-zone: "42.0.10.in-addr.arpa." transparent domain-insecure: "42.0.10.in-addr.arpa"\n'
            'stub-zone: name: "42.0.10.in-addr.arpa" stub-addr: 192.168.1.53',
            id="built-in-reverse-zone",
        ),
        pytest.param(
            {"pointer": Said("SERVFAIL"), "pointer_unchecked": POINTER},
            "192.168.1.1:53 validates the reverse zone 42.0.10.in-addr.arpa. away (SERVFAIL)",
            'unbound: server: domain-insecure: "42.0.10.in-addr.arpa"',
            id="reverse-zone-validated-away",
        ),
        pytest.param(
            {"product": Product.KNOT_RESOLVER, "address": Said("REFUSED")},
            "192.168.1.1:53 answers REFUSED for coffee.default.service, although zone service. comes through: "
            "rebind protection (module rebinding)",
            "knot-resolver: modules.unload('rebinding')  -- the module knows no exceptions",
            id="rebind-refused",
        ),
        pytest.param(
            {"product": Product.SMARTDNS, "pointer": Said("NXDOMAIN", denied_by="1.42.0.10.in-addr.arpa.", lasts=60)},
            "192.168.1.1:53 does not forward the reverse zone 42.0.10.in-addr.arpa. (NXDOMAIN)",
            "smartdns: server 192.168.1.53 -group suite -exclude-default-group\n"
            "domain-rules /42.0.10.in-addr.arpa/ -nameserver suite -speed-check-mode none",
            id="denied-where-nothing-is-built-in",
        ),
        pytest.param(
            {"pointer": Said("NXDOMAIN", denied_by="42.0.10.in-addr.arpa.", lasts=3)},
            "192.168.1.1:53 remembers that 10.0.42.1 has no name; it has one now",
            "in 3 s it asks again by itself",
            id="remembered-pointer",
        ),
    ],
)
def test_what_is_wrong_is_told_with_the_line_that_mends_it(differences, text, fix):
    remark = told(**differences)

    assert (remark.text, remark.fix) == (text, fix)


def test_several_faults_are_told_at_once():
    bad = replace(WELL, address=Said("NOERROR"), pointer=Said("NXDOMAIN"))

    assert len(judge(bad, SUBJECT)) == 2


def test_without_a_reverse_zone_no_pointer_is_missed():
    assert judge(replace(WELL, pointer=Said()), replace(SUBJECT, reverse_name="", reverse_zone="")) == []


def test_a_forwarder_that_does_not_say_what_it_is_gets_the_page():
    remark = told(product=Product.UNKNOWN, address=Said("NOERROR"))

    assert remark.fix == "docs/forwarders.md has the lines (rebind); --forwarder-kind says what it is"


@pytest.mark.parametrize(
    ("version", "product"),
    [
        ("dnsmasq-2.90", Product.DNSMASQ),
        ("dnsmasq-pi-hole-v2.90+1", Product.DNSMASQ),
        ("unbound 1.17.1", Product.UNBOUND),
        ("9.18.49-1~deb12u3-Debian", Product.BIND),
        ("PowerDNS Recursor 4.8.8 (built ...)", Product.PDNS_RECURSOR),
        ("", Product.UNKNOWN),
        ("none of your business", Product.UNKNOWN),
    ],
)
def test_a_product_is_known_by_its_version(version, product):
    assert product_of(version) is product


@pytest.mark.parametrize(
    ("product", "line"),
    [
        (Product.DNSMASQ, "server=/service/192.168.1.53#1053"),
        (Product.UNBOUND, 'stub-zone: name: "service" stub-addr: 192.168.1.53@1053'),
        (Product.BIND, 'zone "service" { type forward; forward only; forwarders { 192.168.1.53 port 1053; }; };'),
        (Product.PDNS_RECURSOR, "forward-zones=service=192.168.1.53:1053  # += where such a line stands above"),
    ],
)
def test_each_product_writes_a_port_its_own_way(product, line):
    place = Place("service", Listen(ip_address("192.168.1.53"), 1053))

    assert line_for(product, Cure.FORWARD, place) == line


@pytest.mark.parametrize(
    ("reverse_zone", "built_in"),
    [
        ("42.0.10.in-addr.arpa", "10.in-addr.arpa"),
        ("5.168.192.in-addr.arpa", "168.192.in-addr.arpa"),
        ("7.16.172.in-addr.arpa", "16.172.in-addr.arpa"),
    ],
)
def test_the_built_in_zone_of_bind_is_the_one_that_hides_ours(reverse_zone, built_in):
    line = line_for(Product.BIND, Cure.REVERSE, Place("service", SUITE, reverse_zone))

    assert line.startswith(f'in options: disable-empty-zone "{built_in}";\nbeside them: zone "{reverse_zone}"')


def test_the_resolvers_of_a_machine_are_read_as_they_stand():
    text = "# by hand\nsearch lan\nnameserver 192.168.1.1\nnameserver fe80::1%eth0\nnameserver nobody\nnameserver 192.168.1.1\n"

    assert resolvers(text) == (ip_address("192.168.1.1"), ip_address("fe80::1"))
