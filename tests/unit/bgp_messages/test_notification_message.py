"""NOTIFICATION: words for people, and shutdown messages both ways (RFC 9003)."""

import pytest

from suite.bgp.message import Dialect, MessageType, decode, encode
from suite.bgp.notification import Notification

WORDS = [
    (Notification(1, 1), "header/not synchronized"),
    (Notification(2, 0), "open/unspecific"),
    (Notification(2, 2), "open/bad peer as"),
    (Notification(4), "hold timer expired"),
    (Notification(5, 3), "fsm/established"),
    (Notification(6, 7), "cease/collision"),
    (Notification(6, 10), "cease/bfd down"),
    (Notification(6, 77), "cease/subcode 77"),
    (Notification(7, 1), "route refresh/subcode 1"),
    (Notification(99, 3), "code 99/subcode 3"),
    (Notification.shutdown("Wartung bis 14 Uhr"), "cease/administrative shutdown: Wartung bis 14 Uhr"),
]


@pytest.mark.parametrize(("notification", "words"), WORDS, ids=[words for _, words in WORDS])
def test_a_notification_reads_as_words(notification: Notification, words: str) -> None:
    assert str(notification) == words


def test_a_shutdown_message_has_its_length_before_it() -> None:
    assert encode(Notification.shutdown("bye"))[19:].hex() == "0602" + "03" + b"bye".hex()


def test_an_empty_shutdown_message_is_left_out() -> None:
    assert encode(Notification.shutdown())[19:].hex() == "0602"


def test_a_long_shutdown_message_is_cut_between_characters() -> None:
    notification = Notification.shutdown("ä" * 200)

    assert (notification.data[0], notification.text) == (254, "ä" * 127)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        pytest.param(b"\x03b\x1b\x07", "b", id="control characters are dropped"),
        pytest.param(b"\x02\xff!", "\ufffd!", id="no UTF-8"),
        pytest.param(b"\xffshort", "short", id="length beyond the data"),
        pytest.param(b"", "", id="nothing"),
    ],
)
def test_a_strange_shutdown_message_is_made_safe_to_show(data: bytes, text: str) -> None:
    assert Notification(6, 2, data).text == text


def test_only_shutdown_and_reset_carry_text() -> None:
    assert Notification(6, 7, b"\x03abc").text == ""


def test_a_notification_survives_the_wire() -> None:
    sent = Notification(3, 9, b"\x90\x0e\x00\x00")

    assert decode(MessageType.NOTIFICATION, encode(sent)[19:], Dialect()) == sent
