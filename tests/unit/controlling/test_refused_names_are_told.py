"""Who is refused a name becomes problems of the Services that asked, whenever that differs."""

from __future__ import annotations

import asyncio

from suite.controller.name_complaints import NameComplaints, problems_of
from suite.model.publication import Publication
from suite.model.refusal import Reason, Refusal
from suite.model.service import ServiceRef
from suite.model.snapshot import Snapshot

COFFEE, TEA, MOCHA = (ServiceRef("default", name) for name in ("coffee", "tea", "mocha"))
TAKEN = Refusal(Reason.NAME_TAKEN, "www.service. belongs to service default/tea")


def told(*publications: Publication, refused=({},)) -> tuple[list[object], list[object]]:
    """What was asked for and what was complained of; the first publications are told at once, then one by one."""
    asked: list[object] = []
    complained: list[object] = []
    answers = iter(refused)

    async def find(publication: Publication) -> dict[ServiceRef, tuple[Refusal, ...]]:
        asked.append((publication.snapshot.revision, publication.touched))
        return next(answers)

    async def story() -> None:
        names = NameComplaints(find, complained.append)
        running = asyncio.create_task(names.run())
        for publication in publications:
            names.tell(publication)
            if len(publications) == len(refused):
                for _ in range(3):
                    await asyncio.sleep(0)
        for _ in range(3):
            await asyncio.sleep(0)
        running.cancel()

    asyncio.run(story())
    return asked, complained


def test_what_was_published_meanwhile_is_looked_at_together():
    first = Publication(Snapshot(revision=1), frozenset({COFFEE}))
    second = Publication(Snapshot(revision=2), frozenset({TEA}))

    assert told(first, second)[0] == [(2, {COFFEE, TEA})]


def test_a_publication_that_may_touch_all_makes_all_be_looked_at():
    first = Publication(Snapshot(revision=1), None)
    second = Publication(Snapshot(revision=2), frozenset({TEA}))

    assert told(first, second)[0] == [(2, None)]


def test_the_same_refusals_again_are_no_news_and_none_are():
    again = [Publication(Snapshot(revision=each)) for each in (1, 2, 3)]

    _, complained = told(*again, refused=({COFFEE: (TAKEN,)}, {COFFEE: (TAKEN,)}, {}))

    assert complained == [problems_of({COFFEE: (TAKEN,)}), ()]


def test_a_problem_names_the_service_that_asked_the_holder_and_the_cure():
    [problem] = problems_of({COFFEE: (TAKEN,)})

    assert str(problem) == (
        "Service default/coffee: www.service. belongs to service default/tea; "
        "ask for another name, or have its holder give it up"
    )


def test_who_has_no_grant_is_told_what_it_may_have_without_one():
    [problem] = problems_of({MOCHA: (Refusal(Reason.NAME_NOT_GRANTED, "no grant in dns.claims"),)})

    assert "ask for a name below default in a zone of dns.zones" in problem.message
