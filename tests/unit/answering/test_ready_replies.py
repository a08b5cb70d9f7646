"""Ready-made replies: kept whole, found by what was asked, counted late but exactly, bounded."""

from __future__ import annotations

import pytest

from suite.dns.catalogue import Zones
from suite.dns.fastpath import Compiled
from suite.dns.name import from_text
from suite.dns.rdata import parse_rdata
from suite.dns.ready import CARD, COUNTER_AT, KEY_LIMIT, NAME_LIMIT, NOBODY, READY_LIMIT, Ready, longer
from suite.dns.rrset import RRset
from suite.dns.settings import Settings
from suite.dns.zone import Zone

KEY = b"\1\0\0\1\0\0\0\0\0\0\1a\0\0\1\0\1"
BODY = b"\x85\0\0\1\0\1\0\0\0\0\1a\0\0\1\0\1\xc0\x0c\0\1\0\1\0\0\0\x1e\0\4\x0a\0\0\1"


def keeping(key: bytes = KEY, body: bytes = BODY, counter: int = 7, name: bytes | None = b"\1a\0") -> Ready:
    ready = Ready()
    ready.keep(key, body, counter, name)
    return ready


@pytest.mark.parametrize("name", [b"\1a\0", None], ids=["stable", "fleeting"])
def test_a_reply_that_was_kept_is_found_with_its_counter(name):
    assert keeping(name=name).find(KEY) == (BODY, 7)


def test_another_packet_is_not_found():
    assert keeping().find(KEY[:-1] + b"\3") is None


def test_a_card_holds_the_reply_its_counter_and_its_length():
    [card] = keeping().stable.values()

    assert (len(card), card[2 : 2 + len(BODY)], card[COUNTER_AT], card[COUNTER_AT + 1]) == (CARD, BODY, 7, 2 + 33)


def test_a_forgotten_name_takes_its_replies_along():
    ready = keeping()
    ready.forget(b"\1a\0")

    assert ready.find(KEY) is None


def test_what_is_fleeting_goes_while_the_stable_stays():
    ready = keeping()
    ready.keep(KEY + b"x", BODY, 7, None)
    ready.forget_fleeting()

    assert (ready.find(KEY + b"x"), ready.find(KEY)) == (None, (BODY, 7))


@pytest.mark.parametrize(
    ("key", "body"),
    [(bytes(KEY_LIMIT + 1), BODY), (KEY, bytes(COUNTER_AT - 1))],
    ids=["long-question", "long-reply"],
)
def test_what_fits_no_card_is_not_kept(key, body):
    assert keeping(key, body).find(key) is None


def test_the_longest_reply_that_fits_is_kept_whole():
    body = bytes(range(COUNTER_AT - 2))

    assert keeping(bytes(KEY_LIMIT), body).find(bytes(KEY_LIMIT)) == (body, 7)


def test_the_number_of_replies_is_bounded():
    ready = Ready()
    ready.stable = dict.fromkeys(range(READY_LIMIT), BODY)  # as full as it gets
    ready.keep(KEY, BODY, 7, None)

    assert len(ready.stable) + len(ready.fleeting) == 1


def test_no_name_has_more_cards_than_clients_have_ways_to_ask():
    ready = keeping()
    for size in range(512, 4096):
        ready.keep(KEY + size.to_bytes(2), BODY, 7, b"\1a\0")

    assert len(ready.stable) == NAME_LIMIT
    assert ready.find(KEY + (4095).to_bytes(2)) is not None


def test_tallied_octets_are_counted_once_and_those_of_nobody_never():
    ready, counts = Ready(), [10, 0, 5]
    ready.tally += bytes([0, 2, 0, NOBODY, 2, 0])
    ready.drain(counts)
    ready.drain(counts)

    assert counts == [13, 0, 7]


ORIGIN = from_text("service.")
OPT = bytes.fromhex("00002904d0000000000000")
CLIENT_COOKIE = bytes.fromhex("00002904d000000000000c000a00080102030405060708")


def asked(name: str, opt: bytes = b"") -> bytes:
    """A packet without its ID."""
    return b"\1\0\0\1\0\0\0\0\0" + bytes([bool(opt)]) + from_text(name) + b"\0\1\0\1" + opt


def dealer(*known: bytes) -> Compiled:
    soa = RRset(ORIGIN, 6, 30, (parse_rdata(6, "ns.service. host.service. 1 2 3 4 5"),))
    web = RRset(from_text("web.service."), 1, 30, (bytes([10, 0, 0, 1]),))
    settings = Settings(cookie_secrets=(bytes(16),))
    compiled = Compiled(Zones.of([Zone.build(ORIGIN, [soa, web])]), settings, lambda: 1_700_000_000)
    for key in known * 2:
        compiled.quick(key, b"\x7f\0\0\1")
    return compiled


@pytest.mark.parametrize(
    ("known", "key"),
    [
        (asked("web.service."), asked("wEb.serVICE.")),
        (asked("gone.service."), asked("GONE.service.")),
        (asked("web.service.", OPT), asked("web.service.", CLIENT_COOKIE)),
        (asked("web.service.", OPT), asked("WEB.service.", CLIENT_COOKIE)),
    ],
    ids=["letter-case", "denied", "cookie", "both"],
)
def test_a_variation_of_what_has_a_card_is_dealt_the_answer_it_would_get(known, key):
    compiled = dealer(known)

    card = compiled.varied(key, b"\x7f\0\0\1")

    assert card is not None
    assert (len(card), card[2 : card[COUNTER_AT + 1]]) == (CARD, compiled.quick(key, b"\x7f\0\0\1"))


@pytest.mark.parametrize("key", [asked("web.service."), asked("Late.service."), b"", bytes(12), bytes(40)])
def test_what_is_no_variation_of_a_card_is_dealt_none(key):
    assert dealer(asked("web.service.")).varied(key, b"\x7f\0\0\1") is None


def test_a_cookie_that_would_not_fit_is_left_to_others():
    card = (b"\0\0" + bytes(range(COUNTER_AT - 2))).ljust(COUNTER_AT) + b"\x07" + (COUNTER_AT).to_bytes(8, "little")

    assert (longer(card, bytes(2)) is not None, longer(card, bytes(3))) == (True, None)


def test_names_that_a_wildcard_makes_up_take_room_only_when_they_are_asked_again():
    soa = RRset(ORIGIN, 6, 30, (parse_rdata(6, "ns.service. host.service. 1 2 3 4 5"),))
    star = RRset(from_text("*.web.service."), 1, 30, (bytes([10, 0, 0, 1]),))
    compiled = Compiled(Zones.of([Zone.build(ORIGIN, [soa, star])]), Settings(), lambda: 1_700_000_000)
    replies = [compiled.quick(asked(f"n{number}.web.service."), b"\x7f\0\0\1") for number in range(100)]
    once = len(compiled.ready.fleeting)
    again = compiled.quick(asked("n7.web.service."), b"\x7f\0\0\1")

    assert {reply[-4:] for reply in replies} == {bytes([10, 0, 0, 1])}
    assert (once, len(compiled.ready.fleeting)) == (0, 1)
    assert again == replies[7]
