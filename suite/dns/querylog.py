"""The query log: one line for each question, fit for grep; off unless an operator asks, for it costs most of the speed.

And what is logged without asking: questions that the data of a zone leaves without an answer.
"""

from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import ip_address
from typing import TYPE_CHECKING

from suite.dns import rrtype
from suite.dns.message import HEADER_SIZE
from suite.dns.name import MAX_NAME, split_wire, to_text

if TYPE_CHECKING:
    from collections.abc import Callable

_FAULTS = 64


def line(packet: bytes, client: bytes, reply: bytes | None, transport: str, now: int) -> str:
    """Time, `query`, who asked, how, name, type and response code; a dash stands for what cannot be told.

    Whatever is in the packet, the line is one line: names are escaped as in a zone file.
    """
    code = "-" if reply is None or len(reply) < HEADER_SIZE else rrtype.rcode_to_text(reply[3] & 0xF)
    when = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    return f"{when} query {ip_address(client)} {transport} {_question(packet)} {code}\n"


def _question(packet: bytes) -> str:
    try:
        end = split_wire(packet, HEADER_SIZE)
        name = to_text(packet[HEADER_SIZE:end])
    except (ValueError, IndexError):
        return "- -"
    if len(packet) < end + 4 or end - HEADER_SIZE > MAX_NAME:
        return "- -"
    return f"{name} {rrtype.type_to_text(int.from_bytes(packet[end : end + 2]))}"


class Faults:
    """Questions that the data of their zone makes impossible to answer: each is logged once, the first 64 of them."""

    __slots__ = ("_log", "_told")

    def __init__(self, log: Callable[[str], object] | None) -> None:
        self._log = log
        self._told: set[bytes] = set()

    def tell(self, question: bytes, error: Exception) -> None:
        """Log a question (name, type and class in octets) and what is wrong with its data."""
        if self._log is not None and question not in self._told and len(self._told) < _FAULTS:
            self._told.add(question)
            self._log(f"cannot answer {_question(bytes(HEADER_SIZE) + question)}: its data are malformed ({error})\n")
