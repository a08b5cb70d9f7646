"""What can go wrong with the database, in words for people: what happened, and what mends it."""


class StoreError(Exception):
    """A fault of the store; ``what`` happened, ``fix`` says what to do about it (empty where nothing needs doing)."""

    def __init__(self, what: str, fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.what}; {self.fix}" if self.fix else self.what


class Conflict(StoreError):  # noqa: N818 - a race that was lost is an outcome, not an error
    """Somebody else was first; nothing was changed.  Refresh the snapshot and plan again."""


class Deposed(StoreError):  # noqa: N818
    """Another instance leads now; nothing was changed."""


class Unavailable(StoreError):  # noqa: N818
    """The database is away, read-only, full or locked; nothing was changed."""


class Unusable(Unavailable):
    """Waiting does not help: a wrong password, no such database, a file that is none; somebody has to mend it."""


class ConnectionLost(Unavailable):
    """The connection to PostgreSQL broke before COMMIT was sent; a new one may work at once."""


class OutcomeUnknown(Unavailable):
    """The connection broke while a commit was on its way and did not come back: it happened entirely or not at all.

    The next ``refresh`` shows which; a plan made from that is right in both cases.
    """


class SchemaTooNew(StoreError):  # noqa: N818
    """A newer release wrote this database."""


class SchemaTooOld(StoreError):  # noqa: N818
    """An older release wrote this database, and whoever asks only wants to look."""


class SchemaForeign(StoreError):  # noqa: N818
    """The database belongs to another program."""


class NotMade(StoreError):  # noqa: N818
    """The file that was to be written stands already, or cannot be made there; nothing was changed."""


class NotKept(StoreError):  # noqa: N818
    """The database cannot tell what was at that time: it began later, or that part was pruned."""
