"""However servers and releases interleave, a serial stands for one content, and no server's serial goes back."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from fix_db import fresh_database
from hypothesis import given
from hypothesis import strategies as st

from suite.model.zone_version import ZoneVersion
from suite.nameserver.versions import next_serial

if TYPE_CHECKING:
    from collections.abc import Iterator

    from suite.store.store import Store

SERVERS, RELEASES, REVISIONS = 3, 2, 12
ORIGINS = itertools.count()

# What each release makes of each revision, and which server (of which release) serves which revision next.
CONTENTS = st.lists(st.sampled_from("abc"), min_size=REVISIONS, max_size=REVISIONS)
STEPS = st.lists(st.tuples(st.integers(0, SERVERS - 1), st.integers(0, 3), st.booleans()), max_size=40)


@pytest.fixture(scope="module")
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    with fresh_database(request, "sqlite") as database:
        yield database.open()


class Server:
    """A nameserver as the database sees it; a restart forgets what it served."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.revision = 0
        self.serial: int | None = None
        self.highest = 0

    def serve(self, store: Store, revision: int, content: str) -> int:
        wanted = revision if self.serial is None else next_serial(self.serial, revision)
        version = ZoneVersion(self.origin, wanted, revision, content, self.serial, "step")
        (given_back,) = store.number_zones([version])
        self.revision, self.serial = revision, given_back.serial
        return given_back.serial


@given(first=CONTENTS, second=CONTENTS, steps=STEPS)
def test_a_serial_stands_for_one_content(
    store: Store, first: list[str], second: list[str], steps: list[tuple[int, int, bool]]
) -> None:
    origin = f"zone{next(ORIGINS)}."
    servers = [Server(origin) for _ in range(SERVERS)]
    stood_for: dict[int, str] = {}
    for number, ahead, restarts in steps:
        server = servers[number]
        contents = first if number % RELEASES else second
        revision = min(server.revision + ahead, REVISIONS - 1)
        if restarts:
            server.serial = None
        before = server.serial
        serial = server.serve(store, revision + 1, contents[revision])
        server.revision = revision
        assert stood_for.setdefault(serial, contents[revision]) == contents[revision]
        assert before is None or serial >= before
