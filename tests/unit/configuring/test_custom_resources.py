"""MetalLB's custom resources, beside our own file and in its place."""

from ipaddress import IPv4Address

import pytest

from suite.config.admission import admit, without_references
from suite.config.backends import check_frr, check_native
from suite.config.document import from_object, read_text
from suite.config.loading import load
from suite.config.secrets import Secret
from suite.model.advertisement import PreferredNodes
from suite.model.peer import Peer
from suite.model.pool import ServiceAllocation
from suite.model.selector import Operator, Requirement, Selector

POOL = {
    "apiVersion": "metallb.io/v1beta1",
    "kind": "IPAddressPool",
    "metadata": {"name": "a", "labels": {"site": "home"}},
}
PEER = {"apiVersion": "metallb.io/v1beta2", "kind": "BGPPeer", "metadata": {"name": "gateway"}}
GATEWAY = {"myASN": 64512, "peerASN": 64512, "peerAddress": "192.168.1.1"}


def configured(*objects, **options):
    outcome = load([document for each in objects for document in from_object(each)], strict=False, **options)
    assert outcome.errors == ()
    return outcome.configuration


def test_a_pool_takes_its_labels_from_its_metadata():
    (pool,) = configured(POOL | {"spec": {"addresses": ["10.0.0.0/24"], "autoAssign": False}}).pools

    assert (pool.name, pool.labels, pool.auto_assign) == ("a", (("site", "home"),), False)


def test_a_pool_without_labels_has_none():
    (pool,) = configured(
        {**POOL, "metadata": {"name": "a", "namespace": "b"}, "spec": {"addresses": ["10.0.0.0/24"]}}
    ).pools

    assert pool.labels == ()


def test_selectors_say_for_whom_a_pool_is_kept():
    expression = {"key": "app", "operator": "NotIn", "values": ["b", "a"]}
    allocation = {
        "priority": 2,
        "namespaces": ["x"],
        "serviceSelectors": [{"matchLabels": {"t": "1"}, "matchExpressions": [expression]}],
    }
    (pool,) = configured(POOL | {"spec": {"addresses": ["10.0.0.0/24"], "serviceAllocation": allocation}}).pools
    selector = Selector((("t", "1"),), (Requirement("app", Operator.NOT_IN, ("a", "b")),))

    assert pool.allocation == ServiceAllocation(2, ("x",), (), (selector,))


@pytest.mark.parametrize("version", ["v1beta1", "v1beta2"])
def test_both_versions_of_a_peer_are_read(version):
    (peer,) = configured(PEER | {"apiVersion": f"metallb.io/{version}", "spec": GATEWAY}).peers

    assert peer == Peer("gateway", 64512, 64512, address=IPv4Address("192.168.1.1"))


def test_preferred_nodes_have_weights():
    spec = {"preferredNodeSelectors": [{"weight": 50, "preference": {"matchLabels": {"role": "edge"}}}]}
    (way,) = configured(
        {"apiVersion": "metallb.io/v1beta1", "kind": "L2Advertisement", "metadata": {}, "spec": spec}
    ).l2_advertisements

    assert way.preferred == (PreferredNodes(50, Selector((("role", "edge"),))),)


def test_resources_and_our_own_file_may_be_mixed():
    text = """\
hold-time: 0
cooling-time: 0
---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: first}
spec: {addresses: [10.0.42.0/24]}
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {name: all}
"""
    configuration = load(read_text(text)).configuration

    assert (configuration.hold_time, configuration.pools[0].name, configuration.l2_advertisements[0].name) == (
        0,
        "first",
        "all",
    )


def test_a_list_is_read_as_its_items():
    pools = [
        {**POOL, "metadata": {"name": name}, "spec": {"addresses": [span]}}
        for name, span in (("a", "10.0.0.1"), ("b", "10.0.0.2"))
    ]

    assert [pool.name for pool in configured({"apiVersion": "v1", "kind": "List", "items": pools}).pools] == ["a", "b"]


def test_a_password_comes_from_its_secret():
    peer = PEER | {"spec": GATEWAY | {"passwordSecret": {"name": "s", "namespace": "n"}}}
    configuration = configured(peer, secrets={"n/s": Secret("kubernetes.io/basic-auth", "geheim")})

    assert configuration.peers[0].password == "geheim"
    assert "geheim" not in repr(configuration)


def test_a_new_password_in_a_secret_is_a_new_configuration():
    peer = PEER | {"spec": GATEWAY | {"passwordSecret": {"name": "s", "namespace": "n"}}}
    digests = {
        configured(peer, secrets={"n/s": Secret("kubernetes.io/basic-auth", word)}).digest for word in ("one", "two")
    }

    assert len(digests) == 2


@pytest.mark.parametrize(
    ("secrets", "code", "transient"),
    [
        ({}, "peer.secret_not_found", True),
        ({"n/s": Secret("Opaque", "x")}, "peer.secret_wrong_type", False),
        ({"n/s": Secret("kubernetes.io/basic-auth", "")}, "peer.secret_without_password", False),
    ],
)
def test_a_secret_that_is_of_no_use_is_told(secrets, code, transient):
    peer = PEER | {"spec": GATEWAY | {"passwordSecret": {"name": "s", "namespace": "n"}}}
    (problem,) = load(from_object(peer), secrets=secrets).problems

    assert (problem.code, problem.is_transient) == (code, transient)


def test_admission_looks_at_one_kind_alone():
    advertisement = {"apiVersion": "metallb.io/v1beta1", "kind": "BGPAdvertisement", "metadata": {"name": "a"}}

    assert admit([advertisement | {"spec": {"communities": ["no-export"], "ipAddressPools": ["later"]}}]) == ()
    assert [each.code for each in admit([PEER | {"spec": GATEWAY | {"holdTime": "1s", "bfdProfile": "later"}}])] == [
        "peer.hold_time_too_short"
    ]


def test_references_are_left_out_without_touching_the_original():
    peer = PEER | {"spec": GATEWAY | {"bfdProfile": "fast"}}

    assert without_references(peer)["spec"] == GATEWAY
    assert peer["spec"]["bfdProfile"] == "fast"


def test_what_metallbs_backends_refuse_is_told_apart_from_what_we_refuse():
    outcome = load(from_object(PEER | {"spec": GATEWAY | {"vrf": "red"}}))

    assert outcome.problems == ()
    assert [problem.code for problem in check_native(outcome.draft)] == ["native.no_vrf"]


def test_two_as_numbers_in_one_vrf_are_too_many_for_frr():
    other = {**PEER, "metadata": {"name": "b"}, "spec": GATEWAY | {"peerAddress": "192.168.1.9", "myASN": 64999}}
    outcome = load([*from_object(PEER | {"spec": GATEWAY}), *from_object(other)])

    assert [problem.code for problem in check_frr(outcome.draft, ())] == ["frr.my_asn_differs"]


def test_a_pool_without_a_name_and_words_nobody_knows_are_told():
    pool = {
        "apiVersion": "metallb.io/v1beta1",
        "kind": "IPAddressPool",
        "sepc": {},
        "spec": {"addresses": ["10.0.0.0/24"]},
    }

    assert sorted(problem.code for problem in load(from_object(pool)).errors) == [
        "pool.missing_name",
        "yaml.unknown_key",
    ]
    assert [problem.code for problem in load(from_object(pool), strict=False).errors] == ["pool.missing_name"]


@pytest.mark.parametrize(
    ("kind", "spec", "code"),
    [
        ("BFDProfile", {}, "native.no_bfd_profile"),
        ("Community", {"communities": [{"name": "x", "value": "large:1:2:3"}]}, "native.no_large_community"),
        ("BGPAdvertisement", {"communities": ["large:1:2:3"]}, "native.no_large_community"),
    ],
)
def test_what_the_native_backend_does_not_know(kind, spec, code):
    given = {"apiVersion": "metallb.io/v1beta1", "kind": kind, "metadata": {"name": "x"}, "spec": spec}

    assert [problem.code for problem in check_native(load(from_object(given)).draft)] == [code]


def test_annotations_say_of_a_pool_what_metallb_cannot():
    annotations = {"suite/excluded": "10.0.0.1, 10.0.0.8-10.0.0.9", "suite/draining": "true", "suite/zone": "service"}
    given = {**POOL, "metadata": {"name": "a", "annotations": annotations}, "spec": {"addresses": ["10.0.0.0/24"]}}
    (pool,) = configured(given).pools

    assert ([str(span) for span in pool.excluded], pool.draining, pool.zone) == (
        ["10.0.0.1", "10.0.0.8-10.0.0.9"],
        True,
        "service.",
    )


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("excluded", "10.9.0.1", "pool.exclusion_outside"),
        ("excluded", "x", "pool.bad_exclusion"),
        ("draining", "perhaps", "yaml.does_not_fit_the_schema"),
        ("zone", "lab", "pool.unknown_zone"),
    ],
)
def test_bad_annotations_of_a_pool_are_told(name, text, code):
    given = {
        **POOL,
        "metadata": {"name": "a", "annotations": {f"suite/{name}": text}},
        "spec": {"addresses": ["10.0.0.0/24"]},
    }

    assert [problem.code for problem in load(from_object(given)).errors] == [code]


def test_a_pool_that_nobody_announces_is_told():
    outcome = load(from_object(POOL | {"spec": {"addresses": ["10.0.0.0/24"]}}))

    assert [(problem.code, problem.is_warning) for problem in outcome.problems] == [("pool.not_announced", True)]


def test_an_advertisement_of_names_that_nobody_has_is_told():
    spec = {"ipAddressPools": ["aa", "gone"], "peers": ["gatevay"]}
    way = {"apiVersion": "metallb.io/v1beta1", "kind": "BGPAdvertisement", "metadata": {"name": "w"}, "spec": spec}
    pool = {**POOL, "metadata": {"name": "aa"}, "spec": {"addresses": ["10.0.0.0/24"]}}
    outcome = load([document for each in (pool, PEER | {"spec": GATEWAY}, way) for document in from_object(each)])

    assert [(problem.path, problem.code) for problem in outcome.problems] == [
        ("spec.ipAddressPools[1]", "adv.unknown_pool"),
        ("spec.peers[0]", "bgpadv.unknown_peer"),
    ]
    assert outcome.problems[1].message == "there is no peer 'gatevay'; did you mean 'gateway'?"


@pytest.mark.parametrize("held", ["stringData: {password: geheim}", "data: {password: Z2VoZWlt}"])
def test_a_secret_may_stand_beside_the_peer(held):
    text = f"""\
apiVersion: v1
kind: Secret
type: kubernetes.io/basic-auth
metadata: {{name: s, namespace: n}}
{held}
---
apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata: {{name: gateway}}
spec: {{myASN: 1, peerASN: 2, peerAddress: 192.0.2.1, passwordSecret: {{name: s, namespace: n}}}}
"""
    outcome = load(read_text(text))

    assert outcome.problems == ()
    assert outcome.configuration.peers[0].password == "geheim"


def test_a_secret_that_is_elsewhere_is_left_to_whoever_knows_it():
    outcome = load(from_object(PEER | {"spec": GATEWAY | {"passwordSecret": {"name": "s", "namespace": "n"}}}))

    assert outcome.problems == ()
    assert outcome.configuration.peers[0].password == ""


@pytest.mark.parametrize(
    "held", ["data: {password: '%%%'}", "data: {password: /w==}", "data: []", "data: {user: eA==}"]
)
def test_a_secret_without_a_readable_password_is_told(held):
    secret = (
        f"{{apiVersion: v1, kind: Secret, type: kubernetes.io/basic-auth, metadata: {{name: s, namespace: n}}, {held}}}"
    )
    spec = "{myASN: 1, peerASN: 2, peerAddress: 192.0.2.1, passwordSecret: {name: s, namespace: n}}"
    peer = f"{{apiVersion: metallb.io/v1beta2, kind: BGPPeer, metadata: {{name: g}}, spec: {spec}}}"

    assert [problem.code for problem in load(read_text(f"{secret}\n---\n{peer}")).problems] == [
        "peer.secret_without_password"
    ]
