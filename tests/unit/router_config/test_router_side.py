"""The router's half of the sessions as text; that real routers take it is shown in tests/peers."""

from ipaddress import IPv4Address, ip_address, ip_network

import pytest

from suite.bgp.router_config import RouterSide, bird, frr


def side(**changes: object) -> RouterSide:
    fields = {
        "asn": 64512,
        "node_as": 64512,
        "identifier": IPv4Address("192.168.1.1"),
        "pools": (ip_network("10.10.10.0/24"),),
        "nodes": (ip_address("10.10.0.101"), ip_address("10.10.0.102")),
    }
    return RouterSide(**{**fields, **changes})


def test_frr_takes_prefixes_of_the_pools_from_each_node() -> None:
    assert frr(side()).splitlines() == [
        "ip prefix-list suite-v4 seq 5 permit 10.10.10.0/24 le 32",
        "route-map suite-in permit 40",
        " match ip address prefix-list suite-v4",
        "exit",
        "route-map suite-out deny 10",
        "exit",
        "router bgp 64512",
        " bgp router-id 192.168.1.1",
        " no bgp default ipv4-unicast",
        " neighbor suite peer-group",
        " neighbor suite remote-as 64512",
        " neighbor 10.10.0.101 peer-group suite",
        " neighbor 10.10.0.102 peer-group suite",
        " address-family ipv4 unicast",
        "  neighbor suite activate",
        "  neighbor suite route-map suite-in in",
        "  neighbor suite route-map suite-out out",
        "  neighbor suite maximum-prefix 1000 restart 5",
        " exit-address-family",
        "exit",
    ]


def test_bird_takes_prefixes_of_the_pools_from_a_range() -> None:
    text = bird(side(nodes=(), ranges=(ip_network("10.10.0.0/24"),)))

    assert "if net.type = NET_IP4 then { if net ~ [ 10.10.10.0/24+ ] then accept; }" in text
    assert "neighbor range 10.10.0.0/24 as 64512;" in text


@pytest.mark.parametrize(("node_as", "word"), [(64512, "maximum-paths ibgp 4"), (64513, "maximum-paths 4")])
def test_traffic_is_spread_by_the_word_that_fits_the_as_numbers(node_as: int, word: str) -> None:
    assert f"  {word}\n" in frr(side(node_as=node_as, paths=4))


def test_graceful_restart_and_bfd_do_not_fight() -> None:
    both = side(bfd=True, graceful_restart=True)

    assert " neighbor suite bfd check-control-plane-failure\n" in frr(both)
    assert "  bfd graceful;\n" in bird(both)


def test_a_single_address_is_a_pool_too() -> None:
    assert "permit 10.10.10.10/32\n" in frr(side(pools=(ip_network("10.10.10.10/32"),)))


@pytest.mark.parametrize(
    "wrong", [{"nodes": ()}, {"pools": ()}, {"password": 'a";shutdown;'}], ids=["nodes", "pools", "password"]
)
def test_what_cannot_be_rendered_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"no nodes|no pools|quotes"):
        side(**wrong)
