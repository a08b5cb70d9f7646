"""What only some roles are told, fetched where the controller has it: in memory, or in files on its machine."""

from collections.abc import Collection
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from suite.model.configuration import Configuration
from suite.model.peer import Peer
from suite.model.snapshot import Snapshot
from suite.model.token import Scope
from suite.store.remote.lines import Secrets

MOST_KEYS = 2


def secrets_of(snapshot: Snapshot, scopes: Collection[Scope]) -> Secrets:
    """What roles of these scopes use: passwords and keys for speakers, TSIG keys for nameservers, nothing for others.

    A file that cannot be read is told as if it were empty; a machine that has one of its own by that name goes on with it.
    """
    configuration = snapshot.configuration
    found = Secrets()
    if Scope.SPEAKER in scopes:
        passwords = tuple((peer.name, password) for peer in configuration.peers if (password := _password(peer)))
        found = Secrets(_heartbeat_keys(configuration) or snapshot.heartbeat_keys, passwords)
    if Scope.NAMESERVER in scopes:
        found = replace(found, tsig_keys=_text_of(configuration.dns.tsig_keys_file))
    return found


def _password(peer: Peer) -> str:
    """As a speaker beside the controller would read it: the first line of the file, without its end."""
    secret = peer.password_secret
    if peer.password or secret is None or secret.namespace:
        return peer.password
    return _text_of(secret.name).partition("\n")[0].rstrip("\r")


def _heartbeat_keys(configuration: Configuration) -> tuple[str, ...]:
    """As a speaker reads the file: one key a line, two at most."""
    lines = [line.strip() for line in _text_of(configuration.l2.heartbeat_key_file).encode().split(b"\n")]
    return tuple(sha256(line).hexdigest() for line in lines if line)[:MOST_KEYS]


def _text_of(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8") if path else ""
    except (OSError, UnicodeDecodeError):
        return ""
