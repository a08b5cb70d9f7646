"""Which suite a command is about: its state directory, its database, its socket."""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from suite.cli.fault import Exit, Fault

if TYPE_CHECKING:
    from suite.model.configuration import DatabaseSettings
    from suite.store.errors import StoreError
    from suite.store.store import Store

SOCKET = "suite.sock"
DATABASE = "suite.db"


@dataclass(frozen=True, slots=True)
class Target:
    """What the common options say, with their defaults filled in."""

    state: Path
    config: Path | None = None
    database: str = ""

    @classmethod
    def of(cls, config: Path | None, state: Path | None, database: str) -> "Target":
        """The options of a command line; the state directory defaults to this user's."""
        return cls(state or state_directory(os.environ, os.getuid(), Path.home()), config, database)

    @property
    def socket(self) -> Path:
        """Where a running suite listens for this command line."""
        return self.state / SOCKET

    def database_url(self) -> str:
        """The database's URL, never with a password."""
        return self.database or self._settings_to_look().url or self._default

    @property
    def _default(self) -> str:
        return f"sqlite:///{self.state / DATABASE}"

    @contextmanager
    def store(self, *, create: bool = False, writes: bool = False) -> "Iterator[Store]":
        """The open store; what goes wrong with it is told as a fault.

        To look, a configuration that cannot be read is not needed where the state directory has a database, or
        ``--database`` names one; whoever ``writes`` needs what it says, the key that seals the log above all.

        Raises:
            Fault: there is no database yet, it cannot be reached, or it refused.
        """
        from suite.store import open_store, read_seal_key

        settings = self.settings if create or writes else self._settings_to_look()
        url = self.database or settings.url or self._default
        self._require_file(url, create=create)
        with store_errors(url):
            if create:
                self.make_state()
            key = read_seal_key(settings.seal_key_file)
            store = open_store(url, password_file=settings.password_file, create=create, key=key)
            try:
                yield store
            finally:
                store.close()

    def make_state(self) -> None:
        """Make the state directory, for this user alone."""
        self.state.mkdir(mode=0o700, parents=True, exist_ok=True)

    @property
    def settings(self) -> "DatabaseSettings":
        """What the configuration says of the database, whatever is wrong with the rest of it.

        Raises:
            Fault: it is no YAML or cannot be read, or the database's own section has errors.
        """
        from suite.model.configuration import DatabaseSettings

        if self.config is None:
            return DatabaseSettings()
        from suite.cli.documents import load_file, with_errors

        outcome = load_file(self.config)
        if any(not each.path or each.path.startswith("database") for each in outcome.errors):
            raise with_errors(self.config, outcome)
        return outcome.attempt.database

    def _settings_to_look(self) -> "DatabaseSettings":
        """The same for whoever only looks: a file that is no YAML does not hide the database that is surely meant."""
        from suite.cli.documents import load_file, with_errors
        from suite.model.configuration import DatabaseSettings

        if (
            self.config is None
            or is_missing(self.config)
            or not (self.database or not is_missing(self.state / DATABASE))
        ):
            return self.settings
        outcome = load_file(self.config)
        if all(each.path for each in outcome.errors):
            return self.settings
        where = without_password(self.database) or str(self.state / DATABASE)
        click.echo(f"warning: {with_errors(self.config, outcome).message}\nwarning: looking into {where}", err=True)
        return DatabaseSettings()

    def _require_file(self, url: str, *, create: bool) -> None:
        name = url.removeprefix("sqlite:///")
        if create or name == url or not is_missing(Path(name)):
            return
        if self.config is not None:
            from suite.cli.documents import load_configuration

            load_configuration(self.config)  # what is wrong with it is why the suite did not start
        raise Fault(
            "there is no database yet",
            where=name,
            fix="start the suite with `suite run`, or name its database with --state DIRECTORY or --database URL",
            code=Exit.UNAVAILABLE,
        )


def state_directory(environment: Mapping[str, str], uid: int, home: Path) -> Path:
    """``$STATE_DIRECTORY`` (systemd sets it, several divided by colons), else /var/lib/suite for root, else the user's own."""
    if given := environment.get("STATE_DIRECTORY", "").split(":")[0]:
        return Path(given)
    if uid == 0:
        return Path("/var/lib/suite")
    return Path(environment.get("XDG_STATE_HOME") or home / ".local/state") / "suite"


def is_missing(path: Path) -> bool:
    """Whether there is surely no such file; one that this user may not see is left to whoever opens it."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


@contextmanager
def store_errors(where: str) -> Iterator[None]:
    """What goes wrong with a database or one of its files, told as a fault."""
    from suite.store.errors import StoreError

    try:
        yield
    except StoreError as error:
        raise store_fault(error, where) from error
    except OSError as error:
        fix = (
            "run this command as the user who runs the suite, or with sudo"
            if isinstance(error, PermissionError)
            else ""
        )
        what = error.strerror or str(error)
        raise Fault(what, where=error.filename or without_password(where), fix=fix, code=Exit.UNAVAILABLE) from error


def without_password(url: str) -> str:
    """The URL as it may be shown; a password in it is refused, and not repeated either."""
    return re.sub(r"(://[^:/@]*):.*@", r"\1:***@", url)


def store_fault(error: "StoreError", url: str) -> Fault:
    """A store's error in the words of the command line."""
    from suite.store.errors import NotKept, NotMade, SchemaForeign, SchemaTooNew, Unavailable

    is_away = isinstance(error, Unavailable | SchemaTooNew | SchemaForeign)
    code = Exit.UNAVAILABLE if is_away else Exit.NOT_FOUND if isinstance(error, NotKept) else Exit.REFUSED
    if isinstance(error, NotMade):
        return Fault(error.what, fix=error.fix, code=Exit.USAGE)
    return Fault(error.what, where=without_password(url), fix=error.fix, code=code)
