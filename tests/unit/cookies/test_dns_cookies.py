"""Server cookies: the test vectors of RFC 9018 appendix A, and what makes a cookie stale."""

from __future__ import annotations

import pytest

from suite.dns.cookie import is_valid, reply, server_cookie, siphash24

SECRET = bytes.fromhex("e5e973e5a6b2a43f48e7dc849e37bfcf")
CLIENT = bytes([198, 51, 100, 100])


def test_siphash_gives_the_vector_of_its_authors():
    assert siphash24(bytes(range(16)), bytes(range(15))).hex() == "e545be4961ca29a1"


def test_a_fresh_cookie_is_that_of_rfc_9018_a_1():
    made = server_cookie(SECRET, bytes.fromhex("2464c4abcf10c957"), CLIENT, 1559731985)

    assert made.hex() == "010000005cf79f111f8130c3eee29480"


def test_a_cookie_renewed_is_that_of_rfc_9018_a_2():
    asked = bytes.fromhex("2464c4abcf10c957010000005cf79f111f8130c3eee29480")

    given = reply((SECRET,), asked, CLIENT, 1559734385)

    assert given.hex() == "2464c4abcf10c957010000005cf7a871d4a564a1442aca77"


def test_a_cookie_over_ipv6_is_that_of_rfc_9018_a_4():
    client = bytes.fromhex("20010db80220000159ded0f4876982b8")
    secret = bytes.fromhex("445536bcd2513298075a5d379663c962")

    made = server_cookie(secret, bytes.fromhex("22681ab97d52c298"), client, 1559741961)

    assert made.hex() == "010000005cf7c609a6bb79d16625507a"


@pytest.mark.parametrize(
    ("age", "expected"), [(0, True), (3600, True), (3601, False), (-300, True), (-301, False)], ids=str
)
def test_a_cookie_holds_an_hour_and_five_minutes_of_clock_skew(age, expected):
    whole = bytes(8) + server_cookie(SECRET, bytes(8), CLIENT, 1_700_000_000)

    assert is_valid((SECRET,), whole, CLIENT, 1_700_000_000 + age) is expected


def test_a_cookie_of_the_old_secret_is_valid_and_is_renewed_under_the_new_one():
    old = bytes(8) + server_cookie(SECRET, bytes(8), CLIENT, 1_700_000_000)
    secrets = (bytes(16), SECRET)

    assert is_valid(secrets, old, CLIENT, 1_700_000_000)
    assert reply(secrets, old, CLIENT, 1_700_000_000)[8:] == server_cookie(bytes(16), bytes(8), CLIENT, 1_700_000_000)


def test_a_young_cookie_is_given_back_as_it_is():
    whole = bytes(8) + server_cookie(SECRET, bytes(8), CLIENT, 1_700_000_000)

    assert reply((SECRET,), whole, CLIENT, 1_700_001_799) == whole


@pytest.mark.parametrize("other", [bytes([198, 51, 100, 101]), bytes(16)])
def test_another_clients_cookie_is_not_valid(other):
    whole = bytes(8) + server_cookie(SECRET, bytes(8), CLIENT, 1_700_000_000)

    assert not is_valid((SECRET,), whole, other, 1_700_000_000)
