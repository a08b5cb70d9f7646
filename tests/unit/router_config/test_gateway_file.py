"""config.gateway.json of a UniFi Security Gateway: made, merged, left alone, refused; and the same for EdgeOS."""

import json
from ipaddress import IPv4Address, ip_address, ip_network

import jsonschema
import pytest

from suite.bgp.gateway_config import GatewayFileError, edgeos, strangers, usg
from suite.bgp.router_config import RouterSide

ZONES = {"service.": IPv4Address("10.10.10.53")}
SCHEMA = {
    "$defs": {
        "node": {
            "anyOf": [
                {"type": "string"},
                {"type": "array", "items": {"type": "string"}},
                {"type": "object", "additionalProperties": {"$ref": "#/$defs/node"}},
            ]
        }
    },
    "type": "object",
    "propertyNames": {"enum": ["policy", "protocols", "service"]},
    "additionalProperties": {"$ref": "#/$defs/node"},
}


def side(**changes: object) -> RouterSide:
    fields = {
        "asn": 64512,
        "node_as": 64512,
        "identifier": IPv4Address("192.168.1.1"),
        "pools": (ip_network("10.10.10.0/24"),),
        "nodes": (ip_address("10.10.0.101"),),
    }
    return RouterSide(**{**fields, **changes})


def test_a_new_file_has_sessions_pools_and_forwarding() -> None:
    assert json.loads(usg(side(), ZONES)) == {
        "policy": {
            "prefix-list": {
                "suite-v4": {"rule": {"10": {"action": "permit", "prefix": "10.10.10.0/24", "le": "32"}}},
                "suite-none": {"rule": {"10": {"action": "deny", "prefix": "0.0.0.0/0", "le": "32"}}},
            }
        },
        "protocols": {
            "bgp": {
                "64512": {
                    "parameters": {"router-id": "192.168.1.1"},
                    "neighbor": {
                        "10.10.0.101": {
                            "remote-as": "64512",
                            "maximum-prefix": "1000",
                            "prefix-list": {"import": "suite-v4", "export": "suite-none"},
                        }
                    },
                }
            }
        },
        "service": {"dns": {"forwarding": {"options": ["server=/service/10.10.10.53"]}}},
    }


def test_every_value_is_of_a_kind_the_gateway_reads() -> None:
    full = side(password="secret", paths=4, pools=(ip_network("10.10.10.0/24"), ip_network("2001:db8::/64")))

    jsonschema.validate(json.loads(usg(full, ZONES)), SCHEMA)


def test_settings_of_others_stay() -> None:
    others = {"service": {"nat": {"rule": {"1": {"type": "masquerade"}}}, "dns": {"forwarding": {"options": ["x=1"]}}}}

    merged = json.loads(usg(side(), ZONES, json.dumps(others)))

    assert merged["service"]["nat"] == others["service"]["nat"]
    assert merged["service"]["dns"]["forwarding"]["options"] == ["x=1", "server=/service/10.10.10.53"]


def test_a_file_that_holds_it_all_comes_back_as_it_was() -> None:
    existing = json.dumps(json.loads(usg(side(), ZONES)), indent=7, sort_keys=True)

    assert usg(side(), ZONES, existing) == existing


def test_merging_twice_is_merging_once() -> None:
    once = usg(side(), ZONES, '{"system": {"ntp": "pool"}}')

    assert usg(side(), ZONES, once) == once


@pytest.mark.parametrize(
    ("existing", "reason"),
    [
        pytest.param("{not json", "no JSON", id="no JSON"),
        pytest.param("[1]", "no object", id="a list"),
        pytest.param('{"protocols": "none"}', "/protocols", id="text where an object belongs"),
    ],
)
def test_a_file_that_is_none_is_refused(existing: str, reason: str) -> None:
    with pytest.raises(GatewayFileError, match=reason):
        usg(side(), ZONES, existing)


def test_ranges_are_refused_where_the_router_knows_none() -> None:
    with pytest.raises(ValueError, match="name each node"):
        usg(side(nodes=(), ranges=(ip_network("10.10.0.0/24"),)), ZONES)


def test_the_same_settings_are_commands_for_edgeos() -> None:
    lines = edgeos(side(paths=4), ZONES).splitlines()

    assert "set protocols bgp 64512 neighbor 10.10.0.101 remote-as '64512'" in lines
    assert "set protocols bgp 64512 maximum-paths ibgp '4'" in lines
    assert "set service dns forwarding options 'server=/service/10.10.10.53'" in lines


def test_what_does_not_fit_the_nodes_is_named() -> None:
    existing = usg(side(nodes=(ip_address("10.10.0.101"), ip_address("10.10.0.200"))), ZONES)

    wanted = side(node_as=64513, nodes=(ip_address("10.10.0.101"), ip_address("10.10.0.102")))

    assert strangers(wanted, existing) == (
        "10.10.0.200 is no node",
        "10.10.0.102 is missing",
        "10.10.0.101 has AS number 64512, the node has 64513",
    )
