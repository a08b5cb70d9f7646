"""Disks that fill, servers that go away, clocks that jump."""

import contextlib
import os
import select
import socket
import subprocess
import threading
import time
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from fix_db import fresh_database

from suite.model.changes import Changes
from suite.model.event import Action, Event
from suite.model.lease import Lease, LeaseState
from suite.model.node import Node
from suite.model.service import Service, ServiceRef
from suite.store import open_store
from suite.store.errors import Unavailable

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def allocation(number):
    ref = ServiceRef("default", f"service-{number}")
    lease = Lease(ip_address("10.0.0.0") + number, ref, "pool", LeaseState.BOUND, str(ref), NOON)
    event = Event(Action.ALLOCATED, ref, lease.address, "pool")
    return Changes(opened=(lease,), services=(Service(ref),), events=(event,))


# ---- disks --------------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 4 MB."""
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a small file system")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("needs the right to mount a file system")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_full_disk_is_unavailable_and_changes_nothing(small_disk):
    with open_store(f"sqlite:///{small_disk}/suite.db") as store:
        base = store.commit(allocation(1), store.read(), now=NOON)
        with contextlib.suppress(OSError):
            (small_disk / "filler").write_bytes(bytes(4 << 20))

        with pytest.raises(Unavailable, match="disk is full"):
            commit_many(store, base)

        (small_disk / "filler").unlink()
        assert store.read() == base
        assert store.verify().is_good
        assert store.commit(allocation(2), base, now=NOON) == store.read()


def commit_many(store, base):
    """More than what is left in the write-ahead log's last page."""
    refs = [ServiceRef("default", f"service-{number}") for number in range(2_000)]
    store.commit(Changes(services=tuple(Service(ref) for ref in refs)), base, now=NOON)


def test_disk_that_became_read_only_is_unavailable(small_disk):
    with open_store(f"sqlite:///{small_disk}/suite.db") as store:
        base = store.commit(allocation(1), store.read(), now=NOON)
        store.database.close()
        subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)

        with pytest.raises(Unavailable, match=r"read-only|cannot be opened"):
            store.commit(allocation(2), base, now=NOON)

        subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
        assert store.read() == base


def test_file_that_was_removed_takes_no_commit_until_it_is_back(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/suite.db") as store:
        base = store.commit(allocation(1), store.read(), now=NOON)
        (tmp_path / "suite.db").rename(tmp_path / "away")

        with pytest.raises(Unavailable, match="was removed while the suite used it"):
            store.commit(allocation(2), base, now=NOON)

        assert not (tmp_path / "suite.db").exists()
        (tmp_path / "away").rename(tmp_path / "suite.db")
        assert store.commit(allocation(2), base, now=NOON) == store.read()


def test_file_that_was_replaced_takes_no_commit(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/suite.db") as store:
        base = store.commit(allocation(1), store.read(), now=NOON)
        store.backup(tmp_path / "copy")
        (tmp_path / "copy").rename(tmp_path / "suite.db")

        with pytest.raises(Unavailable, match="was replaced by another file"):
            store.commit(allocation(2), base, now=NOON)


def test_file_that_is_no_database_is_unavailable(tmp_path):
    (tmp_path / "suite.db").write_bytes(b"not a database, but long enough to be read as the header of one" * 9)

    with pytest.raises(Unavailable, match="no SQLite database"):
        open_store(f"sqlite:///{tmp_path}/suite.db")


def test_folder_that_cannot_be_written_is_unavailable():
    with pytest.raises(Unavailable, match="cannot be created"):
        open_store("sqlite:////proc/nowhere/suite.db")


def test_idle_store_writes_nothing(sqlite_db):
    store = sqlite_db.open()
    snapshot = store.read()
    store.lead("a", NOON)
    before = written_by_this_process(), sorted(file.stat().st_mtime_ns for file in sqlite_db.path.parent.iterdir())

    store.news(lambda: snapshot, timeout=0.5)
    store.lead("a", NOON)
    store.refresh(snapshot)

    assert (
        written_by_this_process(),
        sorted(file.stat().st_mtime_ns for file in sqlite_db.path.parent.iterdir()),
    ) == before


def written_by_this_process():
    """Octets handed to storage, as the kernel counts them."""
    lines = Path("/proc/self/io").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("write_bytes"))


# ---- clocks -------------------------------------------------------------------------------------------------------


def test_clock_that_jumps_never_moves_the_log_back(db):
    store = db.open()
    snapshot = store.read()
    for number, hours in enumerate((0, -50_000, 3, 100, -1, 99)):
        snapshot = store.commit(allocation(number), snapshot, now=NOON + timedelta(hours=hours))

    times = [row[0] for row in db.rows("SELECT at FROM event ORDER BY revision, n")]
    assert times == sorted(times)
    assert store.verify().is_good


# ---- PostgreSQL goes away -----------------------------------------------------------------------------------------


def restart(server):
    server.stop("immediate")
    server.start()


def test_restarted_server_is_noticed_and_used_again(postgres_db):
    store = postgres_db.open()
    base = store.commit(allocation(1), store.read(), now=NOON)

    restart(postgres_db.server)

    after = store.commit(allocation(2), base, now=NOON)
    assert after == store.read()


def test_stopped_server_is_unavailable_and_comes_back(postgres_db):
    store = postgres_db.open()
    base = store.read()
    postgres_db.server.stop("immediate")
    try:
        with pytest.raises(Unavailable, match="PostgreSQL"):
            store.commit(allocation(1), base, now=NOON)
        with pytest.raises(Unavailable, match="PostgreSQL"):
            store.read()
    finally:
        postgres_db.server.start()

    assert store.commit(allocation(1), base, now=NOON) == store.read()


def test_waiter_is_told_when_the_server_goes_away(postgres_db):
    store = postgres_db.open()
    snapshot = store.read()
    timer = threading.Timer(0.3, restart, [postgres_db.server])
    timer.start()

    with pytest.raises(Unavailable):
        store.news(lambda: snapshot, timeout=20)

    timer.join()


def test_commit_that_cannot_take_effect_is_unavailable_and_changes_nothing(postgres_db):
    """The session dies inside COMMIT, before it takes effect, each time it is tried."""
    store = postgres_db.open()
    base = store.read()
    postgres_db.execute(
        "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$"
    )
    postgres_db.execute(
        "CREATE CONSTRAINT TRIGGER die AFTER INSERT ON node DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW WHEN (NEW.name = 'fatal') EXECUTE FUNCTION die()"
    )

    with pytest.raises(Unavailable):
        store.commit(Changes(nodes=(Node("fatal"),)), base, now=NOON)

    assert store.read() == base


@pytest.fixture
def cutting_proxy(postgres_db, tmp_path):
    """A relay in front of the server that swallows the answer to the next COMMIT and hangs up, when told to."""
    with CuttingProxy(tmp_path / ".s.PGSQL.5432", postgres_db.server.folder / ".s.PGSQL.5432") as proxy:
        yield proxy


class CuttingProxy:
    def __init__(self, here, there):
        self.there, self.is_armed, self.cuts = there, False, 0
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(here))
        self.listener.listen()

    def __enter__(self):
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.close()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self.relay, args=(client,), daemon=True).start()

    def relay(self, client):
        with client, socket.socket(socket.AF_UNIX) as server, contextlib.suppress(OSError):
            server.connect(str(self.there))
            while True:
                for end in select.select([client, server], [], [])[0]:
                    octets = end.recv(65536)
                    if not octets:
                        return
                    (server if end is client else client).sendall(octets)
                    if end is client and self.is_armed and b"COMMIT" in octets:
                        server.recv(1)  # the answer is here, so it took effect; nobody hears of it
                        self.is_armed, self.cuts = False, self.cuts + 1
                        return


def test_commit_whose_answer_is_lost_is_not_repeated(postgres_db, cutting_proxy, tmp_path):
    with open_store(postgres_db.url.replace(str(postgres_db.server.folder), str(tmp_path))) as store:
        base = store.read()
        cutting_proxy.is_armed = True

        after = store.commit(allocation(1), base, now=NOON)

        assert cutting_proxy.cuts == 1
        assert after.revision == base.revision + 1
        assert after == store.read()


@pytest.mark.timeout(180)
def test_no_told_commit_is_lost_while_the_server_restarts_again_and_again(postgres_db):
    store = postgres_db.open()
    store.commit(allocation(0), store.read(), now=NOON)
    is_over = threading.Event()
    disturber = threading.Thread(target=disturb, args=(postgres_db.server, is_over))
    disturber.start()
    told = 1
    snapshot = None
    while not is_over.is_set():
        with contextlib.suppress(Unavailable):
            snapshot = store.refresh(snapshot) if snapshot else store.read()
            assert len(snapshot.leases) in {told, told + 1}
            told = len(snapshot.leases)
            snapshot = store.commit(allocation(told), snapshot, now=NOON)
            told += 1
    disturber.join()

    assert told > 10
    assert len(store.read().leases) == told
    assert store.check() == []


def disturb(server, is_over):
    for _ in range(3):
        time.sleep(0.4)
        restart(server)
    is_over.set()


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_memory_of_a_closed_store_is_given_back(request, kind):
    """Connections are closed with it: nothing keeps the database busy."""
    with fresh_database(request, kind) as db:
        for _ in range(3):
            with open_store(db.url) as store:
                store.read()
        db.reset()
        assert db.open().read().leases.get(ip_address("10.0.0.0")) is None
