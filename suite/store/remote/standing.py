"""How a follower's roles stand, as it says with each question to the controller: one short header of JSON.

It is said each time, so a controller that has just started knows it with the next question.  What is too long for a header
is cut; what cannot be read is not shown, and the feed goes on.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from suite.model.status import Instance
from suite.store import rows

HEADER = "Suite-Roles"
MOST = 4096
"""Characters of the header; servers commonly take 16 KiB of all headers together."""
MOST_TEXT = 253
MOST_ROLES = 4
LONGEST = 200
"""Characters of one reason or note that is said."""
ROLES = frozenset({"speaker", "nameserver", "web"})
ELSEWHERE = "`suite status` on that machine says why"


@dataclass(frozen=True, slots=True)
class Standing:
    """The roles of one program that follows."""

    node: str
    roles: tuple[Instance, ...] = ()
    is_ending: bool = False
    """Whether it takes its leave: it ends in order."""


def written(standing: Standing) -> str:
    """The header: as many reasons and notes as fit, and always whether a role is ready."""
    for most in (8, 2):
        text = _dumped(standing, [_cut(each, each.reasons[:most], each.notes[:most]) for each in standing.roles])
        if len(text) <= MOST:
            return text
    return _dumped(standing, [_cut(each, (ELSEWHERE,) * bool(each.reasons), ()) for each in standing.roles])


def read_standing(text: str) -> Standing | None:
    """What the header says; None for what is none, or is not for eyes."""
    try:
        found: Standing = rows.adapter(Standing).validate_json(text[: MOST + 1])
    except ValueError:
        return None
    texts = [found.node, *(text for each in found.roles for text in (each.node, each.version, each.epoch))]
    texts += [text for each in found.roles for text in (*each.reasons, *each.notes)]
    is_sane = len(found.roles) <= MOST_ROLES and all(text.isprintable() and len(text) <= MOST_TEXT for text in texts)
    is_its_own = bool(found.node) and all(each.node == found.node and each.role in ROLES for each in found.roles)
    return found if is_sane and is_its_own else None


def _cut(instance: Instance, reasons: Sequence[str], notes: Sequence[str]) -> dict[str, object]:
    return asdict(instance) | {"reasons": [*map(_plain, reasons)], "notes": [*map(_plain, notes)]}


def _plain(text: str) -> str:
    return "".join(each if each.isprintable() else " " for each in text)[:LONGEST]


def _dumped(standing: Standing, roles: list[dict[str, object]]) -> str:
    document = {"node": standing.node, "roles": roles, "is_ending": standing.is_ending}
    return json.dumps(document, separators=(",", ":"))
