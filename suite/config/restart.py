"""Settings that are read once: what a running program was told to change and will change at its next start."""

from collections.abc import Callable
from typing import Any

from suite.model.configuration import Configuration

READ_ONCE: dict[str, Callable[[Configuration], Any]] = {
    "roles": lambda each: each.roles,
    "database": lambda each: each.database,
    "dns.listen": lambda each: each.dns.listen,
    "dns.workers": lambda each: each.dns.workers,
    "web.listen": lambda each: each.web.listen,
    "web.feed-listen": lambda each: each.web.feed_listen,
    "kubernetes": lambda each: each.kubernetes,
}
"""By the name that stands in the file."""


def wait_for_restart(started: Configuration, now: Configuration) -> tuple[str, ...]:
    """The names of settings that differ between the two."""
    return tuple(name for name, value in READ_ONCE.items() if value(started) != value(now))
