"""Passwords that Kubernetes Secrets hold for BGP peers: from a cluster, or from documents beside the configuration."""

from base64 import b64decode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from suite.config.document import CREDENTIAL, Document
from suite.config.draft import Draft, Placed
from suite.config.shape import Reading
from suite.model.peer import Peer, SecretRef

BASIC_AUTH = "kubernetes.io/basic-auth"
"""The only type whose key ``password`` MetalLB reads."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A Kubernetes Secret, as far as passwords need it."""

    type: str
    password: str = field(default="", repr=False)


def secrets_in(documents: Iterable[Document]) -> dict[str, Secret]:
    """The Secrets among the documents, by ``namespace/name``."""
    found = {}
    for document in documents:
        if document.kind == CREDENTIAL:
            namespace = document.at.text("metadata", "namespace")
            found[f"{namespace}/{document.name}"] = Secret(document.at.text("type"), _password(document))
    return found


def _password(document: Document) -> str:
    """``stringData.password`` as it is, or ``data.password`` out of its base64; empty where neither can be read."""
    if plain := document.at.text("stringData", "password"):
        return plain
    try:
        return b64decode(document.at.text("data", "password"), validate=True).decode()
    except ValueError:
        return ""


def resolve_secrets(draft: Draft, secrets: Mapping[str, Secret], reading: Reading, *, is_complete: bool) -> None:
    """Put the passwords that Secrets hold into the peers that name them.

    ``is_complete`` says that a Secret which is not among ``secrets`` does not exist; else it may be elsewhere.
    """
    for number, placed in enumerate(draft.peers):
        reference = placed.value.password_secret
        if reference is None or placed.form is None or "password_file" in placed.form.given:
            continue
        secret = secrets.get(f"{reference.namespace}/{reference.name}")
        if secret is not None and _is_usable(secret, placed, reading):
            draft.peers[number] = replace(placed, value=replace(placed.value, password=secret.password))
        elif secret is None and is_complete:
            _tell_missing(reference, placed, reading)


def _is_usable(secret: Secret, placed: Placed[Peer], reading: Reading) -> bool:
    at = placed.place("password_secret")
    if secret.type != BASIC_AUTH:
        message = f"the Secret is of type {secret.type!r}; it must be {BASIC_AUTH}"
        reading.fault(at, "peer.secret_wrong_type", message)
    elif not secret.password:
        reading.fault(at, "peer.secret_without_password", "the Secret has no key named password")
    return secret.type == BASIC_AUTH and bool(secret.password)


def _tell_missing(reference: SecretRef, placed: Placed[Peer], reading: Reading) -> None:
    message = f"there is no Secret {reference.namespace}/{reference.name}"
    reading.fault(placed.place("password_secret"), "peer.secret_not_found", message, transient=True)
