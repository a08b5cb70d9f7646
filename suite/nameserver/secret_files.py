"""The files of secrets that the configuration names: TSIG keys and cookie secrets, read again when they change.

A file that cannot be used is told, and what was good before goes on: a half-written file must not lock secondaries out.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from suite.dns.settings import Key
from suite.model.configuration import DnsSettings
from suite.nameserver.settings import CookieSecretsError, TsigKeysError, missing_keys, read_cookie_secrets, read_keys

T = TypeVar("T")
Mark = tuple[int, int, int]
"""Time of the last write, size and inode of a file: what changes when somebody writes or replaces it."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """What the files hold, and what is wrong with them."""

    keys: tuple[Key, ...] = ()
    cookies: tuple[bytes, ...] = field(default=(), repr=False)
    """Empty where no file is named."""
    troubles: tuple[str, ...] = ()
    marks: tuple[Mark | None, ...] = ()


def read_secrets(dns: DnsSettings, before: Secrets) -> Secrets:
    """Read both files; ``before`` is what was read last."""
    marks = marks_of(dns)
    keys, trouble = _read("tsig-keys-file", dns.tsig_keys_file, read_keys, before.keys)
    cookies, other = _read("cookie-secret-file", dns.cookie_secret_file, read_cookie_secrets, before.cookies)
    if not trouble and (missing := missing_keys(dns, keys)):
        trouble = f"dns.transfer-acl names keys that tsig-keys-file does not hold: {', '.join(missing)}"
    return Secrets(keys, cookies, tuple(each for each in (trouble, other) if each), marks)


def marks_of(dns: DnsSettings) -> tuple[Mark | None, ...]:
    """How to see that one of the files has changed; costs a look at each."""
    return tuple(_mark(Path(name)) for name in (dns.tsig_keys_file, dns.cookie_secret_file) if name)


def _read(
    key: str, name: str, read: Callable[[str], tuple[T, ...]], before: tuple[T, ...]
) -> tuple[tuple[T, ...], str]:
    """What a file holds, or what it held before and why."""
    if not name:
        return (), ""
    try:
        return read(Path(name).read_text(encoding="utf-8", errors="replace")), ""
    except (OSError, TsigKeysError, CookieSecretsError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        return before, f"dns.{key} {name} is not used: {reason}"


def _mark(path: Path) -> Mark | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
