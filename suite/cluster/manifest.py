"""Manifest text to plain objects: YAML as people mean it, several documents per file, each document on its own.

Pure and bounded.  Three things differ from ``yaml.safe_load_all``:

* A plain scalar is a string unless it can be nothing else: ``null``, ``true``, ``false`` and decimal integers without
  leading zeros.  So ``64512:1`` is no base-60 number, ``yes``, ``no`` and ``on`` are no booleans, ``007`` keeps its
  zeros and ``1.10`` its last one.  What reads the objects (``convert``) turns text into what a field needs.
* The text is cut at its ``---`` lines first (YAML 1.2 section 9.1.2 allows none inside a document), so that a fault in
  one document costs that document alone, and a changed file costs its changed documents alone.
* An alias refers to one shared object, and aliases, depth and size are bounded, so no text explodes in memory.

The composer of libyaml keeps line numbers in its nodes; they are read a second time only where a problem asks.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import yaml

try:
    from yaml._yaml import CParser
except ImportError:  # PyYAML without libyaml
    CParser = None  # type: ignore[assignment,misc]

MAX_SIZE = 16 * 1024 * 1024
"""Characters of one file."""
MAX_NODES = 1_000_000
"""YAML nodes of one document: a List of 10,000 Services has about 600,000."""
MAX_DEPTH = 64
MAX_ALIASES = 10_000

_MARKER = re.compile(r"^---(?=\s|$)", re.MULTILINE)
_DIRECTIVE = re.compile(r"^%", re.MULTILINE)
_INTEGER = re.compile(r"-?[1-9][0-9]{0,17}|0")
_WORDS: dict[str, bool | None] = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "false": False,
}


class Fault(Exception):  # noqa: N818 - it is a finding about the text, not a failure of the program
    """Text that is no YAML, or too much of it; ``line`` counts from 1 within the text given."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message, line)
        self.message, self.line = message, line


@dataclass(frozen=True, slots=True)
class Chunk:
    """The text of one document (rarely of several) and the lines above it in its file."""

    text: str
    lines_above: int


def chunks(text: str) -> Iterator[Chunk]:
    """The documents of ``text``, uncut where directives (``%YAML``) make cutting unsafe."""
    if _DIRECTIVE.search(text):
        yield Chunk(text, 0)
        return
    start, above = 0, 0
    for marker in _MARKER.finditer(text):
        if marker.start() > start:
            yield Chunk(text[start : marker.start()], above)
            above += text.count("\n", start, marker.start())
        start = marker.start()
    yield Chunk(text[start:], above)


@dataclass(frozen=True, slots=True)
class Document:
    """One object as plain dicts, lists and scalars, and the line (from 1) it begins at."""

    value: Any
    line: int


def read(text: str, composer: Callable[[str], Any] | None = None) -> list[Document]:
    """The documents that ``text`` holds, empty ones left out.

    Raises:
        Fault: the text is no YAML, names a key twice, or goes beyond a limit of this module.
    """
    found = (node for node in _nodes(text, composer or Composer) if not _is_empty(node))
    return [Document(_Builder().build(node), node.start_mark.line + 1) for node in found]


def read_json(text: str) -> list[Document]:
    """The same for JSON, which Python reads faster, and with fewer conditions on blanks.

    Raises:
        Fault: the text is no JSON, or goes beyond a limit of this module.
    """
    if len(text) > MAX_SIZE:
        raise Fault(f"longer than {MAX_SIZE // 1024 // 1024} MiB", 1)
    try:
        return [Document(json.loads(text), 1)]
    except json.JSONDecodeError as error:
        raise Fault(f"no JSON: {error.msg}", error.lineno) from None
    except (RecursionError, ValueError):
        raise Fault("no JSON: nested too deep, or a number too long", 1) from None


def line_of(text: str, index: int, path: str) -> int:
    """The line (from 1) of ``path`` (``spec.ports[0].port``) in the document at ``index`` of :func:`read`.

    Where the path does not exist, the line of the deepest part that does.
    """
    node = [node for node in _nodes(text, Composer) if not _is_empty(node)][index]
    line = node.start_mark.line
    for key, number in re.findall(r'([^.\[\]]+)|\[(\d+|"[^"]*")\]', path):
        found = _step(node, key or number.strip('"'))
        if found is None:
            break
        line, node = found
    return int(line) + 1


def _step(node: yaml.Node, key: str) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.SequenceNode) and key.isdigit() and int(key) < len(node.value):
        item = node.value[int(key)]
        return item.start_mark.line, item
    if isinstance(node, yaml.MappingNode):
        return next(((name.start_mark.line, item) for name, item in node.value if name.value == key), None)
    return None


def _is_empty(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and _WORDS.get(node.value, True) is None


def _nodes(text: str, composer: Callable[[str], Any]) -> list[yaml.Node]:
    if len(text) > MAX_SIZE:
        raise Fault(f"longer than {MAX_SIZE // 1024 // 1024} MiB", 1)
    try:
        nodes = composer(text)
        found = []
        while nodes.check_node():
            found.append(nodes.get_node())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = ", ".join(part for part in (error.context, error.problem) if part)
        raise Fault(f"no YAML: {message}", mark.line + 1 if mark else 1) from None
    except yaml.YAMLError as error:
        raise Fault(f"no YAML: {' '.join(str(error).split())}", 1) from None
    except RecursionError:
        raise Fault(f"nested deeper than {MAX_DEPTH}", 1) from None
    return found


class _Tags:
    """Marks plain scalars ``p`` and quoted ones ``s``, in place of YAML's own resolution; counts the nodes."""

    count = 0
    depth = 0

    def descend_resolver(self, parent: yaml.Node | None, index: Any) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise Fault(f"nested deeper than {MAX_DEPTH}", parent.start_mark.line + 1 if parent else 1)

    def ascend_resolver(self) -> None:
        self.depth -= 1

    def resolve(self, kind: type[yaml.Node], value: str | None, implicit: Any) -> str:
        self.count += 1
        if self.count > MAX_NODES:
            raise Fault(f"more than {MAX_NODES:,} values in one document", 1)
        return "p" if implicit is True or (implicit and implicit[0]) else "s"


class PythonComposer(_Tags, yaml.reader.Reader, yaml.scanner.Scanner, yaml.parser.Parser, yaml.composer.Composer):
    """Text to nodes where PyYAML was built without libyaml: the same nodes, about ten times slower."""

    def __init__(self, text: str) -> None:
        yaml.reader.Reader.__init__(self, text)
        yaml.scanner.Scanner.__init__(self)
        yaml.parser.Parser.__init__(self)
        yaml.composer.Composer.__init__(self)


Composer: Callable[[str], Any] = PythonComposer
if CParser is not None:

    class LibyamlComposer(_Tags, CParser):
        """Text to nodes by libyaml."""

        def __init__(self, text: str) -> None:
            CParser.__init__(self, text)

    Composer = LibyamlComposer


class _Builder:
    """Nodes of one document to plain objects; each node once, however many aliases lead to it."""

    def __init__(self) -> None:
        self._built: dict[int, Any] = {}
        self._open: set[int] = set()
        self._aliases = 0

    def build(self, node: yaml.Node) -> Any:
        if isinstance(node, yaml.ScalarNode):
            return _scalar(node)
        identity = id(node)
        if identity in self._built:
            return self._again(node)
        if identity in self._open:
            raise Fault("an alias inside what it refers to", node.start_mark.line + 1)
        self._open.add(identity)
        if isinstance(node, yaml.SequenceNode):
            value: Any = [self.build(item) for item in node.value]
        else:
            value = self._mapping(node)
        self._open.discard(identity)
        self._built[identity] = value
        return value

    def _again(self, node: yaml.Node) -> Any:
        self._aliases += 1
        if self._aliases > MAX_ALIASES:
            raise Fault(f"more than {MAX_ALIASES:,} aliases", node.start_mark.line + 1)
        return self._built[id(node)]

    def _mapping(self, node: yaml.Node) -> dict[str, Any]:
        made: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for name, item in node.value:
            if not isinstance(name, yaml.ScalarNode):
                raise Fault("a key that is itself a list or mapping", name.start_mark.line + 1)
            if name.value == "<<" and name.tag == "p":
                merged |= self._merge(item)
                continue
            if name.value in made:
                raise Fault(f"the key {name.value!r} stands there twice", name.start_mark.line + 1)
            made[name.value] = self.build(item)
        return {**merged, **made} if merged else made

    def _merge(self, node: yaml.Node) -> dict[str, Any]:
        """``<<: *defaults``, or a list of such, of which earlier ones win (YAML merge key draft)."""
        value = self.build(node)
        merged: dict[str, Any] = {}
        for each in reversed(value if isinstance(value, list) else [value]):
            if not isinstance(each, dict):
                raise Fault("<< takes a mapping or a list of mappings", node.start_mark.line + 1)
            merged |= each
        return merged


def _scalar(node: yaml.ScalarNode) -> Any:
    text = node.value
    if node.tag == "s" or node.tag.endswith(":str"):
        return text
    if text in _WORDS:
        return _WORDS[text]
    return int(text) if _INTEGER.fullmatch(text) else text
