"""Ready-made replies: kept whole, found by what was asked, counted late but exactly, bounded."""

from __future__ import annotations

import pytest

from suite.dns.ready import CARD, COUNTER_AT, KEY_LIMIT, NOBODY, READY_LIMIT, Ready

PACKET = b"\x12\x34\1\0\0\1\0\0\0\0\0\0\1a\0\0\1\0\1"
REPLY = b"\x12\x34\x85\0\0\1\0\1\0\0\0\0\1a\0\0\1\0\1\xc0\x0c\0\1\0\1\0\0\0\x1e\0\4\x0a\0\0\1"


def keeping(packet: bytes = PACKET, reply: bytes = REPLY, counter: int = 7, name: bytes | None = b"\1a\0") -> Ready:
    ready = Ready()
    ready.keep(packet, reply, counter, name)
    return ready


@pytest.mark.parametrize("name", [b"\1a\0", None], ids=["stable", "fleeting"])
def test_a_reply_that_was_kept_is_found_with_the_id_that_is_asked(name):
    assert keeping(name=name).find(b"\xab\xcd" + PACKET[2:]) == (b"\xab\xcd" + REPLY[2:], 7)


def test_another_packet_is_not_found():
    assert keeping().find(PACKET[:-1] + b"\3") is None


def test_a_card_holds_the_reply_its_counter_and_its_length():
    [card] = keeping().stable.values()

    assert (len(card), card[2 : len(REPLY)], card[COUNTER_AT], card[COUNTER_AT + 1]) == (
        CARD, REPLY[2:], 7, len(REPLY),
    )  # fmt: skip


def test_a_forgotten_name_takes_its_replies_along():
    ready = keeping()
    ready.forget(b"\1a\0")

    assert ready.find(PACKET) is None


def test_what_is_fleeting_goes_while_the_stable_stays():
    ready = keeping()
    ready.keep(PACKET + b"x", REPLY, 7, None)
    ready.forget_fleeting()

    assert (ready.find(PACKET + b"x"), ready.find(PACKET)) == (None, (REPLY, 7))


@pytest.mark.parametrize(
    ("packet", "reply"),
    [(bytes(KEY_LIMIT + 3), REPLY), (PACKET, bytes(COUNTER_AT + 1))],
    ids=["long-question", "long-reply"],
)
def test_what_fits_no_card_is_not_kept(packet, reply):
    assert keeping(packet, reply).find(packet) is None


def test_the_longest_reply_that_fits_is_kept_whole():
    reply = bytes(range(COUNTER_AT))

    assert keeping(b"\0\1" + bytes(KEY_LIMIT), reply).find(b"\0\1" + bytes(KEY_LIMIT)) == (reply, 7)


def test_the_number_of_replies_is_bounded():
    ready, reply = Ready(), REPLY
    ready.stable = dict.fromkeys(range(READY_LIMIT), reply)  # as full as it gets
    ready.keep(PACKET, reply, 7, None)

    assert len(ready.stable) + len(ready.fleeting) == 1


def test_tallied_octets_are_counted_once_and_those_of_nobody_never():
    ready, counts = Ready(), [10, 0, 5]
    ready.tally += bytes([0, 2, 0, NOBODY, 2, 0])
    ready.drain(counts)
    ready.drain(counts)

    assert counts == [13, 0, 7]
