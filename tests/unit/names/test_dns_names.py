"""Domain names: text, octets, compression, bounds."""

from __future__ import annotations

import pytest

from suite.dns.name import DomainNameError, from_text, is_below, read, to_text


@pytest.mark.parametrize(
    ("text", "wire"),
    [
        (".", b"\0"), ("a.", b"\1a\0"), ("WeB.example.", b"\3WeB\7example\0"), (r"a\.b.", b"\3a.b\0"),
        (r"\000\255.", b"\2\x00\xff\0"), (r"\@.", b"\1@\0"), ("*.a.", b"\1*\1a\0"), ("0/26.a.", b"\x040/26\1a\0"),
    ],
)  # fmt: skip
def test_text_and_octets_are_the_same_name(text, wire):
    assert from_text(text) == wire
    assert from_text(to_text(wire)) == wire


def test_a_name_without_a_final_dot_is_below_the_origin():
    assert from_text("a.b", from_text("service.")) == b"\1a\1b\7service\0"


def test_an_at_sign_is_the_origin():
    assert from_text("@", from_text("service.")) == b"\7service\0"


@pytest.mark.parametrize(
    "text", ["", "a..b.", ".a.", "x" * 64 + ".", r"\256.", "a\\", r"\1", ".".join(["x" * 63] * 4) + "."]
)
def test_text_that_is_no_name_is_refused(text):
    with pytest.raises(DomainNameError):
        from_text(text)


def test_a_name_of_255_octets_is_the_longest():
    assert len(from_text(".".join(["x" * 63] * 3 + ["y" * 61]) + ".")) == 255


def test_a_compressed_name_is_read_whole():
    packet = b"\3www\7example\0\4mail\xc0\x04"

    assert read(packet, 13) == (b"\4mail\7example\0", 20)


@pytest.mark.parametrize(
    "packet",
    [b"\xc0\x00", b"\1a\xc0\x00", b"\xc0\x02\0", b"\5ab", b"", b"\xc0", b"\x41a\0", b"\x80a\0", (b"\x3f" + b"x" * 63) * 4 + b"\0"],
    ids=["itself", "around", "forward", "overrun", "nothing", "half a pointer", "type 01", "type 10", "256 octets"],
)  # fmt: skip
def test_octets_that_are_no_name_are_refused(packet):
    with pytest.raises(DomainNameError):
        read(packet, 0)


@pytest.mark.parametrize(
    ("name", "origin", "expected"),
    [
        ("a.service.", "service.", True), ("service.", "service.", True), ("notservice.", "service.", False),
        ("service.", "a.service.", False), ("a.", ".", True), (r"a\007service.", "service.", False),
    ],
)  # fmt: skip
def test_below_is_judged_on_label_boundaries(name, origin, expected):
    assert is_below(from_text(name), from_text(origin)) is expected
