"""Label and field selectors as they stand in a query."""

import re
from typing import Any

from apiserver.objects import Body, Refused, Selects

_SET = re.compile(r"\s*([^\s,!=()]+)\s+(in|notin)\s+\(([^)]*)\)\s*")
_EQUAL = re.compile(r"\s*([^\s,!=()]+)\s*(==|=|!=)\s*([^\s,]*)\s*")
_EXISTS = re.compile(r"\s*(!?)\s*([^\s,!=()]+)\s*")


def selection(label_selector: str, field_selector: str) -> Selects:
    """Whether an object is selected by both."""
    labels = [_condition(part) for part in re.split(r",(?![^(]*\))", label_selector) if part.strip()]
    fields = [_equality(part) for part in field_selector.split(",") if part.strip()]

    def selects(body: Body) -> bool:
        own = body["metadata"].get("labels") or {}
        return all(condition(own) for condition in labels) and all(
            (_field(body, path) == value) is wanted for path, value, wanted in fields
        )

    return selects


def _condition(text: str) -> Any:
    if match := _SET.fullmatch(text):
        key, operator, listed = match.groups()
        values = {value.strip() for value in listed.split(",")}
        return lambda labels: (labels.get(key) in values) is (operator == "in")
    if match := _EQUAL.fullmatch(text):
        key, operator, value = match.groups()
        return lambda labels: (labels.get(key) == value) is (operator != "!=")
    if match := _EXISTS.fullmatch(text):
        negated, key = match.groups()
        return lambda labels: (key in labels) is not bool(negated)
    raise Refused(400, "BadRequest", f"unable to parse requirement: {text}")


def _equality(text: str) -> tuple[str, str, bool]:
    match = _EQUAL.fullmatch(text)
    if match is None:
        raise Refused(400, "BadRequest", f"invalid field selector: {text}")
    return match[1], match[3], match[2] != "!="


def _field(body: Any, path: str) -> str:
    for part in path.split("."):
        body = body.get(part) if isinstance(body, dict) else None
    return "" if body is None else str(body)
