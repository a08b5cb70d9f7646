"""Annotations of a Service: three prefixes, two kinds of rubbish."""

from ipaddress import ip_address

import pytest

from suite.cluster.annotations import Wishes, parse_ttl, read_wishes
from suite.model.refusal import Reason


def warnings(annotations: dict[str, str]) -> list[tuple[str, str]]:
    return [(warning.path, warning.message) for warning in read_wishes(annotations).warnings]


def test_no_annotation_is_no_wish():
    assert read_wishes({}) == Wishes()


@pytest.mark.parametrize("prefix", ["suite/", "metallb.io/", "metallb.universe.tf/"])
def test_every_prefix_is_read(prefix):
    made = read_wishes(
        {
            f"{prefix}address-pool": "blue",
            f"{prefix}loadBalancerIPs": " 10.0.42.1 , 2001:db8::1",
            f"{prefix}allow-shared-ip": "key",
        }
    )

    assert (made.pool, made.requested, made.sharing_key) == (
        "blue",
        (ip_address("10.0.42.1"), ip_address("2001:db8::1")),
        "key",
    )


def test_the_newer_prefix_wins():
    old, new, ours = "metallb.universe.tf/address-pool", "metallb.io/address-pool", "suite/address-pool"

    assert read_wishes({old: "a", new: "b"}).pool == "b"
    assert read_wishes({old: "a", new: "b", ours: "c"}).pool == "c"


def test_the_deprecated_prefix_draws_a_warning():
    assert warnings({"metallb.universe.tf/address-pool": "a"}) == [
        ('metadata.annotations["metallb.universe.tf/address-pool"]', "is deprecated; write metallb.io/address-pool")
    ]


def test_spec_load_balancer_ip_is_a_request():
    assert read_wishes({}, "10.0.42.9").requested == (ip_address("10.0.42.9"),)


@pytest.mark.parametrize(
    ("text", "spec", "message"),
    [
        (
            "10.0.42.1",
            "10.0.42.1",
            "both spec.loadBalancerIP and the annotation loadBalancerIPs ask for an address; keep one",
        ),
        ("coffee", "", "'coffee' is no IP address"),
        ("10.0.42.1,", "", "'' is no IP address"),
        ("10.0.42.1,10.0.42.2", "", "'10.0.42.1,10.0.42.2' asks for more than one address of a family"),
        ("10.0.42.01", "", "'10.0.42.01' is no IP address"),
        ("", "fe80::1%eth0", "'fe80::1%eth0' is no IP address"),
        ("\x00" * 99, "", repr("\x00" * 57 + "...") + " is no IP address"),
    ],
)
def test_rubbish_about_an_address_is_a_refusal(text, spec, message):
    made = read_wishes({"metallb.io/loadBalancerIPs": text} if text else {}, spec)

    assert made.requested == ()
    assert made.fault is not None
    assert (made.fault.reason, made.fault.message) == (Reason.INVALID_REQUEST, message)


@pytest.mark.parametrize("empty", ["", " ", ",", " , "])
def test_an_empty_request_asks_for_nothing(empty):
    made = read_wishes({"metallb.io/loadBalancerIPs": empty})

    assert (made.requested, made.fault) == ((), None)


def test_names_of_ours_stay_relative_and_those_of_external_dns_are_complete():
    made = read_wishes(
        {
            "suite/hostname": "k8s-dashboard, Board.service.",
            "external-dns.kubernetes.io/hostname": "a.example.com",
            "external-dns.alpha.kubernetes.io/hostname": "b.example.com.,plain",
        }
    )

    assert made.hostnames == ("k8s-dashboard", "board.service.", "a.example.com.", "b.example.com.", "plain")


@pytest.mark.parametrize("name", ["a..b", "-a", "a b", "kaffee.münchen", "x" * 64, ".", "a.*.b", "*", "b\n"])
def test_rubbish_about_a_name_is_a_warning_and_costs_no_address(name):
    made = read_wishes({"suite/hostname": f"good,{name},*.also-good"})

    if name == "b\n":  # blanks around a name are the comma list's
        assert made.hostnames == ("good", "b", "*.also-good")
        return
    assert (made.hostnames, made.fault) == (("good", "*.also-good"), None)
    assert made.warnings[0].is_warning


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30", 30), ("0", 0), ("1m30s", 90), ("2h", 7200), ("2147483647", 2147483647)],
)
def test_a_ttl_is_seconds_or_a_duration(text, seconds):
    assert parse_ttl(text) == seconds


@pytest.mark.parametrize("text", ["", "-1", "1.5", "soon", "2147483648", "9" * 99, "٣", "1d", "s"])
def test_what_is_no_ttl(text):
    assert parse_ttl(text) is None


def test_the_first_ttl_that_makes_sense_counts():
    made = read_wishes({"suite/ttl": "soon", "external-dns.alpha.kubernetes.io/ttl": "60"})

    assert (made.ttl, [warning.code for warning in made.warnings]) == (60, ["annotation.ttl"])


@pytest.mark.parametrize(("text", "published"), [("true", True), ("No", False), (" on ", True), ("perhaps", None)])
def test_publish_is_a_word_people_use(text, published):
    assert read_wishes({"suite/publish": text}).publish is published


def test_a_flood_of_names_is_cut():
    made = read_wishes({"suite/hostname": ",".join(f"n{number}" for number in range(1000))})

    assert (len(made.hostnames), len(made.warnings)) == (64, 1)
