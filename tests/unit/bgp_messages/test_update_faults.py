"""Faults in UPDATE: which reset the session with which NOTIFICATION, and which only cost a route (RFC 7606)."""

import pytest

from suite.bgp.attribute_decode import Treatment
from suite.bgp.notification import ProtocolError
from suite.bgp.prefix import IPV4, IPV6, Prefix
from suite.bgp.update import Dialect, decode_update

INSIDE = Dialect(families=frozenset({IPV4, IPV6}), internal=True)
OUTSIDE = Dialect(families=frozenset({IPV4, IPV6}))
OLD = Dialect(four_octet=False)

GOOD = "40010100" + "400200" + "4003040a090002"
NLRI = "200a0a0a0a"
VIP = Prefix.parse("10.10.10.10/32")
REACH = "800e1a" + "00020110" + "20010db8" + "00" * 11 + "01" + "00" + "2020010db8"


def body(attributes: str, nlri: str = NLRI) -> bytes:
    return bytes.fromhex(f"0000{len(attributes) // 2:04x}{attributes}{nlri}")


WITHDRAWN = [
    pytest.param("40010103" + "400200" + "4003040a090002", INSIDE, id="unknown origin"),
    pytest.param("4001020000" + "400200" + "4003040a090002", INSIDE, id="long origin"),
    pytest.param("80010100" + "400200" + "4003040a090002", INSIDE, id="origin with wrong flags"),
    pytest.param("400200" + "4003040a090002", INSIDE, id="no origin"),
    pytest.param("40010100" + "4003040a090002", INSIDE, id="no path"),
    pytest.param("40010100" + "400200", INSIDE, id="no next hop"),
    pytest.param("40010100" + "4002020200" + "4003040a090002", INSIDE, id="empty segment"),
    pytest.param("40010100" + "40020605010000fc01" + "4003040a090002", INSIDE, id="unknown kind of segment"),
    pytest.param("40010100" + "40020602020000fc01" + "4003040a090002", INSIDE, id="segment cut off"),
    pytest.param("40010100" + "40020102" + "4003040a090002", INSIDE, id="segment header cut off"),
    pytest.param("40010100" + "400206020100000000" + "4003040a090002", INSIDE, id="AS 0"),
    pytest.param("40010100" + "400200" + "4003030a0900", INSIDE, id="short next hop"),
    pytest.param(GOOD + "80040300000a", INSIDE, id="short med"),
    pytest.param(GOOD + "400503000064", INSIDE, id="short local preference"),
    pytest.param(GOOD + "c00803fc0000", INSIDE, id="short community"),
    pytest.param(GOOD + "c00800", INSIDE, id="no community"),
    pytest.param(GOOD + "8009020a00", INSIDE, id="short originator"),
    pytest.param(GOOD + "800a020a00", INSIDE, id="short cluster"),
    pytest.param(GOOD + "c010070002fc00000000", INSIDE, id="short extended community"),
    pytest.param(GOOD + "c0200b0000fc0000000001000000", INSIDE, id="short large community"),
    pytest.param(GOOD + "8008", INSIDE, id="attribute header cut off"),
    pytest.param(GOOD + "c008ff00", INSIDE, id="attribute longer than the list"),
]


@pytest.mark.parametrize(("attributes", "dialect"), WITHDRAWN)
def test_a_malformed_attribute_withdraws_the_routes(attributes: str, dialect: Dialect) -> None:
    update = decode_update(body(attributes), dialect)

    assert update.treatment is Treatment.TREAT_AS_WITHDRAW
    assert (update.withdrawn, update.prefixes) == ((VIP,), ())


def test_routes_in_mp_reach_are_withdrawn_with_the_others() -> None:
    update = decode_update(body(REACH + "40010103" + "400200" + "4003040a090002"), INSIDE)

    assert update.withdrawn == (VIP, Prefix.parse("2001:db8::/32"))
    assert update.reach is None


DISCARDED = [
    pytest.param(GOOD + "40060100", INSIDE, id="long atomic aggregate"),
    pytest.param(GOOD + "c00706fc010a000001", INSIDE, id="short aggregator"),
    pytest.param(GOOD + "40050400000064", OUTSIDE, id="local preference from outside"),
    pytest.param(GOOD + "400501ff", OUTSIDE, id="malformed local preference from outside"),
    pytest.param(GOOD + "8009040a000009", OUTSIDE, id="originator from outside"),
    pytest.param(GOOD + "800a040a000009", OUTSIDE, id="clusters from outside"),
    pytest.param(GOOD + "c0110602010000fc01", INSIDE, id="second path from a new speaker"),
    pytest.param(GOOD + "c01103020100", OLD, id="malformed second path"),
    pytest.param(GOOD + "40010101", INSIDE, id="second origin"),
]


@pytest.mark.parametrize(("attributes", "dialect"), DISCARDED)
def test_some_attributes_are_dropped_and_the_routes_stay(attributes: str, dialect: Dialect) -> None:
    update = decode_update(body(attributes), dialect)

    assert update.treatment is Treatment.ATTRIBUTE_DISCARD
    assert update.prefixes == (VIP,)


def test_of_a_repeated_attribute_the_first_counts() -> None:
    update = decode_update(body(GOOD + "40010102"), INSIDE)

    assert update.attributes.origin == 0


def test_a_family_nobody_agreed_on_is_ignored() -> None:
    update = decode_update(body("40010100" + "400200" + REACH, ""), Dialect())

    assert (update.reach, update.treatment) == (None, Treatment.ATTRIBUTE_DISCARD)


RESETS = [
    pytest.param("0005200a0a0a", "3/1:", id="withdrawn routes longer than the message"),
    pytest.param("0000000540010100", "3/1:", id="attributes longer than the message"),
    pytest.param("0002210a0000", "3/10:", id="withdrawn prefix of 33 bits"),
    pytest.param("0002200a0000", "3/10:", id="withdrawn prefix cut off"),
    pytest.param(body(GOOD, "210a0a0a0a00").hex(), "3/10:", id="prefix of 33 bits"),
    pytest.param(body(GOOD, "200a0a0a").hex(), "3/10:", id="prefix cut off"),
    pytest.param(body(REACH + REACH, "").hex(), "3/1:", id="two MP_REACH"),
    pytest.param(body("800f03000201" * 2, "").hex(), "3/1:", id="two MP_UNREACH"),
    pytest.param(body("800e0400020110", "").hex(), "3/9:", id="MP_REACH cut off"),
    pytest.param(body("800e0b000201040a09000200" + "0000", "").hex(), "3/9:", id="IPv4 next hop for IPv6"),
    pytest.param(
        body("800e1a" + "00010110" + "00" * 16 + "00" + "200a0a0a0a", "").hex(), "3/9:", id="RFC 8950 unasked"
    ),
    pytest.param(body("800f020002", "").hex(), "3/9:", id="MP_UNREACH of two octets"),
    pytest.param(body("800f0400020181", "").hex(), "3/9:", id="IPv6 prefix of 129 bits"),
    pytest.param(body("40630101", "").hex(), "3/2:40630101", id="unknown well-known attribute"),
]


@pytest.mark.parametrize(("octets", "answer"), RESETS)
def test_what_hides_the_prefixes_resets_the_session(octets: str, answer: str) -> None:
    with pytest.raises(ProtocolError) as refused:
        decode_update(bytes.fromhex(octets), INSIDE)

    sent = refused.value.notification
    assert f"{sent.code}/{sent.subcode}:{sent.data.hex()}" == answer
