"""SIGKILL at any instruction of an allocation: a turn is in the database whole or not at all, and what was told stays."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from fix_db import DatabaseUnderTest

from suite.store import open_store

ROOT = Path(__file__).resolve().parents[2]
Die = Callable[..., dict[str, Any]]


@pytest.fixture
def turn(db: DatabaseUnderTest) -> Iterator[Die]:
    """Makes a turn on the database in a process that dies as told."""
    command = [sys.executable, str(ROOT / "tests" / "killed_writer.py")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        stdin, stdout = process.stdin, process.stdout

        def turn(wanted: set[str], **when: float) -> dict[str, Any]:
            print(json.dumps({"url": db.url, "wanted": sorted(wanted), **when}), file=stdin, flush=True)
            return json.loads(stdout.readline())  # type: ignore[no-any-return]

        yield turn


def addresses(db: DatabaseUnderTest) -> dict[str, str]:
    """The address of every Service, in a database that is whole."""
    with open_store(db.url) as store:
        assert store.check() == []
        bound = [lease for lease in store.read().open_leases() if lease.state == "bound"]
        assert store.read().services.keys() == {lease.ref for lease in bound}
    found = {lease.ref.name: str(lease.address) for lease in bound}
    assert len(set(found.values())) == len(bound)
    return found


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "rounds", [pytest.param(18, id="short"), pytest.param(1000, id="long", marks=pytest.mark.soak)]
)
def test_a_turn_that_is_killed_anywhere_is_there_whole_or_not_at_all(
    db: DatabaseUnderTest, turn: Die, rounds: int
) -> None:
    dice = Random(rounds)
    turn(set("abcde"))
    alive = turn(set("bcdef"))
    alive["after"] = turn(set("cdefg"), uncounted=1)["after"]
    wanted, known = set("cdefg"), addresses(db)
    for number in range(rounds):
        place = ("commit", "after", "begin")[number % 3]
        before, wanted = set(known), {*wanted, f"s{number}"} - {dice.choice(sorted(wanted))}

        when = dice.random() * alive[place]

        told = turn(wanted, **{place: when if place == "after" else 1 + int(when)})

        now = addresses(db)
        assert told["was killed"] or told["status"] == 0
        assert set(now) == wanted or ("commit" not in told and set(now) == before)
        assert [name for name in known.keys() & now.keys() if known[name] != now[name]] == []
        known = now
    assert turn(wanted)["status"] == 0
    assert set(addresses(db)) == wanted
