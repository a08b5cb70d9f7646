"""Reservations as lines of CSV: what a spreadsheet writes is read, and what is wrong is named with its line."""

from ipaddress import ip_address

import pytest

from suite.cli.reservations import read_lines
from suite.model.lease import Reservation
from suite.model.service import ServiceRef

COFFEE = ServiceRef("default", "coffee")
SEVEN = ip_address("10.0.42.7")


def reservations(text):
    return [line.reservation for line in read_lines(text.splitlines(keepends=True))]


def faults(text):
    return [(line.number, line.fault) for line in read_lines(text.splitlines(keepends=True)) if line.fault]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("10.0.42.7,default/coffee,door\n", id="no-header"),
        pytest.param("address,name,note\n10.0.42.7,default/coffee,door\n", id="header"),
        pytest.param("\ufeffAddress,Name,Note\r\n10.0.42.7,coffee,door\r\n", id="spreadsheet"),
        pytest.param("note,room,address,name\ndoor,12,10.0.42.7,default/coffee\n", id="other-order-and-columns"),
        pytest.param("# ours\n\n 10.0.42.7 , default/coffee , door\n", id="comments-and-blanks"),
    ],
)
def test_a_line_is_an_address_a_name_and_a_note(text):
    assert reservations(text) == [Reservation(SEVEN, COFFEE, "door")]


@pytest.mark.parametrize("text", ["10.0.42.7\n", "10.0.42.7,-\n", "10.0.42.7,,\n"])
def test_without_a_name_nobody_gets_the_address(text):
    assert reservations(text) == [Reservation(SEVEN)]


@pytest.mark.parametrize("block", ["10.0.42.4-10.0.42.7", "10.0.42.4/30"])
def test_a_block_is_its_first_and_last_address(block):
    assert reservations(f"{block},,spare\n") == [Reservation(ip_address("10.0.42.4"), None, "spare", last=SEVEN)]


def test_every_wrong_line_is_named():
    text = "address,name\n10.0.42.7,coffee\nten,coffee\n10.0.42.8,a/b/c\n10.0.42.0/30,coffee\n"

    assert faults(text) == [
        (3, "'ten' does not appear to be an IPv4 or IPv6 address"),
        (4, "'a/b/c' is no NAMESPACE/NAME (letters a-z, digits, dashes and dots)"),
        (5, "a block is reserved for nobody; reserve one address for default/coffee"),
    ]


def test_a_note_may_hold_commas_quotes_and_line_ends():
    text = 'address,name,note\n10.0.42.7,coffee,"a, ""b""\nc"\nten,,\n'

    assert reservations(text)[0].note == 'a, "b"\nc'
    assert faults(text) == [(4, "'ten' does not appear to be an IPv4 or IPv6 address")]


@pytest.mark.parametrize("note", ["\0", "\udcff"])
def test_a_note_that_no_database_takes_is_refused(note):
    [(number, fault)] = faults(f"10.0.42.7,coffee,{note}\n")

    assert number == 1
    assert fault.endswith("is not plain text in UTF-8")


def test_a_file_that_is_no_csv_is_told_where_it_stops():
    assert faults('10.0.42.7,coffee,"' + "x" * 200_000) == [(1, "field larger than field limit (131072)")]


@pytest.mark.parametrize("header", ["", "address,name,note\n"])
def test_a_note_with_a_comma_but_without_quotes_is_refused_and_not_cut_off(header):
    ((_, fault),) = faults(f"{header}10.0.42.7,default/coffee,printed, on the cups\n")

    assert fault == 'it has more fields than there are columns; a note with a comma stands in "quotes"'
