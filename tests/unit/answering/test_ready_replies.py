"""Ready-made replies: kept whole, found by what was asked, counted late but exactly, bounded."""

from __future__ import annotations

import pytest

from suite.dns.ready import CARD, COUNTER_AT, KEY_LIMIT, NOBODY, READY_LIMIT, Ready

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


def test_tallied_octets_are_counted_once_and_those_of_nobody_never():
    ready, counts = Ready(), [10, 0, 5]
    ready.tally += bytes([0, 2, 0, NOBODY, 2, 0])
    ready.drain(counts)
    ready.drain(counts)

    assert counts == [13, 0, 7]
