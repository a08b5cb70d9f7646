"""What only some roles are told, fetched where the controller has it: in memory, or in files on its machine."""

from hashlib import sha256
from pathlib import Path

from suite.model.configuration import Configuration
from suite.model.peer import Peer
from suite.model.snapshot import Snapshot
from suite.model.token import Scope
from suite.store.remote.lines import Secrets

MOST_KEYS = 2


def secrets_of(snapshot: Snapshot, scope: Scope) -> Secrets:
    """What a role of this scope uses: passwords and keys for speakers, TSIG keys for nameservers, nothing for others.

    A file that cannot be read is told as if it were empty; a machine that has one of its own by that name goes on with it.
    """
    configuration = snapshot.configuration
    if scope is Scope.SPEAKER:
        passwords = tuple((peer.name, password) for peer in configuration.peers if (password := _password(peer)))
        return Secrets(_heartbeat_keys(configuration) or snapshot.heartbeat_keys, passwords)
    if scope is Scope.NAMESERVER:
        return Secrets(tsig_keys=_text_of(configuration.dns.tsig_keys_file))
    return Secrets()


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
