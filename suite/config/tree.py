"""What a document says, before anybody asks what it means: scalars, lists and maps that know their line.

A scalar keeps its text.  Whether ``no`` is a flag or a country, ``64512:1`` a community or a number to base 60, and
``010`` ten or eight, is decided by the setting it is given to, never by how it looks; so the traps of YAML 1.1 cannot
close.  Objects from a cluster become the same trees, without lines.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

MAX_DEPTH = 60
"""Levels that a document may be nested; the deepest setting stands ten levels deep."""
NULLS = frozenset({"", "~", "null", "Null", "NULL"})
PLAIN_KEY = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value as it was written; its text may be a password, so it is in no repr."""

    text: str = field(repr=False)
    line: int = 0
    is_quoted: bool = False
    """Written in quotes, as a block or with the tag of a string: text whatever it looks like."""
    text_line: int = 0
    """The line its text begins in: for a block the one after its ``|``."""

    @property
    def is_null(self) -> bool:
        """Whether it says that there is no value."""
        return not self.is_quoted and self.text in NULLS


@dataclass(frozen=True, slots=True)
class ListNode:
    """Values in order."""

    items: tuple["Node", ...] = ()
    line: int = 0


@dataclass(frozen=True, slots=True)
class MapNode:
    """Values by name, in the order written; no name twice."""

    entries: tuple[tuple[str, "Node"], ...] = ()
    line: int = 0
    key_lines: tuple[int, ...] = ()


Node = Scalar | ListNode | MapNode
NOTHING = Scalar("")


@dataclass(frozen=True, slots=True)
class Cursor:
    """A node and the way to it, so that every complaint can name its place."""

    node: Node
    source: str = ""
    path: str = ""
    key_line: int = 0
    """The line of the key it stands under; used where the node itself has none, such as a missing value."""

    @property
    def line(self) -> int:
        """Line in the source, from 1; 0 where there is none."""
        return self.node.line or self.key_line

    @property
    def is_null(self) -> bool:
        """Whether there is no value here."""
        return isinstance(self.node, Scalar) and self.node.is_null

    def entries(self) -> Iterator[tuple[str, "Cursor"]]:
        """Names and what stands under them; nothing where this is no map."""
        if isinstance(self.node, MapNode):
            lines = self.node.key_lines or (0,) * len(self.node.entries)
            for (key, value), line in zip(self.node.entries, lines, strict=True):
                yield key, Cursor(value, self.source, step(self.path, key), line)

    def items(self) -> Iterator["Cursor"]:
        """The members of a list; nothing where this is none."""
        if isinstance(self.node, ListNode):
            for index, item in enumerate(self.node.items):
                yield Cursor(item, self.source, f"{self.path}[{index}]", self.line)

    def item(self, index: int) -> "Cursor | None":
        """One member of a list; None where there is none."""
        if not isinstance(self.node, ListNode) or not 0 <= index < len(self.node.items):
            return None
        return Cursor(self.node.items[index], self.source, f"{self.path}[{index}]", self.line)

    def child(self, key: str) -> "Cursor | None":
        """What stands under ``key``; None where nothing does."""
        return next((cursor for name, cursor in self.entries() if name == key), None)

    def under(self, *keys: str) -> "Cursor":
        """What stands under ``keys``, one after the other; an empty place where nothing does."""
        here = self
        for key in keys:
            here = here.child(key) or Cursor(NOTHING, self.source, step(here.path, key), here.line)
        return here

    def at(self, *steps: str | int) -> "Cursor":
        """The place that ``steps`` (names and indexes) lead to, or the last one on the way that exists."""
        here = self
        for each in steps:
            found = here.child(each) if isinstance(each, str) else here.item(each)
            if found is None:
                return here
            here = found
        return here

    def text(self, *keys: str) -> str:
        """The scalar text under ``keys``; empty where there is none."""
        node = self.under(*keys).node
        return node.text if isinstance(node, Scalar) and not node.is_null else ""


def step(path: str, key: str) -> str:
    """``path`` and one name more: ``a.b``, or ``a["b/c"]`` where the name is no plain word."""
    if not key or not PLAIN_KEY.issuperset(key):
        return f'{path}["{key}"]'
    return f"{path}.{key}" if path else key


def from_plain(value: Any, depth: int = 0) -> Node:
    """The tree of an object made of dicts, lists and scalars, such as a cluster's API gives.

    What lies deeper than MAX_DEPTH is left out: no setting does.
    """
    if depth > MAX_DEPTH:
        return NOTHING
    match value:
        case Mapping():
            return MapNode(tuple((str(key), from_plain(each, depth + 1)) for key, each in value.items()))
        case list() | tuple():
            return ListNode(tuple(from_plain(each, depth + 1) for each in value))
        case None:
            return NOTHING
        case bool():
            return Scalar("true" if value else "false")
        case str():
            return Scalar(value, is_quoted=True)
        case _:
            return Scalar(str(value))


def to_plain(node: Node) -> Any:
    """Dicts, lists, strings, and for unquoted scalars None, bool or int where YAML 1.2 reads them so."""
    match node:
        case MapNode():
            return {key: to_plain(value) for key, value in node.entries}
        case ListNode():
            return [to_plain(value) for value in node.items]
        case Scalar():
            return _plain_scalar(node)


def _plain_scalar(node: Scalar) -> str | int | bool | None:
    if node.is_quoted:
        return node.text
    if node.text in NULLS:
        return None
    if node.text in {"true", "True", "TRUE", "false", "False", "FALSE"}:
        return node.text.lower() == "true"
    digits = node.text.removeprefix("-")
    if digits.isascii() and digits.isdigit() and len(digits) < 20 and str(int(digits)) == digits:
        return int(node.text)
    return node.text
