"""Shapes: what a setting must look like, declared once.

A shape reads a node into a value and tells every fault with its place, and gives its own JSON Schema; so the parser,
the schema for editors and the reference cannot disagree.  A shape never raises because of what it reads: a value that
cannot be used is FAULT, and whoever asked goes on with the default to find the remaining faults too.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import Enum
from typing import Any, Protocol

from suite.config.tree import NOTHING, Cursor, ListNode, MapNode, Scalar
from suite.config.values import FALSE, TRUE, CodedError, parse_duration, parse_whole
from suite.model.problem import Problem

DOES_NOT_FIT = "yaml.does_not_fit_the_schema"
UNKNOWN_KEY = "yaml.unknown_key"


class Fault(Enum):
    """The answer of a shape that could not read its node, and has said why."""

    FAULT = "fault"


FAULT = Fault.FAULT


class Dialect(Enum):
    """In which spelling keys stand."""

    NATIVE = "native"
    """Our own file and the old ConfigMap: ``peer-address``."""
    RESOURCE = "resource"
    """Custom resources: ``peerAddress``."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How to read, and where faults are noted."""

    dialect: Dialect = Dialect.NATIVE
    strict: bool = True
    """Whether a key nobody knows is an error; a cluster may have newer definitions than we know."""
    problems: list[Problem] = field(default_factory=list)

    def fault(self, at: Cursor, code: str, message: str, *, transient: bool = False) -> Fault:
        """Note an error at a place."""
        self.problems.append(Problem(at.path, message, code, at.source, at.line, is_transient=transient))
        return FAULT

    def unknown(self, at: Cursor, key: str, known: tuple[str, ...]) -> None:
        """Note a key that nobody knows, at its own line, with what was probably meant."""
        here = Cursor(NOTHING, at.source, at.path, at.key_line or at.line)
        message = f"nothing is called {key!r} here{meant(key, known)}"
        if self.strict:
            self.fault(here, UNKNOWN_KEY, message)
        else:
            self.warn(here, UNKNOWN_KEY, message + "; it is passed over")

    def warn(self, at: Cursor, code: str, message: str) -> None:
        """Note something that does not stop the document from being used."""
        self.problems.append(Problem(at.path, message, code, at.source, at.line, is_warning=True))


class Shape(Protocol):
    """What a value must look like."""

    def read(self, at: Cursor, reading: Reading, code: str = "") -> Any:
        """The value, or FAULT after noting why; ``code`` is the setting's own word for a bad value."""

    def schema(self, dialect: Dialect) -> dict[str, Any]:
        """The same as JSON Schema (draft 2020-12)."""


def _scalar(at: Cursor, reading: Reading, wanted: str) -> Scalar | Fault:
    if isinstance(at.node, Scalar):
        return at.node
    found = "a list" if isinstance(at.node, ListNode) else "a map"
    return reading.fault(at, DOES_NOT_FIT, f"expected {wanted}, found {found}")


@dataclass(frozen=True, slots=True)
class Text:
    """Text as it was written."""

    is_secret: bool = False
    """Never repeated in a message; the messages of this shape repeat nothing anyway."""
    longest: int = 0
    """Octets in UTF-8 that there is room for; 0 for any number."""

    def read(self, at: Cursor, reading: Reading, code: str = "") -> str | Fault:
        node = _scalar(at, reading, "text")
        if not isinstance(node, Scalar):
            return node
        size = len(node.text.encode())
        if self.longest and size > self.longest:
            return reading.fault(at, code or DOES_NOT_FIT, f"expected at most {self.longest} octets, found {size}")
        return node.text

    def schema(self, dialect: Dialect) -> dict[str, Any]:
        return {"type": ["string", "number"]} | ({"maxLength": self.longest} if self.longest else {})


@dataclass(frozen=True, slots=True)
class Flag:
    """Yes or no."""

    def read(self, at: Cursor, reading: Reading, code: str = "") -> bool | Fault:
        node = _scalar(at, reading, "true or false")
        if node is FAULT:
            return FAULT
        if not node.is_quoted and node.text in TRUE | FALSE:
            return node.text in TRUE
        hint = ", without quotes" if node.text in TRUE | FALSE else ""
        return reading.fault(at, code or DOES_NOT_FIT, f"expected true or false{hint}, found {node.text!r}")

    def schema(self, dialect: Dialect) -> dict[str, Any]:
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Number:
    """A whole number within bounds."""

    least: int = 0
    most: int = 0xFFFFFFFF

    def read(self, at: Cursor, reading: Reading, code: str = "") -> int | Fault:
        wanted = f"a whole number from {self.least} to {self.most}"
        node = _scalar(at, reading, wanted)
        if node is FAULT:
            return FAULT
        try:
            number = parse_whole(node.text)
        except ValueError:
            return reading.fault(at, DOES_NOT_FIT, f"expected {wanted}, found {node.text!r}")
        if node.is_quoted:
            return reading.fault(at, DOES_NOT_FIT, f"expected {wanted}: write {number} without quotes")
        if not self.least <= number <= self.most:
            return reading.fault(at, code or "value.out_of_range", f"{number} is not {wanted}")
        return number

    def schema(self, dialect: Dialect) -> dict[str, Any]:
        return {"type": "integer", "minimum": self.least, "maximum": self.most}


@dataclass(frozen=True, slots=True)
class Seconds:
    """A duration: ``90s``, ``3m0s``, ``1h``, or a plain number of seconds."""

    least: float = 0.0
    most: float = 315_360_000.0
    is_whole: bool = False
    """Only whole seconds, read as int."""

    def read(self, at: Cursor, reading: Reading, code: str = "") -> float | Fault:
        node = _scalar(at, reading, "a duration such as 90s or 10m")
        if node is FAULT:
            return FAULT
        try:
            seconds = parse_duration(node.text)
        except ValueError as fault:
            return reading.fault(at, code or "value.duration", str(fault))
        if not self.least <= seconds <= self.most:
            return reading.fault(
                at, code or "value.out_of_range", f"{node.text} is not between {self.least:g} s and {self.most:g} s"
            )
        if self.is_whole and seconds != int(seconds):
            return reading.fault(at, code or "value.out_of_range", f"{node.text} is not a whole number of seconds")
        return int(seconds) if self.is_whole else seconds

    def schema(self, dialect: Dialect) -> dict[str, Any]:
        pattern = r"^([0-9]+(\.[0-9]*)?(ns|us|µs|ms|s|m|h|d))+$|^[0-9]+(\.[0-9]+)?$"
        return {
            "anyOf": [
                {"type": "number", "minimum": self.least, "maximum": self.most},
                {"type": "string", "pattern": pattern},
            ]
        }


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words."""

    words: tuple[str, ...]

    def read(self, at: Cursor, reading: Reading, code: str = "") -> str | Fault:
        wanted = "one of " + ", ".join(self.words)
        node = _scalar(at, reading, wanted)
        if node is FAULT or node.text in self.words:
            return node if node is FAULT else node.text
        return reading.fault(
            at, code or "value.unknown", f"expected {wanted}, found {node.text!r}{meant(node.text, self.words)}"
        )

    def schema(self, dialect: Dialect) -> dict[str, Any]:
        return {"enum": list(self.words)}


@dataclass(frozen=True, slots=True)
class Parsed:
    """Text that a function makes a value of; its ValueError is the message."""

    parse: Callable[[str], Any]
    example: str

    def read(self, at: Cursor, reading: Reading, code: str = "") -> Any:
        node = _scalar(at, reading, f"something like {self.example}")
        if node is FAULT:
            return FAULT
        try:
            return self.parse(node.text)
        except CodedError as fault:
            return reading.fault(at, fault.code, str(fault))
        except ValueError as fault:
            return reading.fault(at, code or "value.bad", str(fault))

    def schema(self, dialect: Dialect) -> dict[str, Any]:
        return {"type": ["string", "number"], "examples": [self.example]}


@dataclass(frozen=True, slots=True)
class Listing:
    """A list; members that cannot be read are left out, after their fault was noted."""

    of: Shape
    may_be_single: bool = False
    """Whether one value may stand without the list around it."""
    twice: str = ""
    """The code of the error when a value stands twice; empty where it may."""

    def read(self, at: Cursor, reading: Reading, code: str = "") -> Any:
        if isinstance(at.node, ListNode):
            values = [(item, self.of.read(item, reading, code)) for item in at.items()]
            whole = [(item, value) for item, value in values if value is not FAULT]
            if self.twice:
                self._tell_doubles(whole, reading)
            return tuple(value for _, value in whole)
        if self.may_be_single:
            value = self.of.read(at, reading, code)
            return FAULT if value is FAULT else (value,)
        return reading.fault(at, DOES_NOT_FIT, "expected a list" + (" (begin the line with -)" if at.line else ""))

    def _tell_doubles(self, values: list[tuple[Cursor, Any]], reading: Reading) -> None:
        first: dict[Any, Cursor] = {}
        for item, value in values:
            if first.setdefault(value, item) is not item:
                reading.fault(item, self.twice, f"it stands here already as {first[value].path}; remove one")

    def schema(self, dialect: Dialect) -> dict[str, Any]:
        members = self.of.schema(dialect)
        listed = {"type": ["array", "null"], "items": members}
        return {"anyOf": [listed, members]} if self.may_be_single else listed


@dataclass(frozen=True, slots=True)
class Words:
    """A map from free names to values of one shape, read as pairs in the order written."""

    of: Shape

    def read(self, at: Cursor, reading: Reading, code: str = "") -> Any:
        if not isinstance(at.node, MapNode):
            return reading.fault(at, DOES_NOT_FIT, "expected a map (name: value)")
        values = ((key, self.of.read(each, reading, code)) for key, each in at.entries())
        return tuple((key, value) for key, value in values if value is not FAULT)

    def schema(self, dialect: Dialect) -> dict[str, Any]:
        return {"type": ["object", "null"], "additionalProperties": self.of.schema(dialect)}


def meant(word: str, known: tuple[str, ...]) -> str:
    """`` (did you mean ...?)``, or nothing where no known word is near."""
    plain = {_squashed(each): each for each in reversed(known)}
    near = plain.get(_squashed(word)) or next(iter(get_close_matches(word, known, n=1, cutoff=0.7)), "")
    return f"; did you mean {near!r}?" if near else ""


def _squashed(word: str) -> str:
    return word.replace("-", "").replace("_", "").replace(" ", "").lower()
