"""The one backbone: leases, services and the audit log in SQLite or PostgreSQL.

What belongs here: tables and their guards, the commit, snapshots and how they follow one another, history, the hash
chain, backup.  What does not: deciding (``ipam``, every ``plan``), reading documents (``config``, ``cluster``).  No row
and no SQLAlchemy object leaves this package; callers see values of ``model``.  It is synchronous: call it from a thread.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from suite.model.event import Actor
    from suite.store.store import Store


MIN_SEAL_KEY = 16
"""Octets below which a seal could be guessed."""


def read_seal_key(path: str) -> bytes:
    """The key that seals the log: the file's octets without surrounding blanks; no key where no file is named.

    Raises:
        StoreError: the file cannot be read, or holds no key worth the name.
    """
    from pathlib import Path

    from suite.store.errors import StoreError

    if not path:
        return b""
    try:
        key = Path(path).read_bytes().strip()
    except OSError as error:
        what = f"the seal key file {path} cannot be read: {error.strerror}"
        raise StoreError(what, "check its path and rights") from error
    if len(key) < MIN_SEAL_KEY:
        what = f"the seal key file {path} holds fewer than {MIN_SEAL_KEY} octets"
        raise StoreError(what, f"openssl rand -hex 32 > {path}")
    return key


def open_store(url: str, *, password_file: str = "", create: bool = True, key: bytes = b"") -> "Store":
    """Open the database at ``url`` (SQLAlchemy form, no password in it).

    Args:
        url: ``sqlite:////var/lib/suite/suite.db`` or ``postgresql://user@host/name``.
        password_file: a file whose first line is the PostgreSQL password; without it libpq's PGPASSFILE counts.
        create: whether an empty or missing database is set up and an older schema upgraded; otherwise both are errors.
        key: seals the last event of each commit with HMAC-SHA256, so that nobody without it can rewrite the log.

    Raises:
        Unavailable: the database cannot be reached or written.
        SchemaTooNew: a newer release of this program made or upgraded it.
        SchemaTooOld: an older release made it, and ``create`` is not set.
        SchemaForeign: it holds tables that this program did not make.
    """
    from suite.store.store import Store

    return Store.open(url, password_file=password_file, create=create, key=key)


def restore(
    url: str, source: "Path", *, above: int = 0, actor: "Actor | None" = None, password_file: str = "", key: bytes = b""
) -> None:
    """Fill the empty or missing database at ``url`` from a backup of either database, in a new epoch, or leave all as it was.

    ``above`` is the highest revision that any follower is known to have seen.

    Raises:
        StoreError: the database is not empty, or ``source`` is no whole backup of this release's schema.
    """
    from contextlib import ExitStack, closing
    from datetime import UTC, datetime

    from suite.model.event import SYSTEM
    from suite.store import schema
    from suite.store.engine import open_database, remove_file, sqlite_file

    file = sqlite_file(url)
    with ExitStack() as undo:
        if file is not None and not file.exists():
            undo.callback(remove_file, file)
        with closing(open_database(url, password_file=password_file)) as database:
            schema.restore(database, source, now=datetime.now(UTC), above=above, actor=actor or SYSTEM, key=key)
        undo.pop_all()
