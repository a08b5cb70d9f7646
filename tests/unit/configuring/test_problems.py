"""Every mistake is told at once, at its place, with a stable code and with what would be right."""

import pytest

from suite.config.document import from_object, read_text
from suite.config.loading import load
from suite.model.configuration import KubernetesSettings
from suite.model.service import ServiceRef

POOLS = """\
address-pools:
- {name: a, protocol: layer2, addresses: [10.0.0.0/24]}
- {name: b, protocol: bgp, addresses: [10.0.1.0/24]}
"""
PEER = "peers: [{peer-address: 192.0.2.1, peer-asn: 1, my-asn: 2, %s}]"
HOST = POOLS + "dns: {hosts: [%s]}"


def told(text, **options):
    return [(problem.code, problem.is_warning) for problem in load(read_text(text), **options).problems]


def errors(text):
    return [problem.code for problem in load(read_text(text)).errors]


def warnings(text):
    outcome = load(read_text(text))
    assert outcome.configuration is not None
    return [problem.code for problem in outcome.problems]


def test_all_problems_are_told_in_the_order_of_the_text():
    text = "address-pools:\n- name: a\n  protocol: babel\n  addresses: [10.0.0.300]\nhold-tiem: 3\ncooling-time: soon\n"
    problems = load(read_text(text, "s.yaml")).problems

    assert [(problem.line, problem.path, problem.code) for problem in problems] == [
        (3, "address-pools[0].protocol", "pool.unknown_protocol"),
        (4, "address-pools[0].addresses[0]", "pool.bad_cidr"),
        (5, "hold-tiem", "yaml.unknown_key"),
        (6, "cooling-time", "cooling_time.bad"),
    ]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("hold-tiem: 1h", "hold-time"),
        ("address_pools: []", "address-pools"),
        ("peers: [{bfdProfile: a}]", "bfd-profile"),
    ],
)
def test_an_unknown_key_says_what_was_probably_meant(text, meant):
    assert f"did you mean {meant!r}?" in str(load(read_text(text)).problems[0])


def test_a_key_that_a_newer_cluster_knows_is_a_warning():
    way = {
        "apiVersion": "metallb.io/v1beta1",
        "kind": "L2Advertisement",
        "metadata": {"name": "a"},
        "spec": {"colour": "blue"},
    }
    documents = from_object(way)

    assert [(problem.code, problem.is_warning) for problem in load(documents, strict=False).problems] == [
        ("yaml.unknown_key", True)
    ]
    assert load(documents, strict=True).configuration is None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (POOLS + "- {name: c, protocol: bgp, addresses: [10.0.0.128-10.0.0.200]}", "pool.overlap"),
        (POOLS + "- {name: a, protocol: bgp, addresses: [10.9.0.0/24]}", "pool.duplicate_name"),
        ("address-pools: [{name: a, protocol: bgp, addresses: [10.0.0.0/24, 10.0.0.9]}]", "pool.overlap"),
        ("address-pools: [{name: a, protocol: bgp, addresses: []}]", "pool.no_addresses"),
        ("address-pools: [{protocol: bgp, addresses: [10.0.0.0/24]}]", "pool.missing_name"),
        ("address-pools: [{name: a, addresses: [10.0.0.0/24]}]", "pool.missing_protocol"),
        ("address-pools: [{name: a, protocol: bgp, addresses: [10.0.0.9-10.0.0.1]}]", "pool.range_inverted"),
        ("address-pools: [{name: a, protocol: bgp, addresses: ['10.0.0.0/255.255.255.0']}]", "pool.bad_cidr"),
        ("address-pools: [{name: a, protocol: bgp, addresses: ['10.0.0.0-2001:db8::1']}]", "pool.bad_cidr"),
        (
            "address-pools: [{name: a, protocol: bgp, addresses: [10.0.0.0/24], excluded: [10.1.0.0]}]",
            "pool.exclusion_outside",
        ),
        ("address-pools: [{name: a, protocol: bgp, addresses: [10.0.0.0/24], zone: lab}]", "pool.unknown_zone"),
        (POOLS.replace("layer2,", "layer2, bgp-advertisements: [{}],"), "pool.bgp_advertisements_in_layer2_pool"),
        (POOLS + "reservations: [{address: 10.0.0.7}, {address: 10.0.0.0-10.0.0.9}]", "reservation.twice"),
        (POOLS + "reservations: [{address: 10.0.0.0/30, name: coffee}]", "reservation.block_with_name"),
        (POOLS + "reservations: [{name: coffee}]", "reservation.missing_address"),
    ],
)
def test_pools_and_reservations(text, code):
    assert errors(text) == [code]


def test_a_range_that_holds_all_others_is_told_once_for_each():
    text = "address-pools: [{name: a, protocol: none, addresses: [10.0.0.1, 10.0.0.9, 10.0.0.0/24]}]"

    assert errors(text) == ["pool.overlap", "pool.overlap"]


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ("hold-time: 2s", "peer.hold_time_too_short"),
        ("hold-time: 500ms", "peer.hold_time_too_short"),
        ("hold-time: 20h", "peer.hold_time_too_long"),
        ("hold-time: foo", "peer.bad_hold_time_text"),
        ("hold-time: 30s, keepalive-time: 31s", "peer.keepalive_above_hold"),
        ("router-id: '2001:db8::1'", "peer.bad_router_id"),
        ("peer-port: 0", "peer.bad_port"),
        ("connect-time: 1500ms", "peer.bad_connect_time"),
        ("interface: eth0", "peer.address_and_interface"),
        ("dynamic-asn: internal", "peer.asn_and_dynamic_asn"),
        ("password: a, password-file: b", "peer.password_and_secret"),
        ("bfd-profile: fast", "peer.unknown_bfd_profile"),
        ("source-address: '2001:db8::1'", "peer.source_address_family"),
        ("node-selectors: [{match-expressions: [{key: a, operator: Near}]}]", "peer.bad_node_selector"),
    ],
)
def test_peers(settings, code):
    assert errors(PEER % settings) == [code]


def test_a_session_inside_one_as_is_multihop_anyway():
    assert errors("peers: [{peer-address: 192.0.2.1, peer-asn: 1, my-asn: 1, ebgp-multihop: true}]") == [
        "peer.multihop_inside_as"
    ]


def test_ttl_security_says_already_that_a_peer_may_be_far_away():
    text = "peers: [{peer-address: 192.0.2.1, peer-asn: 1, my-asn: 2, ebgp-multihop: true, ttl-security: 3}]"

    assert errors(text) == ["peer.multihop_and_ttl_security"]


def test_the_same_peer_twice_is_refused_and_the_same_router_twice_doubted():
    one = "{peer-address: 192.0.2.1, peer-asn: 1, my-asn: 2"

    assert errors(f"peers: [{one}}}, {one}}}]") == ["peer.identical_duplicate"]
    assert warnings(f"peers: [{one}}}, {one}, hold-time: 9s}}]") == ["peer.same_router"]


def test_echo_mode_and_ipv6_routes_do_not_go_together():
    text = "bfd-profiles: [{name: e, echo-mode: true}]\n" + PEER % "bfd-profile: e"
    text += "\naddress-pools: [{name: six, protocol: bgp, addresses: ['2001:db8::/64']}]"

    assert errors(text) == ["peer.echo_mode_with_ipv6"]


def test_bfd_beside_graceful_restart_is_told_with_the_time_that_bird_keeps_a_dead_node():
    text = "bfd-profiles: [{name: e}]\n" + PEER % "bfd-profile: e, graceful-restart: true, graceful-restart-time: 20s"

    assert warnings(text) == ["peer.bfd_and_graceful_restart"]


@pytest.mark.parametrize("time", ["0s", "4096s", "1.5s"])
def test_a_restart_time_that_the_protocol_cannot_say_is_refused(time):
    assert errors(PEER % f"graceful-restart-time: {time}") == ["value.out_of_range"]


def test_echo_mode_that_is_not_offered_is_told():
    text = "bfd-profiles: [{name: e, echo-mode: true}]\n" + PEER % "bfd-profile: e"

    assert warnings(text) == ["peer.no_echo"]


@pytest.mark.parametrize(
    ("host", "code"),
    [
        ("{name: x, addresses: 10.0.0.7}", "host.address_in_pool"),
        ("{name: x}", "host.no_addresses"),
        ("{name: x, addresses: 192.0.2.9, service: coffee}", "host.addresses_and_service"),
        ("{name: x, service: coffee}, {name: y, service: coffee, aliases: x}", "host.duplicate_name"),
        ("{name: -x, service: coffee}", "host.bad_name"),
        ("{name: x, service: coffee, ttl: -1}", "dns.bad_ttl"),
    ],
)
def test_hosts(host, code):
    assert errors(HOST % host)[0] == code


@pytest.mark.parametrize(
    "reservation",
    ["{address: 10.0.0.7}", "{address: 10.0.0.4-10.0.0.9}", "{address: 10.0.0.7, name: default/coffee}"],
    ids=["nobody's", "in a block", "a Service's"],
)
def test_a_reserved_address_of_a_pool_may_be_a_host(reservation):
    assert errors(HOST % "{name: x, addresses: 10.0.0.7}" + f"\nreservations: [{reservation}]") == []


def test_an_excluded_address_of_a_pool_may_be_a_host():
    text = (HOST % "{name: x, addresses: 10.0.0.7}").replace("layer2,", "layer2, excluded: 10.0.0.7,")

    assert errors(text) == []


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("dns: {zones: home.local}", "dns.local_zone"),
        ("dns: {zones: [service, lab.home.arpa], name-servers: ns1.lab.home.arpa.}", "dns.name_server_nowhere"),
        (POOLS + "reservations: [{address: 192.0.2.1}]", "reservation.outside"),
        ("dns: {hosts: [{name: x, service: coffee, aliases: x.service}]}", "host.alias_is_name"),
        ("{apiVersion: v1, kind: Namespace, metadata: {name: metallb-system}}", "document.skipped"),
    ],
)
def test_what_is_only_odd_is_a_warning(text, code):
    assert warnings(text) == [code]


@pytest.mark.parametrize(
    ("times", "found"),
    [
        ("cooling-time: 634s", ["cooling_time.too_short"]),
        ("cooling-time: 635s", []),
        ("cooling-time: 0", []),
        ("dns: {stale-limit: 10m26s}", ["cooling_time.too_short"]),
        ("dns: {ttl: 56}", ["cooling_time.too_short"]),
        ("dns: {hosts: [{name: x, service: coffee, ttl: 56}]}", ["cooling_time.too_short"]),
    ],
)
def test_no_answer_outlives_its_address(times, found):
    assert errors(times) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("cooling-time: 714s\ndns: {transfer-acl: 10.0.0.0/8}", ["cooling_time.too_short_for_secondaries"]),
        ("cooling-time: 715s\ndns: {transfer-acl: 10.0.0.0/8}", []),
        ("cooling-time: 0\ndns: {transfer-acl: 10.0.0.0/8}", []),
        ("dns: {transfer-acl: 10.0.0.0/8}", ["cooling_time.too_short_for_secondaries"]),
        ("cooling-time: 714s", []),
    ],
)
def test_a_cooling_time_that_secondaries_outlive_is_a_warning(text, found):
    assert warnings(text) == found


def test_a_password_in_the_database_url_is_refused_and_not_repeated():
    (problem,) = load(read_text("database: postgresql://suite:geheim@db/suite")).problems

    assert problem.code == "database.password_in_url"
    assert "geheim" not in str(problem)


def test_a_setting_may_not_be_said_in_two_documents():
    assert errors("hold-time: 1h\n---\nhold-time: 1h\n") == ["settings.twice"]


def test_what_is_read_of_a_cluster_may_be_said_key_by_key():
    spread = "kubernetes: {guard-lease: a/b}\n---\nkubernetes: {secrets: true}\n---\nkubernetes:\n"

    outcome = load(read_text(spread))

    assert outcome.problems == ()
    assert outcome.configuration.kubernetes == KubernetesSettings(guard_lease=ServiceRef("a", "b"), secrets=True)


@pytest.mark.parametrize(
    ("again", "place"),
    [
        pytest.param("kubernetes: {secrets: true, hostnames: [ingress]}", "kubernetes.secrets", id="even the same"),
        pytest.param("kubernetes: {secrets: false}", "kubernetes.secrets", id="even the default"),
    ],
)
def test_a_key_of_that_section_may_not_be_said_in_two_documents(again, place):
    (problem,) = load(read_text(f"kubernetes: {{secrets: true}}\n---\n{again}\n", "suite.yaml")).problems

    assert (problem.code, problem.path, problem.line) == ("settings.twice", place, 3)


def test_what_is_read_of_a_cluster_is_said_by_one_source():
    ours, theirs = read_text("kubernetes: {secrets: true}", "ours"), read_text("kubernetes: {config-map: c}", "theirs")

    assert [each.code for each in load([*ours, *theirs]).problems] == ["settings.twice"]


def test_roles_and_heartbeats_are_checked():
    assert errors("roles: [speeker]\nl2: {heartbeat-interval: 600ms}") == ["roles.unknown", "l2.dead_too_short"]


def test_a_configuration_with_an_error_is_none_at_all():
    outcome = load(read_text(POOLS + "hold-time: soon"))

    assert outcome.configuration is None
    assert [pool.name for pool in outcome.attempt.pools] == ["a", "b"]


@pytest.mark.parametrize(
    ("record", "code"),
    [
        ("{name: x, type: A, value: 10.0.0.7}", "host.address_in_pool"),
        ("{name: x, type: A, value: 10.0.0}", "record.bad_value"),
        (r"{name: x, type: A, value: '\# 4 0a000007'}", "host.address_in_pool"),
        ("{name: x, type: SRV, value: 0 0 web}", "record.bad_value"),
        ("{name: x, type: NONSENSE, value: y}", "record.bad_type"),
        ("{name: x, type: SOA, value: y}", "record.bad_type"),
        ("{name: x, type: 'A B', value: y}", "record.bad_type"),
        ("{name: x.example., type: TXT, value: y}", "record.outside_zones"),
        ("{name: x, type: TXT}", "record.missing_value"),
        (r"{name: x, type: MX, value: '\# 2 000a'}", "record.bad_value"),
        ("{name: '*.x', type: NS, value: ns}", "record.conflict"),
        (f"{{name: x, type: TXT, value: {' '.join(['x' * 255] * 250)}}}", "record.conflict"),
    ],
)
def test_records(record, code):
    assert errors(POOLS + f"dns: {{records: [{record}]}}")[0] == code


@pytest.mark.parametrize(
    ("written", "path", "why"),
    [
        (
            "{name: nas, type: TXT, value: x}, {name: nas, type: CNAME, value: x}",
            "dns.records[1].type",
            "nas.service. CNAME: a name with a CNAME has no other records; host nas.service. (line 4) has nas.service.",
        ),
        (
            "{name: c, type: CNAME, value: x}, {name: c, type: A, value: 192.0.2.1}",
            "dns.records[1].type",
            "c.service. A: a name with a CNAME has no other records; the CNAME record of line 4 has c.service.",
        ),
        (
            "{name: a.d, type: TXT, value: x}, {name: d, type: NS, value: ns.d}, {name: ns.d, type: A, value: 192.0.2.1}",
            "dns.records[0].type",
            "a.d.service. TXT: the delegation of d.service. hides it: resolvers ask elsewhere",
        ),
    ],
)
def test_a_record_that_cannot_stand_beside_the_others_is_refused_where_it_was_written(written, path, why):
    hosts = "hosts: [{name: nas, addresses: [192.0.2.5]}]"
    (problem,) = load(read_text(POOLS + f"dns: {{{hosts}, records: [{written}]}}")).problems

    assert (problem.path, problem.message) == (path, why)


def test_a_host_and_records_of_other_types_may_have_one_name():
    hosts = "hosts: [{name: nas, addresses: [192.0.2.5]}]"
    written = "{name: nas, type: TXT, value: x}, {name: nas, type: A, value: 192.0.2.6}"

    assert errors(POOLS + f"dns: {{{hosts}, records: [{written}]}}") == []


@pytest.mark.parametrize(
    "record", ["{name: x, type: txt, value: 'a b'}", "{name: '*.x', type: TYPE65280, value: '\\# 1 00'}"]
)
def test_records_of_any_type_are_taken(record):
    assert errors(f"dns: {{records: [{record}]}}") == []


SMALL = "address-pools: [{name: a, protocol: layer2, addresses: [192.0.2.0/26, 10.0.42.0/24]}]\n"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("1.0.0.9.in-addr.arpa", "nobody would ask us for it; a zone that is no pool's can be named in dns.zones"),
        (
            "5.2.0.192.in-addr.arpa.",
            "the reverse zone of pool a is classless (RFC 2317): write 5.0/26.2.0.192.in-addr.arpa.",
        ),
    ],
)
def test_a_pointer_outside_every_pool_is_refused_where_it_was_written(name, why):
    (problem,) = load(
        read_text(SMALL + f"dns: {{records: [{{name: {name}, type: PTR, value: gateway.lan.}}]}}")
    ).problems

    full = name.rstrip(".") + "."
    assert problem.path == "dns.records[0].name"
    assert problem.message == f"{full} lies in none of the zones and in the reverse zone of no pool; {why}"


def test_a_pointer_where_reverse_zones_are_not_served_is_refused():
    record = "{name: 1.42.0.10.in-addr.arpa, type: PTR, value: gateway.lan.}"

    assert errors(SMALL + f"dns: {{reverse: false, records: [{record}]}}") == ["record.outside_zones"]


@pytest.mark.parametrize("name", ["1.42.0.10.in-addr.arpa", "7.42.0.10.IN-ADDR.ARPA.", "5.0/26.2.0.192.in-addr.arpa"])
def test_a_pointer_in_a_pool_is_taken_under_its_full_name(name):
    outcome = load(read_text(SMALL + f"dns: {{records: [{{name: {name}, type: PTR, value: gateway}}]}}"))

    assert [record.name for record in outcome.configuration.dns.records] == [name.lower().rstrip(".") + "."]


def test_a_name_that_no_zone_holds_is_refused():
    assert errors("dns: {hosts: [{name: printer.example., addresses: 192.0.2.9}]}") == ["host.outside_zones"]


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        ("localpref: 1", "localpref: 2", ["bgpadv.local_pref_conflict"]),
        ("localpref: 1", "localpref: 2, aggregation-length: 30", []),
        ("localpref: 1, peers: [a]", "localpref: 2, peers: [b]", []),
        (
            "localpref: 1, node-selectors: [{match-labels: {n: a}}]",
            "localpref: 2, node-selectors: [{match-labels: {n: b}}]",
            [],
        ),
        ("localpref: 1, service-selectors: [{match-labels: {n: a}}]", "localpref: 2", []),
        ("name: x", "name: x", ["bgpadv.identical_duplicate"]),
        ("aggregation-length: 16", "aggregation-length: 30", ["bgpadv.aggregation_wider_than_pool_range"]),
        ("aggregation-length: 33", "aggregation-length: 30", ["bgpadv.bad_aggregation_length"]),
        ("communities: [flarb]", "aggregation-length: 30", ["bgpadv.community_is_unknown_alias_or_malformed"]),
        ("communities: [64512:65536]", "aggregation-length: 30", ["bgpadv.community_out_of_range"]),
        ("communities: [64512:1, 64512:1]", "aggregation-length: 30", ["bgpadv.duplicate_community"]),
        ("peers: [a, a]", "aggregation-length: 30", ["bgpadv.duplicate_peer"]),
    ],
)
def test_advertisements_by_bgp(first, second, found):
    nodes = "nodes: [{name: one, labels: {n: a}}]\n"
    pool = f"{{name: b, protocol: bgp, addresses: [10.0.1.0/24], bgp-advertisements: [{{{first}}}, {{{second}}}]}}"

    assert errors(f"{nodes}address-pools: [{pool}]") == found


@pytest.mark.parametrize(
    "selector",
    [
        "{match-labels: {'a b': c}}",
        "{match-labels: {a: 'b c'}}",
        "{match-labels: {/a: b}}",
        "{match-expressions: [{key: a, operator: In, values: [-b]}]}",
        "{match-expressions: [{key: a, operator: In}]}",
        "{match-expressions: [{key: a, operator: Exists, values: [b]}]}",
        "{match-expressions: [{operator: Exists}]}",
    ],
)
def test_a_selector_that_nothing_could_meet_is_refused(selector):
    assert errors(PEER % f"node-selectors: [{selector}]") == ["peer.bad_node_selector"]


def test_advertisements_without_names_that_say_the_same_are_refused():
    assert errors(POOLS.replace("bgp,", "bgp, bgp-advertisements: [{}, {}],")) == ["bgpadv.identical_duplicate"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("just words", "expected a map (key: value)"),
        ("dns: []", "expected a map (key: value)"),
        ("bgp-communities: [a]", "expected a map (name: value)"),
        ("address-pools: {name: a}", "expected a list (begin the line with -)"),
        ("load-balancer-class: [a]", "expected text, found a list"),
        ("l2: {answer-ping: {}}", "expected true or false, found a map"),
        ("l2: {answer-ping: 'yes'}", "expected true or false, without quotes, found 'yes'"),
        ("l2: {answer-ping: maybe}", "expected true or false, found 'maybe'"),
        ("l2: {heartbeat-port: []}", "expected a whole number from 1 to 65535, found a list"),
        ("l2: {heartbeat-port: many}", "expected a whole number from 1 to 65535, found 'many'"),
        ("l2: {heartbeat-port: 65536}", "65536 is not a whole number from 1 to 65535"),
        ("l2: {rejoin-delay: []}", "expected a duration such as 90s or 10m, found a list"),
        ("l2: {rejoin-delay: 2h}", "2h is not between 0 s and 3600 s"),
        ("l2: {probe: []}", "expected one of quick, rfc, off, found a list"),
        ("web: {listen: []}", "expected something like 127.0.0.1:53, found a list"),
        ("web: {listen: 8080}", "'8080' is no address and port; write 127.0.0.1:53 or [::1]:53"),
        ("dns: {nsid: " + 65 * "n" + "}", "expected at most 64 octets, found 65"),
        ("dns: {ttl: 1500ms}", "1500ms is not a whole number of seconds"),
        ("dns: {zones: '*.service'}", "'*.service': a zone has no wildcard"),
        ("dns: {rate-limit: {exempt: lan}}", "'lan' is no network; write 192.0.2.0/24"),
        ("dns: {rate-limit: {ipv4-prefix: 33}}", "33 is not a whole number from 8 to 32"),
        ("dns: {zones: []}", "at least one zone is needed; leave zones out for service."),
        ("dns: {zones: [a, A.]}", "a zone stands twice; remove one"),
        ("dns: {listen: ['[::1]:53', '[::1]:53']}", "it stands here already as dns.listen[0]; remove one"),
    ],
)
def test_what_does_not_fit_says_what_would(text, message):
    assert [problem.message for problem in load(read_text(text)).errors] == [message]


def test_a_config_map_of_something_else_is_passed_over():
    assert warnings("{apiVersion: v1, kind: ConfigMap, metadata: {name: bgpextras}, data: {extras: x}}") == [
        "document.skipped"
    ]


def test_a_config_map_whose_content_is_a_map_is_understood():
    text = "{apiVersion: v1, kind: ConfigMap, metadata: {name: config}, data: {config: {hold-time: 0}}}"

    assert load(read_text(text)).configuration.hold_time == 0


def test_a_local_as_number_that_is_ours_anyway_is_a_warning():
    assert warnings(PEER % "local-asn: 2") == ["peer.local_asn_is_my_asn"]


def test_text_beyond_all_measure_is_not_even_parsed():
    assert errors("#" * (8 * 1024 * 1024 + 1)) == ["yaml.too_big"]
