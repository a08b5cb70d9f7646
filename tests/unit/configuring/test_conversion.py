"""From the old ConfigMap to custom resources and back."""

import pytest

from suite.config.convert import kubernetes_name, to_native, to_resources
from suite.config.document import from_object, from_settings, read_text
from suite.config.loading import load
from suite.model.configuration import Configuration

FULL = """\
peers:
- {peer-address: 192.168.1.1, peer-asn: 64512, my-asn: 64512, hold-time: 90, node-selectors: [{match-labels: {rack: r1}}]}
address-pools:
- {name: Home LAN, protocol: layer2, addresses: [10.0.42.0/24], avoid-buggy-ips: true, auto-assign: false}
- name: bgp
  protocol: bgp
  addresses: [10.10.10.10-10.10.10.250]
  bgp-advertisements: [{communities: [no-export], localpref: 10, aggregation-length: 28}]
bgp-communities: {no-export: 65535:65281}
bfd-profiles: [{name: fast, receive-interval: 100}]
"""


def resources(text):
    return to_resources(read_text(text)).objects


def spec(text, kind):
    return next(each["spec"] for each in resources(text) if each["kind"] == kind)


def comparable(configuration):
    """Without what the way there and back cannot keep: the digest, and names in letters Kubernetes has not."""
    return Configuration(
        pools=configuration.pools[1:],
        bgp_advertisements=tuple(
            (way.communities, way.local_pref, way.aggregation_length) for way in configuration.bgp_advertisements
        ),
        peers=configuration.peers,
        bfd_profiles=configuration.bfd_profiles,
        communities=configuration.communities,
    )


def test_names_are_written_in_the_letters_kubernetes_allows():
    assert kubernetes_name("Home_LAN 2.") == "home-lan-2"


def test_durations_and_selectors_are_spelled_as_resources_spell_them():
    assert spec(FULL, "BGPPeer") == {
        "peerAddress": "192.168.1.1",
        "peerASN": 64512,
        "myASN": 64512,
        "holdTime": "1m30s",
        "nodeSelectors": [{"matchLabels": {"rack": "r1"}}],
    }


def test_each_pool_gets_the_advertisement_of_its_protocol():
    assert spec(FULL, "L2Advertisement") == {"ipAddressPools": ["home-lan"]}
    assert spec(FULL, "BGPAdvertisement") == {
        "ipAddressPools": ["bgp"],
        "communities": ["no-export"],
        "localPref": 10,
        "aggregationLength": 28,
    }


def test_what_resources_cannot_say_is_told():
    text = "hold-time: 1h\npeers: [{peer-address: 10.0.0.1, peer-asn: 1, my-asn: 2, passive: true}]"

    assert [problem.path for problem in to_resources(read_text(text)).lost] == ["peers[0].passive", "hold-time"]


def test_what_only_our_pools_can_say_becomes_annotations_and_comes_back():
    pool = "{name: a, protocol: layer2, addresses: [10.0.0.0/24], excluded: 10.0.0.1, draining: true, zone: service, labels: {b: c}}"
    made = resources(f"address-pools: [{pool}]")
    (native,) = to_native([document for each in made for document in from_object(each)]).objects

    assert made[0]["metadata"]["annotations"] == {
        "suite/excluded": "10.0.0.1",
        "suite/draining": "true",
        "suite/zone": "service",
    }
    assert (
        load([from_settings(native)]).configuration.pools
        == load(read_text(f"address-pools: [{pool}]")).configuration.pools
    )


def test_there_and_back_says_the_same():
    documents = [document for each in resources(FULL) for document in from_object(each)]
    (native,) = to_native(documents).objects

    assert comparable(load([from_settings(native)]).configuration) == comparable(load(read_text(FULL)).configuration)


def test_a_pool_announced_in_both_ways_is_told():
    pool = {
        "apiVersion": "metallb.io/v1beta1",
        "kind": "IPAddressPool",
        "metadata": {"name": "a"},
        "spec": {"addresses": ["10.0.0.0/24"]},
    }
    ways = [
        {"apiVersion": "metallb.io/v1beta1", "kind": kind, "metadata": {"name": "w"}}
        for kind in ("L2Advertisement", "BGPAdvertisement")
    ]
    converted = to_native([document for each in (pool, *ways) for document in from_object(each)])

    assert [problem.code for problem in converted.lost] == ["convert.lost"]
    assert converted.objects[0]["address-pools"][0]["protocol"] == "bgp"


@pytest.mark.parametrize("convert", [to_resources, to_native])
def test_nothing_becomes_nothing(convert):
    assert convert([]).objects == []


MIXED = """\
address-pools: [{name: a, protocol: layer2, addresses: [10.1.0.0/24]}]
---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: guests}
spec: {addresses: [10.2.0.0/24]}
"""


@pytest.mark.parametrize(
    ("convert", "told"),
    [
        (
            to_resources,
            (3, "IPAddressPool guests is a custom resource already; it is left out, so keep it beside the result"),
        ),
        (to_native, (1, "this is our own format already; it is left out, so keep it beside the result")),
    ],
)
def test_of_a_mixed_file_what_needs_no_conversion_is_told(convert, told):
    assert [(problem.line, problem.message) for problem in convert(read_text(MIXED)).lost] == [told]
