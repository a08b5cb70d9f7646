"""Groups: maps with known keys, each key a :class:`Field` with its shape, default, doc and error codes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from suite.config.shape import DOES_NOT_FIT, FAULT, Dialect, Fault, Reading, Shape
from suite.config.tree import NOTHING, Cursor, ListNode, MapNode, Scalar, step


@dataclass(frozen=True, slots=True)
class Field:
    """One setting of a group."""

    name: str
    """Its name in the program; ``name`` with ``-`` for ``_`` is its key in our file, camelCase its key in resources."""
    shape: Shape
    doc: str
    default: Any = None
    key: str = ""
    """The native key where it is not the usual one; ``-`` where our file has none."""
    resource: str = ""
    """The key in resources where it is not the usual one; ``-`` where resources have none."""
    missing: str = ""
    """The code of the error when it is missing; empty where it may be."""
    code: str = ""
    """The code of the error when its value is bad."""

    def spelled(self, dialect: Dialect) -> str:
        """Its key; ``-`` where the dialect has none."""
        if dialect is Dialect.NATIVE:
            return self.key or self.name.replace("_", "-")
        first, *rest = self.name.split("_")
        return self.resource or first + "".join(word.capitalize() for word in rest)


@dataclass(frozen=True, slots=True)
class Form:
    """A group that was read: values by field name (defaults where nothing stood), and where they stood."""

    values: dict[str, Any] = field(repr=False)
    at: Cursor
    keys: dict[str, str]
    """Field name to the key it is spelled with."""
    given: frozenset[str] = frozenset()
    """Fields that stand in the document, bad ones included."""
    bad: frozenset[str] = frozenset()
    """Fields that stand in the document and could not be read: that was told, and their defaults are nobody's wish."""

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    def place(self, name: str, *steps: str | int) -> Cursor:
        """Where a field stands, or the group where it does not."""
        return self.at.at(self.keys[name], *steps)

    def without(self, *names: str) -> dict[str, Any]:
        """The values but those of ``names``: the arguments of a constructor."""
        return {name: value for name, value in self.values.items() if name not in names}


@dataclass(frozen=True, slots=True)
class Group:
    """A map with known keys."""

    fields: tuple[Field, ...]
    shorthand: str = ""
    """The field that a scalar in place of the map stands for."""

    def read(self, at: Cursor, reading: Reading, code: str = "") -> Form | Fault:
        where = self._long_form(at, reading)
        if not isinstance(where.node, MapNode):
            return reading.fault(at, DOES_NOT_FIT, "expected a map (key: value)")
        known = {each.spelled(reading.dialect): each for each in self.fields if each.spelled(reading.dialect) != "-"}
        values = {each.name: each.default for each in self.fields}
        given = frozenset(known[key].name for key, value in where.entries() if key in known and not value.is_null)
        bad: set[str] = set()
        for key, value in where.entries():
            if key not in known:
                reading.unknown(value, key, tuple(known))
            elif not value.is_null:
                found = known[key].shape.read(value, reading, known[key].code or code)
                values[known[key].name] = known[key].default if found is FAULT else found
                bad |= {known[key].name} if found is FAULT else set()
        self._missing(where, given, known, reading)
        return Form(values, where, {each.name: key for key, each in known.items()}, given, frozenset(bad))

    def _long_form(self, at: Cursor, reading: Reading) -> Cursor:
        if at.is_null:
            return Cursor(MapNode((), at.line), at.source, at.path, at.key_line)
        if self.shorthand and isinstance(at.node, Scalar):
            key = next(each.spelled(reading.dialect) for each in self.fields if each.name == self.shorthand)
            return Cursor(MapNode(((key, at.node),), at.line), at.source, at.path, at.key_line)
        return at

    @staticmethod
    def _missing(at: Cursor, given: frozenset[str], known: dict[str, Field], reading: Reading) -> None:
        for key, each in known.items():
            if each.missing and (each.name not in given or _is_empty(at.child(key))):
                here = Cursor(NOTHING, at.source, step(at.path, key), at.line)
                reading.fault(here, each.missing, f"{key} is missing: {each.doc}")

    def schema(self, dialect: Dialect) -> dict[str, Any]:
        spelled = [(each.spelled(dialect), each) for each in self.fields if each.spelled(dialect) != "-"]
        properties = {key: _described(each, dialect) for key, each in spelled}
        required = [key for key, each in spelled if each.missing]
        whole = {"type": ["object", "null"], "additionalProperties": False, "properties": properties}
        whole |= {"required": required} if required else {}
        return {"anyOf": [whole, {"type": "string"}]} if self.shorthand else whole


@dataclass(frozen=True, slots=True)
class Made:
    """A group that a function makes a value of; the function may note faults of its own, and answer FAULT."""

    of: Group
    make: Callable[[Form, Reading, str], Any]

    def read(self, at: Cursor, reading: Reading, code: str = "") -> Any:
        form = self.of.read(at, reading, code)
        return form if form is FAULT else self.make(form, reading, code)

    def schema(self, dialect: Dialect) -> dict[str, Any]:
        return self.of.schema(dialect)


def _is_empty(at: Cursor | None) -> bool:
    node = at.node if at is not None else None
    return (isinstance(node, Scalar) and not node.text) or (isinstance(node, ListNode) and not node.items)


def _described(each: Field, dialect: Dialect) -> dict[str, Any]:
    return {"description": each.doc} | each.shape.schema(dialect)
