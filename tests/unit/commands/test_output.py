"""Rows are shown as people or programs want them."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address

import pytest
import yaml

from suite.cli.fault import Exit, Fault
from suite.cli.output import Format, cell, plain, render, wants_colour


@dataclass(frozen=True, slots=True)
class Row:
    address: object
    ports: tuple[str, ...]
    since: datetime
    draining: bool
    note: str | None = None


ROWS = [
    plain(
        Row(ip_address("10.0.42.0"), ("80/tcp", "53/udp"), datetime(2026, 11, 22, 14, 3, tzinfo=UTC), draining=False)
    ),
    plain(Row(ip_address("fd00::1"), (), datetime(2026, 1, 2, 3, 4, 5, 600000, tzinfo=UTC), draining=True)),
]
COLUMNS = ("address", "ports", "since", "draining", "note")


def test_a_table_is_aligned_and_has_no_blanks_at_the_end():
    assert render(ROWS, COLUMNS, Format.TABLE) == (
        "ADDRESS    PORTS          SINCE                        DRAINING  NOTE\n"
        "10.0.42.0  80/tcp,53/udp  2026-11-22T14:03:00Z         no\n"
        "fd00::1                   2026-01-02T03:04:05.600000Z  yes\n"
    )


def test_csv_quotes_what_needs_it():
    assert render(ROWS, ("address", "ports"), Format.CSV) == 'address,ports\n10.0.42.0,"80/tcp,53/udp"\nfd00::1,\n'


@pytest.mark.parametrize(("chosen", "read"), [(Format.JSON, json.loads), (Format.YAML, yaml.safe_load)])
def test_programs_get_every_field_with_its_type(chosen, read):
    first, second = read(render(ROWS, ("address",), chosen))

    assert first["ports"] == ["80/tcp", "53/udp"]
    assert (second["draining"], second["note"], second["since"]) == (True, None, "2026-01-02T03:04:05.600000Z")


def test_no_rows_are_an_empty_document():
    assert render([], COLUMNS, Format.JSON) == "[]\n"
    assert render([], ("address",), Format.CSV) == "address\n"


@pytest.mark.parametrize(
    ("value", "text"), [(None, ""), (True, "yes"), (7, "7"), (["a", "b"], "a,b"), ({"a": 1, "b": None}, "a=1 b=")]
)
def test_a_cell_is_one_line_of_text(value, text):
    assert cell(value) == text


@pytest.mark.parametrize(
    ("environment", "is_terminal", "expected"),
    [
        pytest.param({}, True, True, id="terminal"),
        pytest.param({}, False, False, id="pipe"),
        pytest.param({"NO_COLOR": "1"}, True, False, id="NO_COLOR"),
        pytest.param({"NO_COLOR": ""}, True, True, id="NO_COLOR-empty"),
        pytest.param({"TERM": "dumb"}, True, False, id="dumb"),
    ],
)
def test_colour_is_for_terminals_of_people_who_want_it(environment, is_terminal, expected):
    assert wants_colour(environment, is_terminal) is expected


def test_a_fault_says_what_where_and_how_to_mend_it():
    fault = Fault("first line\nsecond line", where="config.yaml", fix="mend it", code=Exit.UNAVAILABLE)

    assert fault.lines() == ["error: first line\n       second line", "where: config.yaml", "fix:   mend it"]
    assert fault.exit_code == 3


def test_a_fault_leaves_out_what_it_does_not_know():
    assert Fault("it broke").lines() == ["error: it broke"]
