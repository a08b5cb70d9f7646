"""Label selectors as both formats write them, to :class:`suite.model.selector.Selector`."""

import re
from collections.abc import Iterable
from typing import Any

from suite.config.group import Field, Form, Group, Made
from suite.config.shape import Fault, Listing, Reading, Text, Words, meant
from suite.model.selector import Labels, Operator, Requirement, Selector

BAD_SELECTOR = "selector.bad"
NAME = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?", re.ASCII)
PREFIX = re.compile(r"[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?", re.ASCII)
LABELS = Words(Text())

_EXPRESSION = Group(
    (
        Field("key", Text(), "The label's name.", ""),
        Field("operator", Text(), "In, NotIn, Exists or DoesNotExist.", ""),
        Field("values", Listing(Text()), "What the label is compared with (In and NotIn).", ()),
    )
)


def _bad_label(key: str, values: Iterable[str]) -> str:
    """What Kubernetes would not accept as a label, so that nothing can carry it; empty where all is well."""
    prefix, slash, name = key.rpartition("/")
    if not NAME.fullmatch(name) or (slash and not PREFIX.fullmatch(prefix)):
        return f"{key!r} is no name of a label; it is like app or example.com/app"
    bad = [value for value in values if value and not NAME.fullmatch(value)]
    return f"{bad[0]!r} is no value of a label; it has at most 63 letters, digits, -, _ and dots" if bad else ""


def _requirement(form: Form, reading: Reading, code: str) -> Requirement | Fault:
    operators = tuple(Operator)
    if form["operator"] not in operators:
        written = f", found {form['operator']!r}{meant(form['operator'], operators)}" if form["operator"] else ""
        message = f"operator is one of {', '.join(operators)}{written}"
        return reading.fault(form.place("operator"), code or BAD_SELECTOR, message)
    values = tuple(sorted(form["values"]))
    if len(set(values)) < len(values):
        return reading.fault(form.place("values"), "selector.duplicate_expression_value", "a value stands twice")
    if fault := _bad_label(form["key"], values):
        return reading.fault(form.at, code or BAD_SELECTOR, fault)
    try:
        return Requirement(form["key"], Operator(form["operator"]), values)
    except ValueError as fault:
        return reading.fault(form.at, code or BAD_SELECTOR, str(fault))


def _selector(form: Form, reading: Reading, code: str) -> Selector | Fault:
    requirements = form["match_expressions"]
    if len(set(requirements)) < len(requirements):
        message = "an expression stands twice; remove one"
        return reading.fault(form.place("match_expressions"), "selector.duplicate_expression", message)
    for key, value in form["match_labels"]:
        if fault := _bad_label(key, (value,)):
            return reading.fault(form.place("match_labels", key), code or BAD_SELECTOR, fault)
    return Selector(labels_from(form["match_labels"]), tuple(sorted(requirements, key=str)))


def labels_from(pairs: Any) -> Labels:
    """Pairs as the sorted labels of the model."""
    return tuple(sorted(pairs))


SELECTOR = Made(
    Group(
        (
            Field("match_labels", LABELS, "Labels an object must carry, all of them.", ()),
            Field("match_expressions", Listing(Made(_EXPRESSION, _requirement)), "Conditions that must all hold.", ()),
        )
    ),
    _selector,
)
