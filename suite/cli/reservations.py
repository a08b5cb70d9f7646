"""Reservations as lines of a CSV file: pure, so that what is exported can be imported again.

The columns are ``address``, ``name`` and ``note``.  An address may be a block (``10.0.42.10-10.0.42.20``, ``10.0.42.16/28``),
which then has no name; no name, or ``-``, means that nobody gets it.  A header is recognised and may leave out or
reorder columns; others are passed over, so that a spreadsheet's export works as it is.
"""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from suite.model.address import parse_range
from suite.model.lease import Reservation
from suite.model.service import parse_ref

COLUMNS = ("address", "name", "note")
NOBODY = frozenset({"", "-"})


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the file, from 1, that holds a reservation or is refused with ``fault``."""

    number: int
    text: str
    reservation: Reservation | None = None
    fault: str = ""


def read_lines(lines: Iterable[str]) -> list[Line]:
    """Every line that says something; blank ones and those that begin with ``#`` say nothing."""
    reader = csv.reader(lines)
    found: list[Line] = []
    places: dict[str, int] | None = None
    width = len(COLUMNS)
    try:
        for row in reader:
            cells = [cell.strip().lstrip("\ufeff") for cell in row]
            if not any(cells) or cells[0].startswith("#"):
                continue
            if places is None:
                places = _header(cells)
                if places is not None:
                    width = len(cells)
                    continue
                places = {name: place for place, name in enumerate(COLUMNS)}
            found.append(_line(reader.line_num, cells, places, width))
    except csv.Error as error:
        found.append(Line(reader.line_num, "", fault=str(error)))
    return found


def reservation(address: str, name: str = "", note: str = "") -> Reservation:
    """A reservation as people write it.

    Raises:
        ValueError: no address or block, no name of a Service, or a block for a name.
    """
    span, note = parse_range(address), storable(note.strip())
    ref = None if name in NOBODY else parse_ref(name)
    if span.size == 1:
        return Reservation(span.first, ref, note)
    if ref is not None:
        raise ValueError(f"a block is reserved for nobody; reserve one address for {ref}")
    return Reservation(span.first, None, note, last=span.last)


def storable(text: str) -> str:
    """The text itself.

    Raises:
        ValueError: no database takes it: it holds a NUL, or octets that are no UTF-8.
    """
    if "\0" in text or text.encode(errors="replace").decode() != text:
        raise ValueError(f"{text!r} is not plain text in UTF-8")
    return text


def _header(cells: Sequence[str]) -> dict[str, int] | None:
    """The places of the columns when this row names them."""
    folded = [cell.lower() for cell in cells]
    return {name: folded.index(name) for name in COLUMNS if name in folded} if "address" in folded else None


def _line(number: int, cells: Sequence[str], places: dict[str, int], width: int) -> Line:
    text = ",".join(cells)
    if any(cells[width:]):
        return Line(
            number, text, fault='it has more fields than there are columns; a note with a comma stands in "quotes"'
        )
    said = {name: cells[place] for name, place in places.items() if place < len(cells)}
    try:
        return Line(number, text, reservation(said.get("address", ""), said.get("name", ""), said.get("note", "")))
    except ValueError as error:
        return Line(number, text, fault=str(error))
