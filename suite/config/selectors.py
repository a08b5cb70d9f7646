"""Label selectors as both formats write them, to :class:`suite.model.selector.Selector`."""

from typing import Any

from suite.config.group import Field, Form, Group, Made
from suite.config.shape import Fault, Listing, Reading, Text, Words, meant
from suite.model.selector import Labels, Operator, Requirement, Selector

BAD_SELECTOR = "selector.bad"
LABELS = Words(Text())

_EXPRESSION = Group(
    (
        Field("key", Text(), "The label's name.", ""),
        Field("operator", Text(), "In, NotIn, Exists or DoesNotExist.", ""),
        Field("values", Listing(Text()), "What the label is compared with (In and NotIn).", ()),
    )
)


def _requirement(form: Form, reading: Reading, code: str) -> Requirement | Fault:
    operators = tuple(Operator)
    if form["operator"] not in operators:
        written = f", found {form['operator']!r}{meant(form['operator'], operators)}" if form["operator"] else ""
        message = f"operator is one of {', '.join(operators)}{written}"
        return reading.fault(form.place("operator"), code or BAD_SELECTOR, message)
    values = tuple(sorted(form["values"]))
    if len(set(values)) < len(values):
        return reading.fault(form.place("values"), "selector.duplicate_expression_value", "a value stands twice")
    try:
        return Requirement(form["key"], Operator(form["operator"]), values)
    except ValueError as fault:
        return reading.fault(form.at, code or BAD_SELECTOR, str(fault))


def _selector(form: Form, reading: Reading, _code: str) -> Selector | Fault:
    requirements = form["match_expressions"]
    if len(set(requirements)) < len(requirements):
        message = "an expression stands twice; remove one"
        return reading.fault(form.place("match_expressions"), "selector.duplicate_expression", message)
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
