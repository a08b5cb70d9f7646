"""Headers: what is cut out of a stream, and what is refused with which NOTIFICATION (RFC 4271 section 6.1)."""

import pytest

from suite.bgp.message import KEEPALIVE, MARKER, MessageReader, MessageType, encode, frame
from suite.bgp.notification import Notification, ProtocolError


def test_a_keepalive_is_nineteen_octets() -> None:
    assert KEEPALIVE.hex() == "ffffffffffffffffffffffffffffffff" + "0013" + "04"


def test_messages_are_cut_out_of_a_stream_that_comes_in_single_octets() -> None:
    stream = KEEPALIVE + encode(Notification(6, 2)) + KEEPALIVE
    reader = MessageReader()

    found = [message for octet in stream for message in reader.feed(bytes((octet,)))]

    assert found == [
        (MessageType.KEEPALIVE, b""),
        (MessageType.NOTIFICATION, b"\x06\x02"),
        (MessageType.KEEPALIVE, b""),
    ]


def test_a_message_too_long_for_the_protocol_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="a message of 4097 octets"):
        frame(MessageType.UPDATE, bytes(4078))


REFUSED = [
    pytest.param("47455420" + "00" * 15, "01:01:", id="another protocol"),
    pytest.param("ff" * 15 + "fe001304", "01:01:", id="marker with a zero bit"),
    pytest.param("ff" * 16 + "001204", "01:02:0012", id="shorter than a header"),
    pytest.param("ff" * 16 + "100102", "01:02:1001", id="longer than 4096"),
    pytest.param("ff" * 16 + "001300", "01:03:00", id="type 0"),
    pytest.param("ff" * 16 + "001306", "01:03:06", id="type 6"),
    pytest.param("ff" * 16 + "001c01", "01:02:001c", id="short OPEN"),
    pytest.param("ff" * 16 + "001602", "01:02:0016", id="short UPDATE"),
    pytest.param("ff" * 16 + "001403", "01:02:0014", id="short NOTIFICATION"),
    pytest.param("ff" * 16 + "001404", "01:02:0014", id="KEEPALIVE with a body"),
]


@pytest.mark.parametrize(("header", "answer"), REFUSED)
def test_a_bad_header_is_refused_before_its_body_arrives(header: str, answer: str) -> None:
    with pytest.raises(ProtocolError) as refused:
        list(MessageReader().feed(bytes.fromhex(header)))

    sent = refused.value.notification
    assert f"{sent.code:02}:{sent.subcode:02}:{sent.data.hex()}" == answer


def test_the_marker_is_all_ones() -> None:
    assert MARKER == b"\xff" * 16
