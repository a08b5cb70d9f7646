"""What runs, and whether it does its work: told by every role about itself, shown by the command line and the API."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from suite.model.problem import Problem

KEPT = timedelta(days=1)
"""How long a gone instance is shown when nothing takes its place."""


@dataclass(frozen=True, slots=True)
class Instance:
    """One role on one machine."""

    role: str
    """``controller``, ``speaker``, ``nameserver`` or ``web``."""
    node: str
    version: str
    epoch: str = ""
    revision: int = 0
    """The revision of the snapshot it acts on; 0 before it has one."""
    reasons: tuple[str, ...] = ()
    """Why it is not ready; empty when it is."""
    notes: tuple[str, ...] = ()
    """What it does without (a privilege it lacks), and goes on."""

    @property
    def is_ready(self) -> bool:
        """Whether it does its work."""
        return not self.reasons


@dataclass(frozen=True, slots=True)
class Fellow:
    """A role of another process on the same database, as that process last said and as its lock shows."""

    instance: Instance
    process: int
    pid: int
    since: datetime
    """When its process started to say so."""
    gone: datetime | None = None
    """When it was found to have ended without a word; None while it lives."""


@dataclass(frozen=True, slots=True)
class Status:
    """Everything a suite knows about its own state."""

    instances: tuple[Instance, ...] = ()
    """The roles of this process; readiness is about these."""
    problems: tuple[Problem, ...] = ()
    """What is wrong with the newest configuration and manifests."""
    is_stale: bool = False
    """Whether a newer configuration is kept out because it is bad, and an older one is in force."""
    withheld: str = ""
    """Digest of the releases that wait for an operator; empty when none do."""
    database: str = ""
    """Why the database cannot be used; empty when it can."""
    fellows: tuple[Fellow, ...] = ()
    """The roles of other processes on the same database."""

    @property
    def is_ready(self) -> bool:
        """Whether every role of this process does its work."""
        return bool(self.instances) and all(instance.is_ready for instance in self.instances)

    def troubles(self) -> tuple[str, ...]:
        """Everything an operator should look at, in sentences."""
        found = [
            f"{each.role} on {each.node} is not ready: {'; '.join(each.reasons)}"
            for each in (*self.instances, *(fellow.instance for fellow in self.fellows if not fellow.gone))
            if each.reasons
        ]
        found += [
            f"{each.instance.role} on {each.instance.node} is gone without a word since {each.gone:%Y-%m-%d %H:%M:%S} UTC"
            for each in self.fellows
            if each.gone
        ]
        found += [self.database] if self.database else []
        found += (
            ["the newest configuration is bad and kept out; what was in force before stays so"] if self.is_stale else []
        )
        if self.withheld:
            found.append(
                f"releases wait for an operator: look at `suite plan`, then `suite plan --confirm {self.withheld}`"
            )
        return (*found, *map(str, self.problems))
