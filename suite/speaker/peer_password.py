"""Fetching a peer's password from the file that holds it, at the moment a session needs it."""

from dataclasses import replace
from pathlib import Path

from suite.model.peer import Peer


def with_password(peer: Peer) -> Peer:
    """``peer`` with the password of its ``password-file``; as it is where there is none or it cannot be read.

    The first line counts, without the end of the line. A Secret of a cluster is not for this node to read.
    """
    secret = peer.password_secret
    if secret is None or secret.namespace or peer.password:
        return peer
    try:
        text = Path(secret.name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return peer
    return replace(peer, password=text.partition("\n")[0].rstrip("\r"))
