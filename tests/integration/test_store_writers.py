"""Many processes write at once, some are killed: no address ever goes to two Services that may not share it.

What the processes do is decided by no lock of ours and by no plan: each takes whatever address it likes, as a wrong
planner would, and only the database stands between them.  Whether it held is asked in SQL afterwards.
"""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fix_db import fresh_database

REPOSITORY = Path(__file__).parents[2]

WRITER = """
import random, sys
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_address
from suite.model.changes import Changes, Closing
from suite.model.event import Action, Event
from suite.model.lease import Lease, LeaseState
from suite.model.service import Port, ServiceRef
from suite.store import open_store
from suite.store.errors import Conflict

store, chance, commits = open_store(sys.argv[1]), random.Random(int(sys.argv[2])), int(sys.argv[3])
print("ready", flush=True)
sys.stdin.readline()
snapshot, done = store.read(), 0
while done < commits:
    now = datetime.now(UTC)
    address = ip_address("10.0.0.0") + chance.randrange(4)
    ref = ServiceRef("default", f"service-{chance.randrange(6)}")
    group = "shared" if chance.random() < 0.5 else str(ref)
    lease = Lease(address, ref, "pool", LeaseState.BOUND, group, now, ports=(Port(chance.randrange(1, 4)),))
    mine = [each for each in snapshot.holdings.get(ref) or () if chance.random() < 0.6]
    changes = Changes(
        closed=tuple(Closing(each, "over") for each in mine),
        opened=(lease,),
        events=(Event(Action.ALLOCATED, ref, address),),
    )
    if chance.random() < 0.5:  # believe a snapshot that is older than head: nothing but constraints is left
        snapshot = replace(snapshot, revision=store.refresh(snapshot).revision)
    try:
        snapshot = store.commit(changes, snapshot, now=now)
        done += 1
    except Conflict:
        snapshot = store.read()
        done += 0.2
print("done", flush=True)
"""

OVERLAPS = """
SELECT a.address, a.namespace, a.service, b.service
FROM lease a JOIN lease b ON a.address = b.address AND a.id < b.id AND a.share_group <> b.share_group
WHERE a.revision < coalesce(b.end_revision, 9000000000000) AND b.revision < coalesce(a.end_revision, 9000000000000)
"""
"""Two rows that counted at the same revision on one address without sharing it; revisions, because times may be equal."""

PORTS = """
SELECT a.address FROM lease a JOIN lease b ON a.address = b.address AND a.id < b.id AND a.ports = b.ports
WHERE a.revision < coalesce(b.end_revision, 9000000000000) AND b.revision < coalesce(a.end_revision, 9000000000000)
"""
"""The same for leases that share an address: each has one port here, and equal ones clash."""

TWICE_OPEN = """
SELECT address FROM lease WHERE valid_to IS NULL GROUP BY address HAVING count(DISTINCT share_group) > 1
"""


def start(db, seed, commits):
    command = [sys.executable, "-c", WRITER, db.url, str(seed), str(commits)]
    return subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def release(processes):
    """All at once, when each has opened its store."""
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_no_address_is_leased_twice_at_once(request, kind, seed):
    with fresh_database(request, kind) as db:
        db.open().close()
        writers = [start(db, seed * 10 + number, 25) for number in range(3)]
        victim = start(db, seed * 10 + 9, 100_000)
        release([*writers, victim])
        time.sleep(random.Random(seed).random())  # any moment will do
        victim.kill()

        outputs = [process.communicate(timeout=100)[0] for process in (*writers, victim)]

        assert outputs[:3] == ["done\n"] * 3
        assert db.rows("SELECT count(*) FROM lease")[0][0] > 30
        assert (db.rows(OVERLAPS), db.rows(PORTS), db.rows(TWICE_OPEN)) == ([], [], [])
        assert db.open().check() == []
