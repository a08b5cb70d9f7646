"""Documents: the parts of a file or the objects of a cluster, each with its kind, before anybody checks what they say."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from suite.config.tree import Cursor, MapNode, Node, Scalar, from_plain
from suite.config.yaml_text import MAX_CHARACTERS, compose
from suite.model.problem import Problem

GROUP = "metallb.io/"
RESOURCES = ("IPAddressPool", "L2Advertisement", "BGPAdvertisement", "BGPPeer", "BFDProfile", "Community")
NATIVE = "Configuration"
"""The kind of our own file, and of the old ConfigMap's content."""
CREDENTIAL = "Secret"
"""A Kubernetes Secret, which may hold the password of a peer."""
SKIPPED = "Skipped"


@dataclass(frozen=True, slots=True)
class Document:
    """One document; ``problems`` says why it, or what follows it, cannot be read."""

    kind: str
    at: Cursor
    problems: tuple[Problem, ...] = field(default=())

    @property
    def name(self) -> str:
        """``metadata.name``; empty where there is none."""
        return self.at.text("metadata", "name")


def read_file(path: Path) -> list[Document]:
    """The documents of a file; a file that cannot be read is one document with that problem."""
    source = str(path)
    try:
        with path.open("rb") as file:
            octets = file.read(MAX_CHARACTERS * 4 + 1)
        return read_text(octets.decode("utf-8-sig"), source)
    except OSError as fault:
        return [_broken(source, "file.unreadable", fault.strerror or "it cannot be read", 0)]
    except UnicodeDecodeError as fault:
        line = octets.count(b"\n", 0, fault.start) + 1
        return [_broken(source, "file.not_utf8", "it is not UTF-8; save it so", line)]


def read_text(text: str, source: str = "") -> list[Document]:
    """The documents of YAML text, in order; what cannot be read is told by the last one's ``problems``."""
    composed = compose(text, source)
    documents = [each for node in composed.documents for each in _documents(Cursor(node, source))]
    if composed.problems:
        documents.append(Document(SKIPPED, Cursor(MapNode(), source), composed.problems))
    return documents


def from_object(value: Mapping[str, Any], source: str = "") -> list[Document]:
    """The documents of an object from a cluster's API (one; several for a List)."""
    node = from_plain(value)
    at = Cursor(node)
    named = "/".join(part for part in (at.text("metadata", "namespace"), at.text("metadata", "name")) if part)
    return list(_documents(Cursor(node, source or f"{at.text('kind')} {named}".strip())))


def from_settings(value: Any, source: str = "") -> Document:
    """Our own configuration given as an object instead of text."""
    return Document(NATIVE, Cursor(from_plain(value), source))


def _broken(source: str, code: str, message: str, line: int) -> Document:
    return Document(SKIPPED, Cursor(MapNode(), source), (Problem("", message, code, source, line),))


def _documents(at: Cursor) -> Iterator[Document]:
    kind, version = at.text("kind"), at.text("apiVersion")
    if not (kind and version):
        yield Document(NATIVE, at)
    elif kind == "ConfigMap":
        yield from _config_map(at)
    elif kind == "List" or (kind.endswith("List") and version.startswith(GROUP)):
        for item in at.under("items").items():
            yield from _documents(item)
    elif (version.startswith(GROUP) and kind in RESOURCES) or (version, kind) == ("v1", CREDENTIAL):
        yield Document(kind, at)
    else:
        yield Document(SKIPPED, at, (_skipped(at, kind, version),))


def _skipped(at: Cursor, kind: str, version: str) -> Problem:
    message = f"{kind} ({version}) is no configuration; it is passed over"
    return Problem(at.path, message, "document.skipped", at.source, at.line, is_warning=True)


def _config_map(at: Cursor) -> Iterator[Document]:
    """The content of a ConfigMap's ``data.config``: YAML inside YAML, or, as people indent it wrongly, a map."""
    content = at.under("data").child("config")
    if content is None:
        message = "a ConfigMap without data.config is no configuration; it is passed over"
        yield Document(
            SKIPPED, at, (Problem(at.path, message, "document.skipped", at.source, at.line, is_warning=True),)
        )
    elif isinstance(content.node, Scalar):
        composed = compose(content.node.text, at.source, content.node.text_line or 1)
        nodes: tuple[Node, ...] = composed.documents or (MapNode(),)
        yield from (Document(NATIVE, Cursor(node, at.source)) for node in nodes)
        if composed.problems:
            yield Document(SKIPPED, at, composed.problems)
    else:
        yield Document(NATIVE, content)
