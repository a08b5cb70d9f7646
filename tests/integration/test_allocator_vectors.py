"""MetalLB's allocator rows, through the pure functions and through the real store on both databases."""

import json
import sys
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from suite.model.changes import Changes, Closing
from suite.model.snapshot import Snapshot

VECTORS = Path(__file__).resolve().parents[1] / "vectors"
sys.path.append(str(VECTORS))

from replay_allocator import NOW, Commit, replay  # noqa: E402  (the path is set above)

if TYPE_CHECKING:
    from fix_db import DatabaseUnderTest

    from suite.store.store import Store

DOCUMENT = json.loads((VECTORS / "allocator.json").read_text(encoding="utf-8"))


def test_every_row_holds_on_the_pure_functions() -> None:
    rows = list(replay(DOCUMENT))

    assert [name for name, wanted, got in rows if wanted != got] == []
    assert len(rows) == 81


def test_every_row_holds_through_the_store(db: "DatabaseUnderTest") -> None:
    store = db.open()
    cases = count()

    def new_commit() -> Commit:
        """Each case starts from no leases: those of the case before are closed first."""
        start = store.read()
        if next(cases):
            start = _emptied(store, start)

        def commit(changes: Changes, snapshot: Snapshot) -> Snapshot:
            based_on = snapshot if snapshot.revision else start
            return store.commit(changes, based_on, now=NOW)

        return commit

    rows = list(replay(DOCUMENT, new_commit))

    assert [name for name, wanted, got in rows if wanted != got] == []


def _emptied(store: "Store", snapshot: Snapshot) -> Snapshot:
    closed = tuple(Closing(lease, "next case") for lease in snapshot.open_leases())
    gone = tuple(snapshot.services.keys())
    changes = Changes(closed=closed, services_gone=gone, refusals_gone=tuple(snapshot.refusals.keys()))
    return store.commit(changes, snapshot, now=NOW)
