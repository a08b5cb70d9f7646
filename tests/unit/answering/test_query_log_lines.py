"""One line for each question, whatever is in the packet."""

import pytest

from suite.dns.querylog import line

WEB = b"\x12\x34\0\0\0\1\0\0\0\0\0\0\3web\0\0\1\0\1"


def test_a_line_says_when_who_how_what_and_what_came_of_it() -> None:
    reply = WEB[:3] + b"\x03" + WEB[4:]

    assert line(WEB, b"\xc0\0\2\1", reply, "udp", 0) == "1970-01-01 00:00:00Z query 192.0.2.1 udp web. A NXDOMAIN\n"


def test_silence_is_a_dash() -> None:
    assert line(WEB, bytes(15) + b"\1", None, "tcp", 0).endswith(" ::1 tcp web. A -\n")


@pytest.mark.parametrize(
    "packet", [b"", WEB[:10], WEB[:16], WEB[:18], WEB[:12] + b"\xc0\x0c\0\1\0\1", WEB[:12] + b"\x3fa" * 200]
)
def test_a_packet_that_is_no_question_makes_a_line_too(packet: bytes) -> None:
    assert line(packet, bytes(4), None, "udp", 0).endswith("udp - - -\n")


def test_a_name_cannot_forge_a_line() -> None:
    assert line(WEB.replace(b"web", b"\n b"), bytes(4), None, "udp", 0).count("\n") == 1
