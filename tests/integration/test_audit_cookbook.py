"""Every query of docs/audit.md runs on both databases, and the answers are the ones a reader expects."""

import re
import subprocess
import sys
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

import pytest

from suite.model.address import parse_range
from suite.model.announcement import Announcement
from suite.model.changes import Changes, Closing
from suite.model.configuration import Configuration
from suite.model.event import Action, Actor, Event
from suite.model.lease import Lease, LeaseState, Reservation
from suite.model.peering import SessionState
from suite.model.pool import Pool
from suite.model.service import ServiceRef
from suite.store import schema
from suite.store.engine import open_database
from suite.store.store import Store

PAGE = Path(__file__).parents[2] / "docs" / "audit.md"
COFFEE, TEA = ServiceRef("default", "coffee"), ServiceRef("default", "tea")
SEVEN, EIGHT = ip_address("10.0.42.7"), ip_address("10.0.42.8")
ADA = Actor("operator", "ada")

POOL = Pool(
    "default", (parse_range("10.0.42.4-10.0.42.11"),), excluded=(parse_range("10.0.42.4"),)
)  # seven addresses, of which .9 is reserved
CONFIGURATION = Configuration(
    pools=(POOL,), reservations=(Reservation(ip_address("10.0.42.9"), None, "the printer"),), digest="1"
)


def day(text):
    return datetime.fromisoformat(f"2026-11-{text}+00:00")


def lease(ref, address, state=LeaseState.BOUND):
    return Lease(address, ref, "default", state, str(ref), day("20 00:00"))


def event(action, ref, address, reason):
    return Event(action, ref, address, "default", reason, actor=ADA)


@pytest.fixture
def story(db):
    """20th: coffee gets .7. 21st 09:00: coffee goes, .7 is held; 10:00: tea takes .7. 22nd: tea gets .8 as well."""
    database = open_database(db.url)
    schema.ensure(database, create=True, now=day("20 00:00"))
    with Store(database) as store:
        now = store.read()
        for at, ends, opened, events in TURNS:
            closed = tuple(Closing(each, "service deleted") for address in ends for each in now.leases[address])
            configuration = CONFIGURATION if not now.is_complete else None
            now = store.commit(Changes(closed, opened, configuration=configuration, events=events), now, now=at)
        for at, routes, sessions in BGP:
            store.announce("node1", frozenset(routes), now=at)
            store.note_sessions("node1", frozenset(sessions), now=at)
        yield store


TURNS = (
    (day("20 08:00"), (), (), (Event(Action.CONFIGURED, actor=ADA),)),
    (day("20 12:00"), (), (lease(COFFEE, SEVEN),), (event(Action.ALLOCATED, COFFEE, SEVEN, "first"),)),
    (
        day("21 09:00"),
        (SEVEN,),
        (lease(COFFEE, SEVEN, LeaseState.HELD),),
        (event(Action.HELD, COFFEE, SEVEN, "Service deleted"),),
    ),
    (day("21 10:00"), (SEVEN,), (lease(TEA, SEVEN),), (event(Action.TAKEN_HELD, TEA, SEVEN, "asked for"),)),
    (day("22 10:00"), (), (lease(TEA, EIGHT, LeaseState.COOLING),), ()),
)

ROUTE = Announcement(EIGHT, "node1", "bgp", peer="gateway", prefix="10.0.42.0/24")
UP = SessionState("node1", "gateway", "192.168.1.1", True, 64512, "192.168.1.1")
DOWN = SessionState("node1", "gateway", "192.168.1.1", False, why="hold timer expired")
BGP = ((day("22 11:00"), {ROUTE}, {UP}), (day("22 15:00"), set(), {DOWN}))


def blocks(language):
    """The fenced blocks of one language, by their heading and number under it."""
    heading, found = "", {}
    for part in re.split(r"(?m)^(?=#)|(?=^```)", PAGE.read_text(encoding="utf-8")):
        if part.startswith("#"):
            heading = part.splitlines()[0].strip("# ")
        if part.startswith(f"```{language}\n"):
            number = sum(name.startswith(heading) for name in found) + 1
            found[f"{heading} {number}"] = part.split("\n", 1)[1].split("```")[0]
    return found


SQL = blocks("sql")


def written_for(db, text):
    """The two places where the databases differ, as the page explains them."""
    octets = "X'{}'" if db.path else "'\\x{}'::bytea"
    text = re.sub(r"\{octets:(\w+)\}", lambda match: octets.format(match[1]), text)
    return text.replace("{time}", "TEXT" if db.path else "TIMESTAMPTZ")


def answers(db, name):
    return [tuple(plain(value) for value in row) for row in db.rows(written_for(db, SQL[name]))]


def plain(value):
    """Times as text to the minute, numbers as numbers, whatever the driver makes of them."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M")
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:00\.000000Z", value):
        return value[:16]
    return float(value) if not isinstance(value, str | bytes | None | bool) else value


@pytest.mark.usefixtures("story")
def test_every_query_of_the_page_runs(db):
    for text in SQL.values():
        db.rows(written_for(db, text))


ANSWERS = {
    "Who had this address at that time? 1": [("default", "tea", "bound", "2026-11-21 10:00", None, "")],
    "Who had this address at that time? 2": [("default", "tea", "bound", None, None, None, None)],
    "Everybody who ever had this address 1": [
        ("default", "coffee", "bound", "2026-11-20 12:00", "2026-11-21 09:00", 75600.0, "service deleted"),
        ("default", "coffee", "held", "2026-11-21 09:00", "2026-11-21 10:00", 3600.0, "service deleted"),
    ],
    "Everything this Service ever had 1": [
        ("10.0.42.7", "bound", "default", "2026-11-20 12:00", "2026-11-21 09:00", "service deleted"),
        ("10.0.42.7", "held", "default", "2026-11-21 09:00", "2026-11-21 10:00", "service deleted"),
    ],
    "Everything this Service ever had 2": [
        ("2026-11-20 12:00", "allocated", "10.0.42.7", "operator ada", "first"),
        ("2026-11-21 09:00", "held", "10.0.42.7", "operator ada", "Service deleted"),
    ],
    "What changed yesterday? 1": [
        ("2026-11-21 09:00", "held", "default/coffee", "10.0.42.7", "operator ada", "Service deleted"),
        ("2026-11-21 10:00", "taken-held", "default/tea", "10.0.42.7", "operator ada", "asked for"),
    ],
    "What changed yesterday? 2": [("10.0.42.7", "default", "coffee", "default", "tea", "2026-11-21 10:00")],
    "What changed yesterday? 3": [("2026-11-20 08:00", "operator ada", "")],
    "Which routes did a router have, and when was a session down? 1": [
        ("10.0.42.8", "10.0.42.0/24", "node1", "2026-11-22 11:00", "2026-11-22 15:00", "withdrawn"),
    ],
    "Which routes did a router have, and when was a session down? 2": [
        ("node1", "gateway", "up", "2026-11-22 11:00", "2026-11-22 15:00", ""),
        ("node1", "gateway", "down", "2026-11-22 15:00", None, "hold timer expired"),
    ],
    "How full are the pools, and how full were they? 1": [
        ("default", 7.0, 2.0, 5.0, 100 * 2 / 7, 1.0, 0.0, 1.0, 0.0, "no"),
    ],
    "How full are the pools, and how full were they? 2": [
        ("2026-11-21 00:00", "default", 1.0),
        ("2026-11-22 00:00", "default", 1.0),
    ],
    "Which addresses are free, held, cooling, reserved, declined? 1": [
        ("10.0.42.7", "10.0.42.7", "bound", "default", "tea", "default", "2026-11-21 10:00", None, ""),
        ("10.0.42.8", "10.0.42.8", "cooling", "default", "tea", "default", "2026-11-22 10:00", None, ""),
        ("10.0.42.9", "10.0.42.9", "reserved", None, None, "default", None, None, "the printer"),
    ],
    "Which addresses are free, held, cooling, reserved, declined? 2": [
        ("10.0.42.7", "bound", "default", "tea"),
        ("10.0.42.8", "cooling", "default", "tea"),
        ("10.0.42.9", "reserved", None, None),
    ],
    "Which addresses are free, held, cooling, reserved, declined? 3": [
        ("10.0.42.5",), ("10.0.42.6",), ("10.0.42.10",), ("10.0.42.11",),
    ],
    "Was the log tampered with? 1": [],
}  # fmt: skip


@pytest.mark.usefixtures("story")
def test_answers_are_the_same_on_both_databases(db):
    found = {name: answers(db, name) for name in ANSWERS}
    found["Everybody who ever had this address 1"].pop()  # its length is counted up to now

    assert found == ANSWERS


@pytest.mark.usefixtures("story")
def test_head_names_the_last_event(db):
    assert len(answers(db, "Was the log tampered with? 2")) == 1


def test_prune_is_told_in_sql(db, story, tmp_path):
    story.prune(day("21 00:00"), tmp_path / "archive", now=day("23 00:00"), actor=ADA, reason="disk")

    (row,) = answers(db, "Keeping less 1")

    assert row[1:4] == ("2026-11-21 00:00", 3.0, 0.0)
    assert row[5:] == ("operator ada", "disk")


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
@pytest.mark.usefixtures("story")
def test_chain_can_be_walked_with_the_lines_of_the_page(db):
    (code,) = blocks("python").values()

    done = subprocess.run([sys.executable, "-c", code], cwd=db.path.parent, capture_output=True, text=True, check=True)

    assert done.stdout.startswith("good up to ")
