"""The one backbone: leases, services and the audit log in SQLite or PostgreSQL.

What belongs here: tables and their guards, the commit, snapshots and how they follow one another, history, the hash
chain, backup.  What does not: deciding (``ipam``, every ``plan``), reading documents (``config``, ``cluster``).  No row
and no SQLAlchemy object leaves this package; callers see values of ``model``.  It is synchronous: call it from a thread.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from suite.store.store import Store


def open_store(url: str, *, password_file: str = "", create: bool = True, key: bytes = b"") -> "Store":
    """Open the database at ``url`` (SQLAlchemy form, no password in it), bringing its schema up to date.

    Args:
        url: ``sqlite:////var/lib/suite/suite.db`` or ``postgresql://user@host/name``.
        password_file: a file whose first line is the PostgreSQL password; without it libpq's PGPASSFILE counts.
        create: whether an empty or missing database is set up; otherwise it is an error.
        key: seals the last event of each commit with HMAC-SHA256, so that nobody without it can rewrite the log.

    Raises:
        Unavailable: the database cannot be reached or written.
        SchemaTooNew: a newer release of this program made or upgraded it.
        SchemaForeign: it holds tables that this program did not make.
    """
    from suite.store.store import Store

    return Store.open(url, password_file=password_file, create=create, key=key)
