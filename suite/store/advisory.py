"""A lock that lasts as long as whoever holds it: one connection to PostgreSQL, kept out of the pool while it is held.

The server lets go of it when the session ends, however it ends, so nobody needs a clock to know that a holder is gone.
"""

from contextlib import ExitStack, suppress
from typing import Any

from sqlalchemy import Connection

from suite.store.database import Database
from suite.store.errors import Unavailable
from suite.store.faults import translated

_PATIENCE = (
    "SELECT set_config(name, %s, false) FROM pg_settings WHERE name = 'idle_session_timeout'"  # not there before 14
)


class AdvisoryLock:
    """One advisory lock of this database, named by one big number or two small ones; PostgreSQL only.

    Args:
        database: where the lock is.
        numbers: its name.
        patience: seconds without a question (:meth:`holds`) after which the server takes it from a holder that is frozen, say,
            while its connection stands; 0 for never, and never before PostgreSQL 14.
    """

    def __init__(self, database: Database, *numbers: int, patience: float = 0.0) -> None:
        self._database = database
        self._patience = patience
        self._arguments = ", ".join(map(str, numbers))
        self._session: Connection | None = None

    def take(self) -> bool:
        """Whether it is this object's now; False while another session holds it.

        Raises:
            Unavailable: the database is away.
        """
        with translated(self._database.path), ExitStack() as undo:
            session = self._database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            undo.callback(session.close)
            is_ours = bool(session.exec_driver_sql(f"SELECT pg_try_advisory_lock({self._arguments})").scalar_one())
            if is_ours:
                session.exec_driver_sql(_PATIENCE, (str(round(self._patience * 1000)),))
                self._session = session
                undo.pop_all()
        return is_ours

    def holds(self) -> bool:
        """Whether the session still lives, and the lock with it; asks the server."""
        if self._session is None:
            return False
        try:
            self._say("SELECT 1")
        except Unavailable:
            self.drop()
            return False
        return True

    def drop(self) -> None:
        """Let go of it, and of the session."""
        if self._session is not None:
            with suppress(Unavailable):  # a session that broke holds no lock any more
                self._say(f"SELECT pg_advisory_unlock({self._arguments})")
            self._session.invalidate()  # ends the session, and with it the lock; closing would only pool it
            self._session.close()
            self._session = None

    def _say(self, text: str) -> None:
        """By the driver, so that the pool does not reconnect a session that broke."""
        if self._session is not None:
            driver: Any = self._session.connection.dbapi_connection
            with translated(self._database.path, driver):
                driver.execute(text)
