"""UPDATE in wire form: both families, all attributes, the marks, and old AS numbers."""

from ipaddress import IPv4Address, IPv6Address

import pytest

from suite.bgp.attribute import Origin, PathAttributes, RawAttribute, Segment, SegmentKind, encode_attributes
from suite.bgp.attribute_decode import merge_as4_path
from suite.bgp.message import encode
from suite.bgp.prefix import IPV4, IPV6, Family, Prefix
from suite.bgp.update import Dialect, Reach, Unreach, Update, decode_update, encode_update, end_of_rib

BOTH = Dialect(families=frozenset({IPV4, IPV6}), internal=True)
VIP = Prefix.parse("10.10.10.10/32")
NET6 = Prefix.parse("2001:db8:10::/48")
HOP6 = IPv6Address("2001:db8::1")


def path(*numbers: int) -> tuple[Segment, ...]:
    return (Segment(SegmentKind.SEQUENCE, numbers),)


ATTRIBUTES = [
    pytest.param(PathAttributes(origin=Origin.IGP), "40010100", id="origin"),
    pytest.param(PathAttributes(as_path=()), "400200", id="empty path"),
    pytest.param(PathAttributes(as_path=path(64513)), "40020602010000fc01", id="path"),
    pytest.param(PathAttributes(next_hop=IPv4Address("10.9.0.2")), "4003040a090002", id="next hop"),
    pytest.param(PathAttributes(med=7), "80040400000007", id="med"),
    pytest.param(PathAttributes(local_pref=100), "40050400000064", id="local preference"),
    pytest.param(PathAttributes(atomic_aggregate=True), "400600", id="atomic aggregate"),
    pytest.param(
        PathAttributes(aggregator=(4200000001, IPv4Address("10.0.0.1"))), "c00708fa56ea010a000001", id="aggregator"
    ),
    pytest.param(PathAttributes(communities=(0xFC000064, 0xFFFFFF01)), "c00808fc000064ffffff01", id="communities"),
    pytest.param(PathAttributes(originator=IPv4Address("10.0.0.9")), "8009040a000009", id="originator"),
    pytest.param(PathAttributes(clusters=(IPv4Address("10.0.0.8"),)), "800a040a000008", id="clusters"),
    pytest.param(PathAttributes(extended_communities=(0x0002FC0000000064,)), "c010080002fc0000000064", id="extended"),
    pytest.param(
        PathAttributes(large_communities=((64512, 1, 2),)), "c0200c0000fc000000000100000002", id="large communities"
    ),
    pytest.param(PathAttributes(unknown=(RawAttribute(0xE0, 99, b"\x01"),)), "e0630101", id="unknown, partial"),
]


@pytest.mark.parametrize(("attributes", "octets"), ATTRIBUTES)
def test_each_attribute_reads_and_writes_its_wire_form(attributes: PathAttributes, octets: str) -> None:
    assert encode_attributes(attributes, four_octet=True).hex() == octets
    body = bytes.fromhex(f"0000{len(octets) // 2:04x}{octets}")
    assert decode_update(body, BOTH).attributes == attributes


def test_a_long_attribute_has_two_octets_of_length() -> None:
    octets = encode_attributes(PathAttributes(communities=tuple(range(100))), four_octet=True)

    assert octets[:4].hex() == "d0080190"


def test_an_ipv4_route_is_announced_in_the_classic_fields() -> None:
    attributes = PathAttributes(Origin.IGP, path(64513), IPv4Address("10.9.0.2"))
    update = Update(attributes=attributes, prefixes=(VIP, Prefix.parse("10.10.0.0/20")))

    body = encode_update(update, four_octet=True)

    assert body.hex() == "0000" + "0014" + "4001010040020602010000fc014003040a090002" + "200a0a0a0a" + "140a0a00"
    assert decode_update(body, BOTH) == update


def test_an_ipv6_route_is_announced_in_mp_reach() -> None:
    update = Update(attributes=PathAttributes(Origin.IGP, ()), reach=Reach(IPV6, (HOP6,), (NET6,)))

    body = encode_update(update, four_octet=True)

    value = "00020110" + HOP6.packed.hex() + "00" + "3020010db80010"
    assert body.hex() == "00000026" + "800e1c" + value + "40010100" + "400200"
    assert decode_update(body, BOTH) == update


def test_an_ipv4_route_may_have_an_ipv6_next_hop_if_agreed_on() -> None:
    update = Update(attributes=PathAttributes(Origin.IGP, ()), reach=Reach(IPV4, (HOP6,), (VIP,)))
    dialect = Dialect(extended_next_hop=True)

    assert decode_update(encode_update(update, four_octet=True), dialect) == update


def test_routes_are_withdrawn_in_both_families() -> None:
    update = Update(withdrawn=(VIP,), unreach=Unreach(IPV6, (NET6,)))

    body = encode_update(update, four_octet=True)

    assert body.hex() == "0005200a0a0a0a" + "000d" + "800f0a" + "000201" + "3020010db80010"
    assert decode_update(body, BOTH) == update


@pytest.mark.parametrize(("family", "body"), [(IPV4, "00000000"), (IPV6, "00000006800f03000201")])
def test_the_end_of_the_first_routes_is_marked_per_family(family: Family, body: str) -> None:
    mark = end_of_rib(family)

    assert encode(mark)[19:].hex() == body
    assert decode_update(bytes.fromhex(body), BOTH).end_of_rib == family


def test_an_update_with_routes_is_no_end_mark() -> None:
    assert Update(withdrawn=(VIP,)).end_of_rib is None


def test_bits_behind_the_length_of_a_prefix_do_not_count() -> None:
    body = bytes.fromhex("0004" + "140a0aff" + "0000")

    assert decode_update(body, BOTH).withdrawn == (Prefix.parse("10.10.240.0/20"),)


def test_to_an_old_peer_large_as_numbers_go_beside_the_path() -> None:
    octets = encode_attributes(PathAttributes(as_path=path(4200000001, 64513)), four_octet=False)

    assert octets.hex() == "40020602025ba0fc01" + "c0110a0202fa56ea010000fc01"


def test_to_an_old_peer_small_as_numbers_need_no_second_path() -> None:
    octets = encode_attributes(PathAttributes(as_path=path(64513)), four_octet=False)

    assert octets.hex() == "4002040201fc01"


def test_from_an_old_peer_the_real_path_is_put_together() -> None:
    octets = encode_attributes(PathAttributes(as_path=path(4200000001, 64513)), four_octet=False)
    body = bytes(2) + len(octets).to_bytes(2) + octets

    update = decode_update(body, Dialect(four_octet=False))

    assert update.attributes.as_path == path(4200000001, 64513)


def test_hops_that_old_speakers_prepended_stay_in_front_of_the_real_path() -> None:
    assert merge_as4_path(path(1, 2, 23456), path(4200000001)) == (*path(1, 2), *path(4200000001))


def test_a_real_path_longer_than_the_path_is_ignored() -> None:
    assert merge_as4_path(path(1), path(4200000001, 2)) == path(1)


def test_to_an_old_peer_an_aggregator_goes_twice() -> None:
    attributes = PathAttributes(aggregator=(4200000001, IPv4Address("10.0.0.1")))

    octets = encode_attributes(attributes, four_octet=False)

    assert octets.hex() == "c007065ba00a000001" + "c01208fa56ea010a000001"


def test_from_an_old_peer_the_second_aggregator_is_read_and_set_aside() -> None:
    octets = bytes.fromhex("c007065ba00a000001" + "c01208fa56ea010a000001")

    update = decode_update(bytes(2) + len(octets).to_bytes(2) + octets, Dialect(four_octet=False))

    assert (update.attributes.aggregator, update.faults) == ((23456, IPv4Address("10.0.0.1")), ())


def test_a_set_in_front_of_the_real_path_counts_as_one_hop() -> None:
    old = (Segment(SegmentKind.SET, (7, 8)), *path(23456))

    assert merge_as4_path(old, path(4200000001)) == (Segment(SegmentKind.SET, (7, 8)), *path(4200000001))


def test_an_ipv4_route_may_stand_in_mp_reach_with_an_ipv4_next_hop() -> None:
    update = Update(attributes=PathAttributes(Origin.IGP, ()), reach=Reach(IPV4, (IPv4Address("10.9.0.2"),), (VIP,)))

    assert decode_update(encode_update(update, four_octet=True), BOTH) == update


def test_withdrawals_of_a_family_nobody_agreed_on_are_ignored() -> None:
    update = Update(unreach=Unreach(IPV6, (NET6,)))

    assert decode_update(encode_update(update, four_octet=True), Dialect()).unreach is None
