"""Rate limiting: who is spared, who is not, and that a flood costs no memory."""

from __future__ import annotations

import pytest

from suite.dns.catalogue import Zones
from suite.dns.cookie import server_cookie
from suite.dns.fastpath import Compiled
from suite.dns.ratelimit import DEBT, RateLimiter, Verdict, slipped
from suite.dns.settings import Settings

NOW = 1_700_000_000
DATA = bytes.fromhex("123484000001000100000000")
DENIAL = bytes.fromhex("123484030001000000010000")
ABROAD, NEIGHBOUR, ELSEWHERE = bytes([192, 0, 2, 1]), bytes([192, 0, 2, 200]), bytes([198, 51, 100, 1])


def limiter(rate: int = 3, slip: int = 2) -> RateLimiter:
    return RateLimiter(Settings(rate=rate, slip=slip, spared=((bytes([203, 0, 113, 0]), 24),)), salt=7)


@pytest.mark.parametrize(
    ("client", "expected"),
    [
        (bytes([10, 1, 2, 3]), True), (bytes([172, 31, 0, 1]), True), (bytes([172, 32, 0, 1]), False),
        (bytes([192, 168, 7, 7]), True), (bytes([127, 0, 0, 1]), True), (bytes([100, 64, 0, 1]), True),
        (bytes([203, 0, 113, 9]), True), (bytes([203, 0, 114, 9]), False), (ABROAD, False),
        (bytes.fromhex("fd00") + bytes(14), True), (bytes(15) + b"\1", True), (bytes.fromhex("20010db8") + bytes(12), False),
    ],
)  # fmt: skip
def test_private_and_own_networks_are_spared(client, expected):
    assert limiter().spares(client) is expected


def test_above_the_rate_replies_are_dropped_and_every_second_slips():
    limit = limiter()

    verdicts = [limit.admit(ABROAD, DATA, NOW) for _ in range(7)]

    assert verdicts == [Verdict.SEND] * 3 + [Verdict.DROP, Verdict.SLIP, Verdict.DROP, Verdict.SLIP]


def test_a_neighbour_in_the_same_network_shares_the_rate():
    limit = limiter(rate=1)
    limit.admit(ABROAD, DATA, NOW)

    assert limit.admit(NEIGHBOUR, DATA, NOW) is Verdict.DROP


@pytest.mark.parametrize(
    ("prefixes", "one", "other", "is_one"),
    [
        ((24, 56), ABROAD, NEIGHBOUR, True),
        ((32, 56), ABROAD, NEIGHBOUR, False),
        ((8, 56), ABROAD, bytes([192, 99, 2, 1]), True),
        ((24, 56), bytes.fromhex("20010db8000000ff") + bytes(8), bytes.fromhex("20010db800000001") + bytes(8), True),
        ((24, 64), bytes.fromhex("20010db8000000ff") + bytes(8), bytes.fromhex("20010db800000001") + bytes(8), False),
    ],
)
def test_the_prefixes_say_what_one_network_is(prefixes, one, other, is_one):
    limit = RateLimiter(Settings(rate=1, prefixes=prefixes), salt=7)
    limit.admit(one, DATA, NOW)

    assert (limit.admit(other, DATA, NOW) is Verdict.DROP) is is_one


def test_private_networks_are_limited_where_an_operator_says_so():
    assert not RateLimiter(Settings(spares_private=False), salt=7).spares(bytes([10, 1, 2, 3]))


def test_another_network_has_its_own_rate():
    limit = limiter(rate=1)
    limit.admit(ABROAD, DATA, NOW)

    assert limit.admit(ELSEWHERE, DATA, NOW) is Verdict.SEND


def test_a_flood_of_denials_leaves_answers_alone():
    limit = limiter(rate=1)
    limit.admit(ABROAD, DENIAL, NOW)
    limit.admit(ABROAD, DENIAL, NOW)

    assert limit.admit(ABROAD, DATA, NOW) is Verdict.SEND


def test_a_quiet_client_starts_afresh():
    limit = limiter(rate=1)
    for _ in range(100):
        limit.admit(ABROAD, DATA, NOW)

    assert limit.admit(ABROAD, DATA, NOW + 5) is Verdict.SEND


def test_the_debt_of_a_network_that_others_spoofed_is_soon_paid():
    limit = limiter(rate=10)
    for second in range(10):
        for _ in range(10_000):
            limit.admit(ABROAD, DATA, NOW + second)

    verdicts = [limit.admit(ABROAD, DATA, NOW + 9 + second) for second in range(1, DEBT + 4)]

    assert verdicts[-1] is Verdict.SEND


@pytest.mark.parametrize(("rate", "slip"), [(1, 20), (5, 76), (5, 100), (200, 2), (1, 0)])
def test_however_rare_slips_are_no_whole_reply_leaves_above_the_rate(rate, slip):
    limit = limiter(rate=rate, slip=slip)
    verdicts = [limit.admit(ABROAD, DATA, NOW) for _ in range(20 * rate + 1_000)]

    assert verdicts.count(Verdict.SEND) == rate


@pytest.mark.parametrize(("slip", "share"), [(1, 1.0), (2, 0.5), (3, 1 / 3), (0, 0.0)])
def test_in_the_deepest_debt_slips_go_on_in_their_order(slip, share):
    limit = limiter(rate=1, slip=slip)
    verdicts = [limit.admit(ABROAD, DATA, NOW) for _ in range(1_201)][-600:]

    assert verdicts.count(Verdict.SLIP) == round(600 * share)
    assert Verdict.SEND not in verdicts


def test_a_slipped_reply_is_a_truncated_one_no_longer_than_the_query():
    query = bytes.fromhex("123401000001000000000000") + b"\3web\7service\0\0\1\0\1"

    reply = slipped(query, DATA)

    assert reply == bytes.fromhex("123486000001000000000000") + b"\3web\7service\0\0\1\0\1"


def test_a_client_with_a_good_cookie_is_never_limited():
    settings = Settings(cookie_secrets=(bytes(16),), rate=1)
    answers = Compiled(Zones(), settings, lambda: NOW)
    whole = bytes(8) + server_cookie(bytes(16), bytes(8), ABROAD, NOW)
    query = bytes.fromhex("1234 0000 0001 0000 0000 0001 00 0001 0001 00 0029 04d0 00000000 001c 000a 0018") + whole

    sent = [answers.limited(answers.limiter, query, DATA, ABROAD) for _ in range(5)]

    assert sent == [DATA] * 5
