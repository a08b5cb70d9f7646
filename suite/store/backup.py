"""Backup and restore of a SQLite file."""

import contextlib
import os
import sqlite3
from pathlib import Path

from suite.store.database import Database
from suite.store.errors import Unavailable


def copy_sqlite(database: Database, target: Path) -> None:
    """A consistent copy of a live SQLite database, made while others read and write (VACUUM INTO).

    Raises:
        Unavailable: ``target`` exists, or its disk is full or read-only.
    """
    if target.exists():
        raise Unavailable(f"{target} exists", "give a path where nothing stands")
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        with contextlib.closing(sqlite3.connect(str(database.path))) as connection:
            connection.execute("VACUUM INTO ?", (str(target),))
    except sqlite3.Error as error:
        target.unlink(missing_ok=True)
        raise Unavailable(f"the backup failed ({error})", f"check the disk of {target}") from error
