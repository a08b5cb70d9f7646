"""Arguments are read once and refused with the reason and an example."""

import click
import pytest

from suite.cli.arguments import read_address, read_listen, read_range, read_ref


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1", "127.0.0.1:53"),
        ("127.0.0.1:1053", "127.0.0.1:1053"),
        ("::1", "[::1]:53"),
        ("[::1]", "[::1]:53"),
        ("[::1]:1053", "[::1]:1053"),
        ("2001:db8::7:1053", "[2001:db8::7:1053]:53"),
    ],
)
def test_a_place_to_listen_is_an_address_and_maybe_a_port(text, expected):
    assert str(read_listen(text)) == expected


@pytest.mark.parametrize(
    "text", ["localhost", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:dns", "[::1]:", "", "127.0.0.1:٣"]
)
def test_anything_else_is_wrong_usage_with_an_example(text):
    with pytest.raises(click.UsageError, match=r"write 127\.0\.0\.1:1053 or \[::1\]:1053"):
        read_listen(text)


def test_a_bare_name_lies_in_default():
    assert read_ref("coffee") == ("default", "coffee")


@pytest.mark.parametrize(
    "text", ["", "a/b/c", "default/", "Coffee", "coffee\n", "-coffee", "caf\xe9", "\udcff", "a" * 254]
)
def test_what_names_no_service_is_wrong_usage(text):
    with pytest.raises(click.UsageError, match="write default/coffee"):
        read_ref(text)


def test_addresses_and_ranges_are_refused_in_words():
    with pytest.raises(click.UsageError, match=r"'ten' does not appear .* \(write 10\.0\.42\.7"):
        read_address("ten")
    with pytest.raises(click.UsageError, match="the first address lies behind the last"):
        read_range("10.0.0.2-10.0.0.1")
