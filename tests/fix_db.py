"""Databases for tests: the parameter `db` runs a test on SQLite and on PostgreSQL.

    def test_something(db):
        store = db.open()                  # a Store on a fresh database; closed when the test ends
        other = db.open()                  # another one on the same database
        db.url                             # what to give to a child process
        db.rows("SELECT ...")              # SQL past the store, as a person would type it

PostgreSQL is started once per run from Debian's package (/usr/lib/postgresql/*/bin), as the user `postgres` when the
tests run as root, with its data in a temporary folder on the same disk and a unix socket there and no TCP port. Each
test gets a database of its own.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from suite.model.address import parse_range
from suite.model.changes import Changes
from suite.model.configuration import Configuration, StaticRecord
from suite.model.event import Action, Event
from suite.model.lease import Lease, LeaseState, Reservation
from suite.model.node import Namespace, Node
from suite.model.pool import Pool
from suite.model.refusal import Reason, Refusal
from suite.model.service import Endpoint, Endpoints, Port, Service, ServiceRef

if TYPE_CHECKING:
    from collections.abc import Iterator

    from suite.store.store import Store

_serials = itertools.count(1)


@dataclass(eq=False)
class Postgres:
    """A private server; `stop` and `start` are for tests of a server that goes away."""

    binaries: Path
    folder: Path
    account: pwd.struct_passwd | None

    @property
    def user(self) -> str:
        return self.account.pw_name if self.account else pwd.getpwuid(os.geteuid()).pw_name

    def create(self, *, is_durable: bool) -> None:
        self._run("initdb", "-D", str(self.folder / "data"), "-A", "trust", "-E", "UTF8", "--no-locale", "-N")
        settings = (
            f"unix_socket_directories = '{self.folder}'",
            "listen_addresses = ''",
            "max_connections = 200",
            "log_min_messages = fatal",
            f"fsync = {'on' if is_durable else 'off'}",
        )
        with (self.folder / "data" / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in settings)
        self.start()

    def start(self) -> None:
        log = str(self.folder / "log")
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-w", "-t", "60", "-s", "-l", log, "start")

    def stop(self, mode: str = "fast") -> None:
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-w", "-t", "60", "-s", "-m", mode, "stop")

    def url(self, database: str) -> str:
        return f"postgresql://{self.user}@/{database}?host={self.folder}"

    def connect(self, database: str = "postgres") -> Any:
        import psycopg

        return psycopg.connect(host=str(self.folder), user=self.user, dbname=database, autocommit=True)

    def _run(self, *argv: str) -> None:
        subprocess.run(
            [str(self.binaries / argv[0]), *argv[1:]], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            cwd=self.folder, user=self.account.pw_uid if self.account else None,
            group=self.account.pw_gid if self.account else None, extra_groups=[] if self.account else None,
        )  # fmt: skip


@dataclass(eq=False)
class DatabaseUnderTest:
    """A fresh database of one kind, and the stores opened on it."""

    kind: str
    url: str
    server: Postgres | None = None
    path: Path | None = None
    stores: list[Store] = field(default_factory=list)

    def open(self, **options: Any) -> Store:
        from suite.store import open_store

        self.stores.append(open_store(self.url, **options))
        return self.stores[-1]

    @contextlib.contextmanager
    def plain(self) -> Iterator[Any]:
        """A driver's own connection in autocommit, with the driver's own defaults: what a person's tool uses."""
        if self.server is not None:
            with contextlib.closing(
                self.server.connect(self.url.split("@/")[1].split("?", maxsplit=1)[0])
            ) as connection:
                yield connection
            return
        import sqlite3

        assert self.path is not None
        with contextlib.closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            yield connection

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with self.plain() as connection:
            return [tuple(row) for row in connection.execute(sql).fetchall()]

    def execute(self, sql: str) -> None:
        with self.plain() as connection:
            connection.execute(sql)

    def reset(self) -> None:
        """Empty again; close its stores first."""
        if self.path is not None:
            for file in self.path.parent.iterdir():
                file.unlink()
            return
        self.execute("DROP SCHEMA public CASCADE")
        self.execute("CREATE SCHEMA public")

    def close(self) -> None:
        for store in self.stores:
            store.close()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """One server for the run; it dies with it, whatever happens to a test."""
    if not _binaries():
        pytest.skip("needs PostgreSQL (see tests/apt-packages.txt)")
    with private_server("/var/tmp", is_durable=False) as server:
        yield server


def _binaries() -> list[Path]:
    """Every initdb of Debian's packages, the newest first."""
    return sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)


@contextlib.contextmanager
def private_server(place: str, *, is_durable: bool = True) -> Iterator[Postgres]:
    """A server with its data in a temporary folder in `place`; without durability it survives a kill, no power cut."""
    account = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="suite-pg-", dir=place))
    if account:
        os.chown(folder, account.pw_uid, account.pw_gid)
    server = Postgres(_binaries()[0].parent, folder, account)
    try:
        server.create(is_durable=is_durable)
        yield server
    finally:
        _end(server)


def _end(server: Postgres) -> None:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        pid = int((server.folder / "data" / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGQUIT)  # at once: nothing in it is worth a checkpoint
    shutil.rmtree(server.folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def db(request: pytest.FixtureRequest) -> Iterator[DatabaseUnderTest]:
    """A fresh database, once of each kind."""
    with fresh_database(request, request.param) as database:
        yield database


@pytest.fixture
def sqlite_db(request: pytest.FixtureRequest) -> Iterator[DatabaseUnderTest]:
    """A fresh SQLite database, for what only SQLite has."""
    with fresh_database(request, "sqlite") as database:
        yield database


@pytest.fixture
def postgres_db(request: pytest.FixtureRequest) -> Iterator[DatabaseUnderTest]:
    """A fresh PostgreSQL database, for what only PostgreSQL has."""
    with fresh_database(request, "postgres") as database:
        yield database


@contextlib.contextmanager
def fresh_database(request: pytest.FixtureRequest, kind: str) -> Iterator[DatabaseUnderTest]:
    """A new database of `kind`, gone afterwards; property tests call it once per example."""
    if kind == "sqlite":
        with tempfile.TemporaryDirectory(prefix="suite-db-", dir="/var/tmp") as folder:
            path = Path(folder) / "suite.db"
            with contextlib.closing(DatabaseUnderTest(kind, f"sqlite:///{path}", path=path)) as database:
                yield database
        return
    server: Postgres = request.getfixturevalue("postgres_server")
    name = f"test_{os.getpid()}_{next(_serials)}"
    with contextlib.closing(server.connect()) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    with contextlib.closing(DatabaseUnderTest(kind, server.url(name), server=server)) as database:
        yield database
    with contextlib.closing(server.connect()) as connection:  # anew: a test may have restarted the server
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


# ---- something to write ---------------------------------------------------------------------------------------------

COFFEE = ServiceRef("default", "coffee")
TEA = ServiceRef("default", "tea")


def _lease(ref: ServiceRef, address: str, *ports: Port) -> Lease:
    noon = datetime(2026, 11, 22, 12, tzinfo=UTC)
    return Lease(ip_address(address), ref, "pool", LeaseState.BOUND, str(ref), noon, ports=ports)


EVERYTHING = Changes(
    opened=(_lease(COFFEE, "10.0.42.0", Port(80)), _lease(TEA, "2001:db8::1", Port(53, "UDP", "dns"))),
    services=(Service(COFFEE, labels=(("app", "coffee"),)), Service(TEA)),
    endpoints=(Endpoints(COFFEE, (Endpoint("10.1.0.4", "node-a"),)),),
    nodes=(Node("node-a", addresses=(ip_address("10.0.10.1"),)),),
    namespaces=(Namespace("default", (("team", "kitchen"),)),),
    refusals=((ServiceRef("default", "milk"), Refusal(Reason.POOL_EXHAUSTED, "pool has no free address")),),
    reserved=(Reservation(ip_address("10.0.42.9"), TEA, "the printer"), Reservation(ip_address("10.0.42.16"), last=ip_address("10.0.42.31"))),
    drained=("old",),
    records=(StaticRecord("router.lan.", "A", "10.0.0.1"), StaticRecord("router.lan.", "TXT", "attic", 60)),
    configuration=Configuration(pools=(Pool("pool", (parse_range("10.0.42.0/24"),)),), digest="d1"),
    withheld="w1",
    events=(Event(Action.ALLOCATED, COFFEE, ip_address("10.0.42.0"), "pool"), Event(Action.CONFIGURED)),
)  # fmt: skip
