"""One manifest file: its text to objects and problems, and what stays of it when the text is broken.

Pure.  In a file with any fault, what can be read counts and nothing goes: objects that stood there before and are not
to be found now stay as they were, because a file that is half written looks just like one with half its objects deleted.
Once the file is whole again, or gone, what it says is believed again.

Unchanged documents of a changed file are not parsed again.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from suite.cluster.convert import Converted, Key, Value, convert, flatten
from suite.cluster.manifest import Chunk, Document, Fault, chunks, line_of, read, read_json
from suite.model.problem import Problem

MAX_PROBLEMS = 100
"""Told of one file; beyond it, more of the same helps nobody."""


@dataclass(frozen=True, slots=True)
class Placed:
    """An object and the line it begins at."""

    value: Value
    line: int


@dataclass(frozen=True, slots=True)
class _Parsed:
    """One chunk of text; lines count from the top of the chunk."""

    objects: tuple[tuple[Key, Placed], ...]
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class ManifestFile:
    """What a file stands for."""

    objects: Mapping[Key, Placed] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    is_broken: bool = False
    """Whether some of it could not be read, so that what is missing from it may still be meant."""
    parsed: Mapping[bytes, _Parsed] = field(default_factory=dict, repr=False)
    """What its documents said, by digest of their text."""


def read_manifest(text: str, source: str, before: ManifestFile) -> ManifestFile:
    """The file ``source`` with ``text``, after it was ``before``."""
    if not text.strip() and before.objects:
        return stale(before, source, "is empty; delete the file to delete its objects")
    is_json = source.endswith(".json")
    objects: dict[Key, Placed] = {}
    problems: list[Problem] = []
    parsed: dict[bytes, _Parsed] = {}
    for chunk in [Chunk(text, 0)] if is_json else chunks(text):
        digest = hashlib.blake2b(chunk.text.encode(errors="surrogatepass"), digest_size=16).digest()
        part = parsed[digest] = before.parsed.get(digest) or _parse(chunk.text, is_json=is_json)
        problems += (
            replace(problem, source=source, line=problem.line + chunk.lines_above) for problem in part.problems
        )
        for key, placed in part.objects:
            here = Placed(placed.value, placed.line + chunk.lines_above)
            if objects.setdefault(key, here) is not here:
                problems.append(repeated(key, source, here.line, source, objects[key].line))
    is_broken = any(not problem.is_warning and problem.code != "object.duplicate" for problem in problems)
    return _kept(ManifestFile(objects, tuple(problems[:MAX_PROBLEMS]), is_broken, parsed), source, before)


def stale(before: ManifestFile, source: str, message: str) -> ManifestFile:
    """The file as it was, because it cannot be read now."""
    remark = f"; {len(before.objects)} of its objects stay as they were" if before.objects else ""
    return replace(before, problems=(Problem("", message + remark, "file.unreadable", source),), is_broken=True)


def repeated(key: Key, source: str, line: int, first_source: str, first_line: int) -> Problem:
    """The problem of an object that stands in a second place."""
    message = f"{key} already stands in {first_source}:{first_line}; this one is left out"
    return Problem("metadata.name", message, "object.duplicate", source, line)


def _kept(now: ManifestFile, source: str, before: ManifestFile) -> ManifestFile:
    missing = {key: placed for key, placed in before.objects.items() if key not in now.objects}
    if not now.is_broken or not missing:
        return now
    names = ", ".join(str(key) for key in list(missing)[:5]) + (", ..." if len(missing) > 5 else "")
    remark = Problem("", f"until the file is whole again, these stay as they were: {names}", "file.kept", source)
    return replace(now, objects={**now.objects, **missing}, problems=(*now.problems, remark))


def _parse(text: str, *, is_json: bool) -> _Parsed:
    try:
        documents = read_json(text) if is_json else read(text)
    except Fault as fault:
        return _Parsed((), (Problem("", fault.message, "file.syntax", line=fault.line),))
    objects: list[tuple[Key, Placed]] = []
    problems: list[Problem] = []
    for index, document in enumerate(documents):
        for path, item in flatten(document.value):
            converted = convert(item, in_cluster=False)
            if converted is None:
                continue
            if converted.value is not None:
                objects.append((converted.key, Placed(converted.value, document.line)))
            if len(problems) < MAX_PROBLEMS:
                problems += _located(converted, text, index, document, path)
    return _Parsed(tuple(objects), tuple(problems))


def _located(converted: Converted, text: str, index: int, document: Document, prefix: str) -> list[Problem]:
    located = []
    for problem in converted.problems:
        path = ".".join(part for part in (prefix, problem.path) if part)
        try:
            line = line_of(text, index, path)
        except Fault:  # JSON that is no YAML: tabs
            line = document.line
        located.append(replace(problem, path=path, line=line))
    return located
