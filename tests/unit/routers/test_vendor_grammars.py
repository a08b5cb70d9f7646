"""What is written for routers that we do not have, held against what their makers publish of their configuration's shape.

Each table holds the places we use, as the maker has them, with the values that may stand there:

- Vyatta (EdgeOS, USG): the templates of vyatta-cfg-quagga; `maximum-paths` and `service dns` as EdgeOS's manual shows them;
- VyOS: the interface definitions of vyos-1x;
- RouterOS 7: the properties of the menus below routing/bgp, routing/filter, routing/bfd and ip/dns in MikroTik's manual;
- OPNsense: the plugin's model, net/frr/.../Quagga/BGP.xml, and its template for FRR, .../Quagga/Config/bgpd.conf.

This is no router: it finds a misspelt word and a value out of range, and nothing that only happens when both are applied.
"""

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from suite.model.address import parse_range
from suite.model.advertisement import BgpAdvertisement
from suite.model.configuration import Configuration
from suite.model.node import Node
from suite.model.peer import BfdProfile, Peer
from suite.model.pool import Pool
from suite.speaker.router_config import Part, Router, router_of
from suite.speaker.router_mikrotik import mikrotik
from suite.speaker.router_opnsense import opnsense
from suite.speaker.router_vyatta import edgeos, usg
from suite.speaker.router_vyos import vyos

NODES = (
    Node("node1", addresses=(ip_address("10.10.0.101"), ip_address("2001:db8::101"))),
    Node("node2", addresses=(ip_address("10.10.0.102"), ip_address("2001:db8::102"))),
)
CONFIGURATION = Configuration(
    pools=(Pool("bgp", (parse_range("10.10.10.10-10.10.10.250"), parse_range("2001:db8:10::/112"))),),
    bgp_advertisements=(BgpAdvertisement("bgp", pools=("bgp",)),),
    bfd_profiles=(BfdProfile("fast", 150, 150),),
)
GATEWAY = Peer("gateway", 64512, 64512, address=ip_address("192.168.1.1"))
FORMS: dict[str, dict[str, Any]] = {
    "the story's": {},
    "external": {"asn": 4200000001},
    "external, many hops": {"asn": 64513, "ebgp_multihop": True},
    "with BFD": {"bfd_profile": "fast"},
    "the router connects": {"passive": True},
    "both families": {"dual_stack_address_family": True},
    "with a password": {"password": "sesame"},
    "no hold time": {"hold_time": 0.0},
    "IPv6": {"address": ip_address("2001:db8::1")},
    "near, by its TTL": {"asn": 64513, "ttl_security": 2},
}
forms = pytest.mark.parametrize("changes", FORMS.values(), ids=FORMS.keys())

ASN, WORD, NUMBER, TEXT = r"[1-9]\d{0,9}", r"[\w.-]+", r"\d+", r".+"
IP4, NET4 = r"(?:\d{1,3}\.){3}\d{1,3}", r"(?:\d{1,3}\.){3}\d{1,3}/\d{1,2}"
IP, NET = rf"(?:{IP4}|[0-9a-f:]+)", rf"(?:{NET4}|[0-9a-f:]+/\d+)"
RULE = rf"policy prefix-list6? {WORD} rule (?:[1-9]\d{{0,4}})"

VYATTA = (
    rf"protocols bgp {ASN} neighbor {IP} remote-as {ASN}",
    rf"protocols bgp {ASN} neighbor {IP} soft-reconfiguration inbound",
    rf"protocols bgp {ASN} neighbor {IP} maximum-prefix {NUMBER}",
    rf"protocols bgp {ASN} neighbor {IP} prefix-list (?:import|export) {WORD}",
    rf"protocols bgp {ASN} neighbor {IP} ebgp-multihop {NUMBER}",
    rf"protocols bgp {ASN} neighbor {IP} update-source {IP}",
    rf"protocols bgp {ASN} neighbor {IP} ttl-security hops {NUMBER}",
    rf"protocols bgp {ASN} neighbor {IP} address-family ipv6-unicast soft-reconfiguration inbound",
    rf"protocols bgp {ASN} neighbor {IP} address-family ipv6-unicast maximum-prefix {NUMBER}",
    rf"protocols bgp {ASN} neighbor {IP} address-family ipv6-unicast prefix-list (?:import|export) {WORD}",
    rf"protocols bgp {ASN} maximum-paths (?:ibgp|ebgp) {NUMBER}",
    rf"protocols bgp {ASN} parameters router-id {IP4}",
    rf"{RULE} action (?:permit|deny)",
    rf"{RULE} prefix {NET}",
    rf"{RULE} (?:ge|le) {NUMBER}",
    rf"service dns forwarding options {TEXT}",
)
FAMILY = r"address-family (?:ipv4|ipv6)-unicast"
VYOS = (
    rf"{RULE} action (?:permit|deny)",
    rf"{RULE} prefix {NET}",
    rf"{RULE} (?:ge|le) {NUMBER}",
    rf"policy route-map {WORD} rule {NUMBER} action (?:permit|deny)",
    rf"policy route-map {WORD} rule {NUMBER} match (?:ip|ipv6) address prefix-list {WORD}",
    rf"protocols bfd profile {WORD} interval (?:multiplier|receive|transmit) {NUMBER}",
    rf"protocols bgp system-as {ASN}",
    rf"protocols bgp parameters router-id {IP4}",
    rf"protocols bgp listen range {NET} peer-group {WORD}",
    rf"protocols bgp neighbor {IP} peer-group {WORD}",
    rf"protocols bgp peer-group {WORD} remote-as {ASN}",
    rf"protocols bgp peer-group {WORD} ebgp-multihop {NUMBER}",
    rf"protocols bgp peer-group {WORD} update-source {IP}",
    rf"protocols bgp peer-group {WORD} ttl-security hops {NUMBER}",
    rf"protocols bgp listen limit {NUMBER}",
    rf"protocols bgp peer-group {WORD} bfd profile {WORD}",
    rf"protocols bgp peer-group {WORD} {FAMILY} route-map (?:import|export) {WORD}",
    rf"protocols bgp peer-group {WORD} {FAMILY} maximum-prefix {NUMBER}",
    rf"protocols bgp {FAMILY} maximum-paths (?:ibgp|ebgp) {NUMBER}",
    rf"service dns forwarding domain {WORD} name-server {IP}",
)
ROUTEROS = {
    "/routing/filter/rule": {"chain", "comment", "rule"},
    "/routing/bgp/instance": {"name", "comment", "as", "router-id"},
    "/routing/bgp/connection": {
        "name", "comment", "instance", "remote.address", "remote.as", "remote.ttl", "listen", "local.address", "local.role",
        "local.ttl", "afi", "hold-time", "input.filter", "input.limit-process-routes-ipv4", "input.limit-process-routes-ipv6",
        "output.filter-chain", "use-bfd", "multihop",
    },
    "/routing/bfd/configuration": {"comment", "addresses", "min-rx", "min-tx", "multiplier"},
    "/ip/dns/static": {"type", "name", "match-subdomain", "forward-to", "comment"},
    "/ip/dns/forwarders": {"name", "comment", "dns-servers"},
}  # fmt: skip
FILTER = re.compile(rf"if \(dst in {NET} && dst-len == \d+\) {{ accept }}|reject")
FLAG, OPTIONAL_TEXT = r"[01]", r".*"
OPNSENSE = {
    "bgp": {"enabled": FLAG, "asnumber": ASN, "routerid": IP4, "maximumpaths": NUMBER, "maximumpathsibgp": NUMBER},
    "prefixlist": {
        "enabled": FLAG, "description": OPTIONAL_TEXT, "name": r"[a-zA-Z0-9._-]{1,64}", "version": "IPv4|IPv6",
        "seqnumber": r"[1-9]\d{1,3}|10000", "action": "permit|deny", "network": rf"{NET}(?:(?: ge \d+)? le \d+)?",
    },
    "neighbor": {
        "enabled": FLAG, "description": OPTIONAL_TEXT, "address": IP, "remoteas": ASN, "bfd": FLAG, "multihop": FLAG,
        "multiprotocol": FLAG, "linkedPrefixlistIn": r"\$taken", "linkedPrefixlistOut": r"\$none",
    },
}  # fmt: skip


NUMBERS, FLAGS = {"type": "string", "pattern": r"^[1-9]\d{0,9}$"}, {"type": "string", "const": "''"}


def _object(**properties: Any) -> dict[str, Any]:
    """An object of these and no other names; an underscore stands for a hyphen."""
    named = {name.replace("_", "-"): schema for name, schema in properties.items()}
    return {"type": "object", "properties": named, "additionalProperties": False}


def _each(pattern: str, schema: Any) -> dict[str, Any]:
    return {"type": "object", "patternProperties": {pattern: schema}, "additionalProperties": False, "minProperties": 1}


def _family(word: str) -> dict[str, Any]:
    """What Vyatta's templates have for one family of a neighbor, and of it what we say."""
    name = {"type": "string", "enum": [f"suite{word}", f"suite-none{word}"]}
    both = {"import": name, "export": name}
    lists = {"type": "object", "properties": both, "required": ["import", "export"], "additionalProperties": False}
    return {"soft_reconfiguration": _object(inbound=FLAGS), "maximum_prefix": NUMBERS, "prefix_list": lists}


_RULE = _object(
    action={"enum": ["permit", "deny"]}, prefix={"type": "string", "pattern": rf"^{NET}$"}, ge=NUMBERS, le=NUMBERS
)
_LISTS = _each(r"^suite(-none)?6?$", _object(rule=_each(r"^[1-9]\d{0,4}$", _RULE | {"required": ["action", "prefix"]})))
_NEIGHBOR = _object(
    remote_as=NUMBERS,
    update_source={"type": "string", "pattern": rf"^{IP}$"},
    ebgp_multihop=NUMBERS,
    ttl_security=_object(hops=NUMBERS),
    address_family=_object(ipv6_unicast=_object(**_family("6"))),
    **_family(""),
)
_BGP = _object(
    neighbor=_each(rf"^{IP}$", _NEIGHBOR | {"required": ["remote-as", "prefix-list"]}),
    parameters=_object(router_id={"type": "string", "pattern": rf"^{IP4}$"}),
    maximum_paths=_object(ibgp=NUMBERS, ebgp=NUMBERS),
)
_OPTIONS = {
    "type": "array",
    "uniqueItems": True,
    "items": {"pattern": r"^(server=/[\w.-]+/\S+|rebind-domain-ok=/[\w.-]+/)$"},
}
GATEWAY_SCHEMA = _object(
    protocols=_object(bgp=_each(rf"^{ASN}$", _BGP)),
    policy=_object(prefix_list=_LISTS, prefix_list6=_LISTS),
    service=_object(dns=_object(forwarding=_object(options=_OPTIONS))),
)
"""What we say in a config.gateway.json, as a JSON Schema; what a file had before is not ours to judge."""


def router(changes: dict[str, Any]) -> Router:
    made = router_of(CONFIGURATION, NODES, replace(GATEWAY, **changes), ["service.", "k8s-dashboard."])
    assert isinstance(made, Router), made
    return made


def lines(parts: tuple[Part, ...]) -> list[str]:
    return [line for part in parts for line in part.text.splitlines()]


def strangers(found: list[str], grammar: tuple[str, ...]) -> list[str]:
    """The lines that the grammar does not know."""
    return [line for line in found if not any(re.fullmatch(pattern, line) for pattern in grammar)]


def flat(node: object, path: tuple[str, ...] = ()) -> Iterator[str]:
    """A tree of the gateway as lines; a node without a value is written as two quotation marks there."""
    if isinstance(node, dict):
        for name, value in node.items():
            yield from flat(value, (*path, name))
    elif isinstance(node, list):
        for value in node:
            yield from flat(value, path)
    else:
        yield " ".join([*path, *([str(node)] if node != "''" else [])])


@forms
def test_edgeos_is_told_in_words_it_has(changes: dict[str, Any]) -> None:
    said = [shlex.split(line) for line in lines(edgeos(router(changes)))]

    assert {words[0] for words in said} == {"delete", "set"}
    assert strangers([" ".join(words[1:]) for words in said if words[0] == "set"], VYATTA) == []


@forms
def test_the_security_gateway_is_told_in_words_it_has(changes: dict[str, Any]) -> None:
    (part,) = usg(router(changes), "")

    assert strangers(list(flat(json.loads(part.text))), VYATTA) == []


@forms
def test_the_security_gateway_s_json_fits_its_schema(changes: dict[str, Any]) -> None:
    (part,) = usg(router(changes), "")

    assert [error.message for error in Draft202012Validator(GATEWAY_SCHEMA).iter_errors(json.loads(part.text))] == []


def test_the_schema_tells_what_the_gateway_would_not_take() -> None:
    document = json.loads(usg(router({}), "")[0].text)
    document["protocols"]["bgp"]["64512"]["neighbor"]["10.10.0.101"]["remote-as"] = 64512

    assert [error.message for error in Draft202012Validator(GATEWAY_SCHEMA).iter_errors(document)] == [
        "64512 is not of type 'string'"
    ]


@forms
def test_vyos_is_told_in_words_it_has(changes: dict[str, Any]) -> None:
    said = [shlex.split(line) for line in lines(vyos(router(changes)))]

    assert strangers([" ".join(words[1:]) for words in said if words[0] == "set"], VYOS) == []


@pytest.mark.parametrize("write", [edgeos, vyos])
def test_the_rules_of_a_prefix_list_take_lengths_that_the_prefix_can_have(write: Any) -> None:
    rules: dict[tuple[str, ...], dict[str, str]] = {}
    for line in lines(write(router({"dual_stack_address_family": True}))):
        words = line.split()
        if words[:2] == ["set", "policy"] and words[2].startswith("prefix-list"):
            rules.setdefault(tuple(words[2:6]), {})[words[6]] = words[7]

    for rule in rules.values():
        network = ip_network(rule["prefix"])
        least, most = int(rule.get("ge", network.prefixlen)), int(rule.get("le", network.prefixlen))
        assert network.prefixlen <= least <= most <= network.max_prefixlen


@forms
def test_routeros_is_told_in_words_it_has(changes: dict[str, Any]) -> None:
    for line in lines(mikrotik(router(changes))):
        menu, command, *settings = shlex.split(line)
        if command == "remove":
            assert settings == ["[find", "comment=metal-suite]"]
            continue
        known = dict(each.split("=", 1) for each in settings)
        assert command == "add"
        assert known.keys() <= ROUTEROS[menu], line
        assert FILTER.fullmatch(known.get("rule", "reject")), line


def test_a_name_cannot_end_a_routeros_command() -> None:
    named = replace(router({"passive": True}), nodes=(replace(router({}).nodes[0], name='a" ; /system reset $x'),))

    (line,) = [line for line in lines(mikrotik(named)) if line.startswith("/routing/bgp/connection add")]

    assert line.startswith(
        '/routing/bgp/connection add name="suite-a\\" ; /system reset \\$x" comment=metal-suite remote.address='
    )


@forms
def test_opnsense_is_told_fields_its_model_has(changes: dict[str, Any]) -> None:
    calls = [shlex.split(line) for line in lines(opnsense(router(changes))) if line.startswith("save ")]

    assert calls

    for call in calls:
        ((kind, fields),) = json.loads(call[-1]).items()
        assert all(re.fullmatch(OPNSENSE[kind][name], value) for name, value in fields.items()), call


def test_opnsense_says_what_did_not_fit_into_its_list() -> None:
    many = replace(router({}), accepted=router({}).accepted * 1000)

    (part, *_) = opnsense(many)

    assert part.text.count('"action": "permit"') == 9991
    assert "1009 prefixes are left out: a list has at most 9991 rules; choose ranges that are networks" in part.notes
