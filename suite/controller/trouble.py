"""The database is away, or it is back: said once in the log for each time, and kept for the status."""

import logging

from suite.store.errors import Unavailable

_log = logging.getLogger(__name__)


class Trouble:
    """Why the database cannot be used; false and empty while it can."""

    def __init__(self) -> None:
        self._text = ""

    def __bool__(self) -> bool:
        return bool(self._text)

    def __str__(self) -> str:
        return self._text

    def begins(self, error: Unavailable) -> None:
        """It cannot be used, or still not."""
        if not self._text:
            _log.error("the database cannot be used: %s", error)
        self._text = str(error)

    def ends(self) -> None:
        """It answered."""
        if self._text:
            _log.warning("the database is back")
            self._text = ""
