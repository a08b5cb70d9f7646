"""Cookies are remembered for a minute, since a hash costs more than an answer: each client's its own, and none too old."""

from __future__ import annotations

import pytest

from suite.dns.catalogue import Zones
from suite.dns.cookie import is_valid
from suite.dns.fastpath import Compiled
from suite.dns.name import from_text
from suite.dns.rdata import parse_rdata
from suite.dns.rrset import RRset
from suite.dns.settings import Settings
from suite.dns.zone import Zone

SECRET = bytes.fromhex("e5e973e5a6b2a43f48e7dc849e37bfcf")
FIRST, SECOND = b"\xc0\0\2\1", b"\xc0\0\2\2"
START = 1_700_000_000
QUESTION = b"\0\0\0\1\0\0\0\0\0\1\3web\7service\0\0\1\0\1"
COOKIE = bytes.fromhex("00 0029 04d0 00000000 000c 000a 0008 0102030405060708")


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def answers(clock: Clock) -> Compiled:
    origin = from_text("service.")
    soa = RRset(origin, 6, 30, (parse_rdata(6, "ns.service. host.service. 1 2 3 4 5"),))
    web = RRset(from_text("web.service."), 1, 30, (b"\x0a\0\0\1",))
    return Compiled(Zones.of([Zone.build(origin, [soa, web])]), Settings(cookie_secrets=(SECRET,)), clock)


def cookie_for(answers: Compiled, client: bytes) -> bytes:
    """The whole cookie of a reply, which is its last option."""
    body = answers.quick(QUESTION + COOKIE, client)
    assert body is not None
    return body[-24:]


def test_two_clients_with_one_half_get_a_cookie_that_is_good_for_each(answers):
    given = [(client, cookie_for(answers, client)) for client in (FIRST, SECOND)]

    assert [is_valid((SECRET,), cookie, client, START) for client, cookie in given] == [True, True]


def test_within_a_minute_a_client_gets_the_cookie_it_had(answers, clock):
    had = cookie_for(answers, FIRST)
    clock.now += 59

    assert cookie_for(answers, FIRST) == had


def test_after_a_minute_it_is_made_anew(answers, clock):
    had = cookie_for(answers, FIRST)
    clock.now += 60
    given = cookie_for(answers, FIRST)

    assert (given != had, is_valid((SECRET,), given, FIRST, clock.now)) == (True, True)


def test_other_secrets_forget_the_cookies_of_the_old(answers):
    cookie_for(answers, FIRST)
    answers.configure(Settings(cookie_secrets=(bytes(16),)))

    assert is_valid((bytes(16),), cookie_for(answers, FIRST), FIRST, START)
