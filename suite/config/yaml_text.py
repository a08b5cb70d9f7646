"""YAML text to trees, with every fault at its line, and with bounds that hold whatever the text says.

PyYAML parses (libyaml where its wheel has it); composing is done here, because ours must remember lines, refuse a key
that stands twice, leave scalars unresolved, and bound depth and the size that aliases expand to.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from suite.config.tree import MAX_DEPTH, ListNode, MapNode, Node, Scalar, step
from suite.model.problem import Problem

MAX_CHARACTERS = 8 * 1024 * 1024
"""A configuration of a whole company is far below it; a ConfigMap holds 1 MiB at most."""
MAX_NODES = 1_000_000
"""Nodes of one text with every alias written out, so that nine lines cannot stand for a billion values."""

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
STRING_TAG = "tag:yaml.org,2002:str"
KNOWN_TAGS = frozenset(
    {None, "!", STRING_TAG, *(f"tag:yaml.org,2002:{name}" for name in ("int", "bool", "null", "map", "seq", "float"))}
)


@dataclass(frozen=True, slots=True)
class Composed:
    """The documents of one text, and what is wrong with it; after a fault of syntax the rest is not read."""

    documents: tuple[Node, ...] = ()
    problems: tuple[Problem, ...] = ()


def compose(text: str, source: str = "", first_line: int = 1) -> Composed:
    """The trees of every document in ``text``; empty documents are left out.

    ``first_line`` is the line of ``source`` that the text begins in, for YAML inside YAML.
    """
    composer = Composer(source, first_line)
    if len(text) > MAX_CHARACTERS:
        composer.complain("yaml.too_big", 0, f"{len(text)} characters; at most {MAX_CHARACTERS} are read")
        return Composed((), tuple(composer.problems))
    try:
        for event in _events(text):
            composer.take(event)
    except Unreadable as fault:
        composer.complain(fault.code, fault.line, str(fault), fault.path)
    except yaml.YAMLError as fault:
        composer.complain("yaml.syntax", _line_of(fault, text) + first_line - 1, _words_of(fault))
    except UnicodeEncodeError:
        composer.complain("yaml.syntax", 0, "it holds half a character (a lone surrogate)")
    return Composed(tuple(composer.documents), tuple(composer.problems))


class Unreadable(Exception):  # noqa: N818  (a turn of the text, not a fault of the program)
    """The text cannot be read any further."""

    def __init__(self, code: str, line: int, message: str, path: str = "") -> None:
        super().__init__(message)
        self.code, self.line, self.path = code, line, path


@dataclass(slots=True)
class Frame:
    """A list or map whose end has not come yet."""

    path: str
    line: int
    is_map: bool
    anchor: str | None
    nodes: list[Node] = field(default_factory=list)
    keys: dict[str, int] = field(default_factory=dict)
    """Key to the line it stands in, in order; as many as ``nodes``, or one more while its value is awaited."""
    merged: list[Node] = field(default_factory=list)
    awaited: str | None = None
    weight: int = 1

    def path_of_next(self) -> str:
        """The path of the value that comes next."""
        return step(self.path, self.awaited or "") if self.is_map else f"{self.path}[{len(self.nodes)}]"


class Composer:
    """Takes parser events, keeps the open lists and maps on a stack of its own (no recursion to exhaust)."""

    def __init__(self, source: str, first_line: int) -> None:
        self.source, self.first_line = source, first_line
        self.documents: list[Node] = []
        self.problems: list[Problem] = []
        self._stack: list[Frame] = []
        self._anchors: dict[str, tuple[Node, int]] = {}
        self._weight = 0

    def complain(self, code: str, line: int, message: str, path: str = "") -> None:
        """Note a fault; ``line`` is a line of the source already, or 0."""
        self.problems.append(Problem(path, message, code, self.source, line))

    def take(self, event: yaml.Event) -> None:
        """The next parser event."""
        match event:
            case yaml.ScalarEvent():
                self._scalar(event)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._open(event, is_map=isinstance(event, yaml.MappingStartEvent))
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._close()
            case yaml.AliasEvent():
                self._alias(event)
            case yaml.DocumentStartEvent():
                self._anchors = {}

    def _line(self, event: yaml.Event) -> int:
        mark = event.start_mark
        return self.first_line + (mark.line if mark is not None else 0)

    def _path(self) -> str:
        return self._stack[-1].path_of_next() if self._stack else ""

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        line = self._line(event)
        frame = self._stack[-1] if self._stack else None
        if frame is not None and frame.is_map and frame.awaited is None:
            self._key(frame, event, line)
            return
        self._check_tag(event.tag, line)
        is_quoted = bool(event.style) or event.tag in {STRING_TAG, "!"}
        is_block = event.style in {"|", ">"}
        self._add(Scalar(str(event.value), line, is_quoted, line + is_block), event.anchor, 1)

    def _key(self, frame: Frame, event: yaml.ScalarEvent, line: int) -> None:
        key = str(event.value)
        is_merge = key == "<<" and not event.style
        if key in frame.keys and not is_merge:
            first = frame.keys[key]
            self.complain(
                "yaml.duplicate_key",
                line,
                f"{key!r} stands twice (first in line {first}); remove one",
                step(frame.path, key),
            )
        frame.awaited = key
        if key not in frame.keys and not is_merge:
            frame.keys[key] = line

    def _check_tag(self, tag: str | None, line: int) -> None:
        if tag not in KNOWN_TAGS:
            message = "a tag (!...) means nothing here; put quotes around text that begins with !"
            self.complain("yaml.tag", line, message, self._path())

    def _open(self, event: yaml.MappingStartEvent | yaml.SequenceStartEvent, *, is_map: bool) -> None:
        line = self._line(event)
        self._no_complex_key(line)
        self._check_tag(event.tag, line)
        if len(self._stack) >= MAX_DEPTH:
            raise Unreadable("yaml.too_deep", line, f"nested deeper than {MAX_DEPTH} levels", self._path())
        self._stack.append(Frame(self._path(), line, is_map, event.anchor))

    def _no_complex_key(self, line: int) -> None:
        if self._stack and self._stack[-1].is_map and self._stack[-1].awaited is None:
            raise Unreadable("yaml.key", line, "a key must be a word, not a list or a map", self._stack[-1].path)

    def _close(self) -> None:
        frame = self._stack.pop()
        node: Node = _map_of(frame) if frame.is_map else ListNode(tuple(frame.nodes), frame.line)
        self._add(node, frame.anchor, frame.weight)

    def _alias(self, event: yaml.AliasEvent) -> None:
        line = self._line(event)
        self._no_complex_key(line)
        if any(frame.anchor == event.anchor for frame in self._stack):
            raise Unreadable("yaml.alias", line, "an alias (*...) of what it stands in", self._path())
        if event.anchor not in self._anchors:
            message = "an alias (*...) of nothing before it; put quotes around text that begins with *"
            raise Unreadable("yaml.alias", line, message, self._path())
        node, weight = self._anchors[event.anchor]
        self._add(node, None, weight)

    def _add(self, node: Node, anchor: str | None, weight: int) -> None:
        if anchor is not None:
            self._anchors[anchor] = (node, weight)
        if not self._stack:
            self._finish(node, weight)
            return
        frame = self._stack[-1]
        frame.weight += weight
        if frame.weight + self._weight > MAX_NODES:
            message = f"more than {MAX_NODES} values once its aliases are written out"
            raise Unreadable("yaml.too_big", node.line, message, frame.path)
        _put(frame, node)

    def _finish(self, node: Node, weight: int) -> None:
        self._weight += weight
        if not (isinstance(node, Scalar) and node.is_null):
            self.documents.append(node)


def _put(frame: Frame, node: Node) -> None:
    """Add ``node`` to a list, or as the value of the key that waits for one (the second value of a key is dropped)."""
    key, frame.awaited = frame.awaited, None
    if not frame.is_map:
        frame.nodes.append(node)
    elif key is not None and key not in frame.keys:
        frame.merged.append(node)
    elif len(frame.nodes) < len(frame.keys):
        frame.nodes.append(node)


def _map_of(frame: Frame) -> MapNode:
    """The map, with what ``<<`` brings in behind its own entries, which win (YAML 1.1 merge key type)."""
    entries = dict(zip(frame.keys, zip(frame.nodes, frame.keys.values(), strict=True), strict=True))
    for source in frame.merged:
        for each in source.items if isinstance(source, ListNode) else (source,):
            if isinstance(each, MapNode):
                for (key, value), line in zip(each.entries, each.key_lines, strict=True):
                    entries.setdefault(key, (value, line))
    pairs = tuple((key, node) for key, (node, _) in entries.items())
    return MapNode(pairs, frame.line, tuple(line for _, line in entries.values()))


def _events(text: str) -> Iterator[yaml.Event]:
    yield from yaml.parse(text, Loader=LOADER)


def _line_of(fault: yaml.YAMLError, text: str) -> int:
    mark = getattr(fault, "problem_mark", None) or getattr(fault, "context_mark", None)
    if mark is not None:
        return int(mark.line) + 1
    position = getattr(fault, "position", None)
    return text.count("\n", 0, position) + 1 if isinstance(position, int) else 1


def _words_of(fault: yaml.YAMLError) -> str:
    """What the parser says, without its drawing of the place (the text around a fault may hold a password)."""
    if isinstance(fault, yaml.MarkedYAMLError):
        return "no YAML: " + ", ".join(part for part in (fault.context, fault.problem) if part)
    return "no YAML: " + str(getattr(fault, "reason", None) or "a character that YAML does not allow")
