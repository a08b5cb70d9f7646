"""One TCP connection's questions and answers, turn by turn: what is ready leaves, whatever runs beside it (RFC 7766)."""

from __future__ import annotations

from itertools import count

import pytest

from suite.dns.conversation import QUESTIONS, STREAMS, TURN, Conversation, idle_seconds, told_seconds

CLIENT = b"\x7f\0\0\1"


def framed(*packets: bytes) -> bytes:
    return b"".join(len(packet).to_bytes(2) + packet for packet in packets)


def question(ident: int, kind: bytes = b"plain") -> bytes:
    """A packet whose ID and kind are all that this file's `answered` looks at."""
    return ident.to_bytes(2) + bytes(10) + kind


def answered(packet: bytes, client: bytes):
    """Plain questions get one message at once, `silence` none, and a transfer forty of 16,000 octets."""
    assert client == CLIENT
    if packet[12:] == b"silence":
        return ()
    if packet[12:] == b"transfer":
        return (packet[:2] + bytes(16_000) for _ in range(40))
    return (packet[:2] + b"answer of a plain question",)


def conversation(*packets: bytes, clock=lambda: 0.0) -> Conversation:
    made = Conversation(answered, CLIENT, clock)
    made.feed(framed(*packets))
    return made


def idents(octets: bytes) -> list[int]:
    """The IDs of framed messages, in their order."""
    found = []
    while octets:
        end = 2 + int.from_bytes(octets[:2])
        found.append(int.from_bytes(octets[2:4]))
        octets = octets[end:]
    return found


def all_of(talk: Conversation) -> list[int]:
    said = idents(talk.turn())
    while talk.is_unfinished:
        said += idents(talk.turn())
    return said


def test_a_question_behind_a_transfer_is_answered_before_it():
    talk = conversation(question(1, b"transfer"), question(2))

    assert idents(talk.turn())[0] == 2


def test_a_question_that_comes_during_a_transfer_is_in_the_next_turn():
    talk = conversation(question(1, b"transfer"))
    talk.turn()

    talk.feed(framed(question(2)))

    assert idents(talk.turn()) == [2, 1, 1, 1, 1, 1]


def test_two_transfers_take_turns_message_by_message():
    talk = conversation(question(1, b"transfer"), question(2, b"transfer"))

    assert idents(talk.turn()) == [1, 2, 1, 2, 1]


def test_nothing_is_lost_and_nothing_said_twice():
    talk = conversation(question(1, b"transfer"), question(2), question(3, b"transfer"), question(4, b"silence"))

    assert sorted(all_of(talk)) == [1] * 40 + [2] + [3] * 40


def test_one_transfer_more_than_may_run_waits_and_is_answered_in_the_end():
    talk = conversation(*(question(number, b"transfer") for number in range(STREAMS + 1)), question(99))
    talk.turn()
    is_waiting = talk.is_partial

    said = all_of(talk)

    assert is_waiting
    assert said.count(STREAMS) == 40
    assert said.count(99) == 1


def test_a_turn_is_bounded_by_its_octets_and_one_message():
    talk = conversation(question(0, b"transfer"), *(question(number) for number in range(2_000)))

    assert TURN <= len(talk.turn()) <= TURN + 2 + 0xFFFF


def test_questions_that_deserve_silence_cost_a_turn_no_more_than_others():
    talk = conversation(*(question(number, b"silence") for number in range(QUESTIONS)), question(9))

    first, was_unfinished, second = talk.turn(), talk.is_unfinished, talk.turn()

    assert (first, was_unfinished, idents(second), talk.is_unfinished) == (b"", True, [9], False)


def test_a_turn_ends_with_the_question_during_which_its_millisecond_is_over():
    seconds = iter((0.0, 0.0003, 0.0009, 0.0012, 0.0012, 5.0))
    talk = conversation(*(question(number) for number in range(5)), clock=lambda: next(seconds, 5.0))

    assert (idents(talk.turn()), talk.is_unfinished) == ([0, 1, 2], True)


def test_however_slow_the_questions_each_turn_answers_one():
    seconds = count()
    talk = conversation(*(question(number) for number in range(3)), clock=lambda: float(next(seconds)))

    assert all_of(talk) == [0, 1, 2]


def test_a_transfer_goes_on_in_a_turn_that_slow_questions_fill():
    seconds = count()
    talk = conversation(question(7, b"transfer"), *(question(1) for _ in range(9)), clock=lambda: float(next(seconds)))

    assert idents(talk.turn()) == [7]
    assert idents(talk.turn()) == [1, 7]


def test_no_number_of_questions_makes_a_transfer_stand_still():
    talk = conversation(question(7, b"transfer"))
    talk.turn()

    talk.feed(framed(*(question(number + 100) for number in range(5_000))))

    assert 7 in idents(talk.turn())


def test_a_buffer_is_full_when_the_longest_message_would_be_whole():
    talk = conversation()
    talk.feed(bytes([255]) * (2 + 0xFFFF - 1))
    was_full = talk.is_full

    talk.feed(b"x")

    assert not was_full
    assert talk.is_full


@pytest.mark.parametrize("size", [0, 1, 11])
def test_a_length_below_a_header_ends_the_conversation(size):
    talk = conversation()

    talk.feed(size.to_bytes(2) + bytes(20))

    assert talk.turn() == b""
    assert talk.is_broken


def test_the_answers_before_a_broken_length_are_still_given():
    talk = conversation(question(1))

    talk.feed(b"\0\0")

    assert idents(talk.turn()) == [1]
    assert talk.is_broken


def test_a_question_in_single_octets_is_one_question():
    talk = conversation()
    said = []
    for octet in framed(question(5)):
        talk.feed(bytes([octet]))
        said += idents(talk.turn())

    assert said == [5]


@pytest.mark.parametrize(
    ("connections", "seconds"),
    [(1, 10.0), (750, 10.0), (751, 2.0), (1_000, 2.0)],
    ids=["one", "three quarters", "more", "all"],
)
def test_connections_may_idle_ten_seconds_and_two_when_they_are_many(connections, seconds):
    assert idle_seconds(10.0, connections, 1_000) == seconds


def test_a_shorter_limit_stays_shorter_when_connections_are_many():
    assert idle_seconds(0.5, 999, 1_000) == 0.5


@pytest.mark.parametrize(
    ("connections", "seconds"),
    [(1, 10.0), (751, 2.0), (937, 2.0), (938, 0.0), (1_000, 0.0)],
    ids=["one", "many", "fifteen of sixteen", "more", "all"],
)
def test_a_client_is_told_how_long_it_may_idle_and_to_close_when_hardly_a_connection_is_left(connections, seconds):
    assert told_seconds(10.0, connections, 1_000) == seconds
