"""Starting the roles: what a run is asked to do, and the one file that knows all roles."""

from dataclasses import dataclass
from pathlib import Path

from suite.model.configuration import Listen


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What the command line of ``suite run`` says."""

    state: Path
    config: Path | None = None
    manifests: Path | None = None
    database: str = ""
    """A SQLAlchemy URL without a password; empty for the configuration's, else suite.db in the state directory."""
    dns_listen: tuple[Listen, ...] = ()
    """Instead of the configuration's; empty for those."""
    roles: tuple[str, ...] = ()
    """Instead of the configuration's; empty for those."""
    node: str = ""
    verbose: int = 0


def main(options: RunOptions) -> int:
    """Run until told to end; the exit code of the process."""
    raise SystemExit(f"the roles cannot be started yet (state directory {options.state})")
