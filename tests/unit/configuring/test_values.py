"""Durations, communities, ranges and listen addresses, and how they are written."""

import pytest

from suite.config.values import (
    CommunityRangeError,
    MalformedCommunityError,
    duration_text,
    parse_community,
    parse_duration,
    parse_listen,
    parse_span,
    parse_whole,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("90s", 90),
        ("3m0s", 180),
        ("1h", 3600),
        ("1h30m", 5400),
        ("250ms", 0.25),
        ("1.5h", 5400),
        ("2d", 172800),
        ("0", 0),
    ],
)
def test_durations(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "s", "-1s", "1 s", "1y", "1h30", "1..5s", "٣s", "9" * 12, "1e3", "nan", "1s " * 99]
)
def test_what_is_no_duration(text):
    with pytest.raises(ValueError, match=r"duration|longer"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.25, "250ms"), (30, "30s"), (90, "1m30s"), (180, "3m0s"), (3600, "1h0m0s"), (90.5, "1m30.5s")],
)
def test_durations_are_written_as_go_writes_them(seconds, text):
    assert duration_text(seconds) == text


@pytest.mark.parametrize("text", ["64512:1", "large:64512:1:4294967295"])
def test_communities(text):
    assert str(parse_community(text)) == text


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("65536:1", CommunityRangeError),
        ("1:-1", CommunityRangeError),
        ("a:1", CommunityRangeError),
        ("large:1:x:1", CommunityRangeError),
        ("small:1:2:3", CommunityRangeError),
        ("1", MalformedCommunityError),
        ("large:1:2", MalformedCommunityError),
        ("", MalformedCommunityError),
    ],
)
def test_what_is_no_community(text, fault):
    with pytest.raises(fault):
        parse_community(text)


@pytest.mark.parametrize(("text", "port"), [("127.0.0.1:53", 53), ("[::1]:8080", 8080)])
def test_listen_addresses(text, port):
    assert (parse_listen(text).port, str(parse_listen(text))) == (port, text)


@pytest.mark.parametrize(
    "text", ["", "53", ":53", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "localhost:53"]
)
def test_what_is_no_listen_address(text):
    with pytest.raises(ValueError, match="write 127"):
        parse_listen(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [("10.0.42.9/24", 256), ("40.0.0.210 - 40.0.0.240", 31), (" 10.0.0.1 ", 1), ("2001:db8::/120", 256)],
)
def test_ranges(text, size):
    assert parse_span(text).size == size


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "10.0.0.0/0.0.0.255",
        "::ffff:1.2.3.0/120",
        "10.0.0.0/24-10.0.1.0/24",
        "fe80::1%eth0",
    ],
)
def test_what_is_no_range(text):
    with pytest.raises(ValueError, match="write 10"):
        parse_span(text)


@pytest.mark.parametrize("text", ["", "+", "1_000", "1.0", "٣", "0o17", " 1"])
def test_what_is_no_whole_number(text):
    with pytest.raises(ValueError, match="no whole number"):
        parse_whole(text)
