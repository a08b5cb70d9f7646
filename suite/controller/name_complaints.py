"""Saying who is refused a name: as problems of the Services that asked, for their owners to see.

A cluster gets an Event about such a Service, once for each refusal; `suite status` shows the same words.  Finding out may
take a while, and the next commit does not wait for it: what was published meanwhile is looked at together.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

from suite.model.problem import Problem
from suite.model.publication import Publication
from suite.model.refusal import Reason, Refusal
from suite.model.service import ServiceRef

Refused: TypeAlias = Mapping[ServiceRef, tuple[Refusal, ...]]
Find: TypeAlias = Callable[[Publication], Awaitable[Refused]]
"""Who is refused a name after this publication; asked for one after the other."""

_CURES = {
    Reason.NAME_TAKEN: "ask for another name, or have its holder give it up",
    Reason.NAME_NOT_GRANTED: "ask for a name below {namespace} in a zone of dns.zones, or have the operator grant it (dns.claims)",
}


class NameComplaints:
    """``complain`` takes all problems there are, whenever they differ."""

    def __init__(self, find: Find, complain: Callable[[tuple[Problem, ...]], None]) -> None:
        self._find = find
        self._complain = complain
        self._publication: Publication | None = None
        self._has_news = asyncio.Event()
        self.problems: tuple[Problem, ...] = ()
        """One for each name that somebody asked for and did not get."""

    def tell(self, publication: Publication) -> None:
        """Something was committed; returns at once."""
        waiting = self._publication
        self._publication = publication if waiting is None else _both(waiting, publication)
        self._has_news.set()

    async def run(self) -> None:
        """Look at what was told, until cancelled."""
        while True:
            await self._has_news.wait()
            self._has_news.clear()
            publication, self._publication = self._publication, None
            if publication is None:
                continue
            problems = problems_of(await self._find(publication))
            if problems != self.problems:
                self.problems = problems
                self._complain(problems)


def problems_of(refused: Refused) -> tuple[Problem, ...]:
    """What to tell the owners of these Services: which name, who has it, and what to do."""
    return tuple(_problem(ref, refusal) for ref, refusals in sorted(refused.items()) for refusal in refusals)


def _problem(ref: ServiceRef, refusal: Refusal) -> Problem:
    cure = _CURES.get(refusal.reason, "").format(namespace=ref.namespace)
    message = "; ".join(filter(None, (refusal.message, cure)))
    return Problem("", message, refusal.reason, f"Service {ref}", is_warning=True)


def _both(earlier: Publication, later: Publication) -> Publication:
    """The later one, with what the earlier one touched."""
    if earlier.touched is None or later.touched is None:
        return replace(later, touched=None)
    return replace(later, touched=earlier.touched | later.touched)
