"""What commands show `--at` a time: the rows as they were, and an error where nothing is kept."""

import json
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from click.testing import CliRunner

from suite.cli.program import program
from suite.controller.operator import Order, drain, reserve, undrain, unreserve
from suite.model.address import parse_range
from suite.model.announcement import Announcement
from suite.model.changes import Changes, Closing
from suite.model.configuration import Configuration
from suite.model.event import Action, Actor, Event
from suite.model.lease import Lease, LeaseState, Reservation
from suite.model.pool import Pool
from suite.model.service import ServiceRef

START = datetime(2039, 11, 15, 9, 0, tzinfo=UTC)
COFFEE, MILK = ServiceRef("default", "coffee"), ServiceRef("default", "milk")
SEVEN, NINE = ip_address("10.0.42.7"), ip_address("10.0.42.9")
ORDER = Order(Actor("operator", "ada"))


def at(hours):
    return START + timedelta(hours=hours)


def configured(*ranges, digest):
    return Changes(configuration=Configuration((Pool("default", tuple(map(parse_range, ranges))),), digest=digest))


def fill(store):
    """Hour by hour: a pool and coffee's lease at 0, a reservation at 1, drained at 2, all of it undone from 4 on."""
    lease = Lease(SEVEN, COFFEE, "default", LeaseState.BOUND, f"service:{COFFEE}", START)
    born = Event(Action.ALLOCATED, COFFEE, SEVEN, "default")
    refused = Event(Action.REFUSED, MILK, reason="pool default is too small for milk", after="PoolExhausted")

    def step(hours, changes):
        return store.commit(changes, store.read(), now=at(hours))

    step(0, configured("10.0.42.0/28", digest="one"))
    step(0, Changes(opened=(lease,), events=(born, refused)))
    store.announce(
        "compute1", frozenset({Announcement(SEVEN, "compute1", "layer2", "eth0", mac="02:00:00:00:10:01")}), now=at(0)
    )
    step(1, reserve(store.read(), [Reservation(NINE, MILK, "the door")], ORDER).changes)
    step(2, drain(store.read(), "default", ORDER))
    step(4, unreserve(store.read(), NINE, ORDER))
    step(5, undrain(store.read(), "default", ORDER))
    ended = tuple(Closing(each, "released") for each in store.read().leases[SEVEN])
    step(6, Changes(closed=ended, events=(Event(Action.RELEASED, COFFEE, SEVEN, "default"),)))
    store.announce("compute1", frozenset(), now=at(6))
    step(7, configured("10.0.43.0/24", digest="two"))


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def suite(request, tmp_path_factory):
    """Run a command over that history."""
    from fix_db import fresh_database

    with fresh_database(request, request.param) as db:
        fill(db.open())
        places = ("--state", str(tmp_path_factory.mktemp("state")), "--database", db.url)

        def run(*arguments, hours=3.0):
            when = at(hours).isoformat()
            return CliRunner().invoke(program, [*arguments, "--at", when, *places], catch_exceptions=False)

        yield run


def told(result):
    return json.loads(result.stdout)


def test_a_pool_is_shown_as_it_was_used(suite):
    (pool,) = told(suite("pool", "list", "-o", "json"))

    assert (pool["ranges"], pool["total"], pool["bound"], pool["reserved"], pool["draining"]) == (
        ["10.0.42.0/28"], 16, 1, 1, True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        pytest.param(0.5, (0, False), id="before both"),
        pytest.param(1.5, (1, False), id="reserved"),
        pytest.param(4.5, (0, True), id="not reserved any more"),
        pytest.param(5.5, (0, False), id="not drained any more"),
    ],
)
def test_what_operators_did_since_is_wound_back(suite, hours, expected):
    pool = told(suite("pool", "show", "default", "-o", "json", hours=hours))

    assert (pool["reserved"], pool["draining"]) == expected


def test_a_pool_that_was_not_there_yet_is_not_found(suite):
    assert suite("pool", "show", "other").exit_code == 4


@pytest.mark.parametrize(("hours", "code"), [(3, 0), (6.5, 4)])
def test_an_open_lease_is_shown_while_it_was_open(suite, hours, code):
    assert suite("lease", "show", "default/coffee", hours=hours).exit_code == code


@pytest.mark.parametrize(("hours", "ended"), [(3, None), (6.5, "2039-11-15T15:00:00Z")])
def test_history_is_what_it_was_then(suite, hours, ended):
    (row,) = told(suite("lease", "history", "10.0.42.7", "-o", "json", hours=hours))

    assert row["ended"] == ended


def test_the_log_ends_with_that_time(suite):
    (newest, *_) = told(suite("audit", "log", "-o", "json", hours=2))

    assert (newest["action"], newest["at"]) == ("drained", "2039-11-15T11:00:00Z")


def test_a_service_is_explained_from_the_history(suite):
    chain = {each["stage"]: each["text"] for each in told(suite("explain", "coffee", "-o", "json"))["chain"]}

    assert chain["address"] == "it had 10.0.42.7 since 2039-11-15 09:00:00 UTC"
    assert chain["announcement"] == (
        "announced by compute1 (layer2, eth0, 02:00:00:00:10:01) since 2039-11-15 09:00:00 UTC"
    )


def test_why_a_service_had_no_address_then_is_told(suite):
    result = suite("explain", "milk", "-o", "json")

    assert result.exit_code == 1
    assert told(result)["chain"][-1]["text"].endswith(
        "it was refused one at 2039-11-15 09:00:00 UTC: pool default is too small for milk"
    )


def test_a_service_that_nothing_tells_of_is_not_found(suite):
    assert suite("explain", "tea").exit_code == 4


@pytest.mark.parametrize("command", [("lease", "who", "10.0.42.7"), ("pool", "list"), ("explain", "coffee")])
def test_a_time_before_the_database_began_is_refused_with_when_it_began(suite, command):
    result = suite(*command, hours=-24 * 365 * 50)

    assert result.exit_code == 4
    assert "the database begins at " in result.stderr


def test_a_time_that_is_yet_to_come_is_refused(suite):
    result = suite("lease", "list", hours=24)

    assert (result.exit_code, "yet to come" in result.stderr) == (2, True)


def test_names_of_the_past_are_refused_with_what_to_ask_instead(suite):
    result = suite("dns", "list")

    assert result.exit_code == 2
    assert "suite lease list --at" in result.stderr


def test_what_was_pruned_is_told_of_and_not_guessed(sqlite_db, tmp_path):
    store = sqlite_db.open()
    fill(store)
    store.prune(at(3), tmp_path / "archive", now=at(8), actor=ORDER.actor)
    places = ("--state", str(tmp_path), "--database", sqlite_db.url)

    result = CliRunner().invoke(program, ["pool", "list", "--at", at(2).isoformat(), *places])

    assert result.exit_code == 4
    assert "moved into an archive" in result.stderr
