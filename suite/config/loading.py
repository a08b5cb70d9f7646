"""Loading: documents to one checked configuration, or to every reason why not."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from suite.config.checks import check
from suite.config.document import NATIVE, RESOURCES, Document
from suite.config.draft import Draft
from suite.config.native import read_native
from suite.config.resources import read_resource
from suite.config.secrets import Secret, resolve_secrets, secrets_in
from suite.config.shape import Dialect, Reading
from suite.config.tree import to_plain
from suite.model.configuration import Configuration
from suite.model.node import Node
from suite.model.peer import SecretRef
from suite.model.problem import Problem


@dataclass(frozen=True, slots=True)
class Outcome:
    """What loading came to: a configuration and at most warnings, or no configuration and the errors."""

    configuration: Configuration | None
    problems: tuple[Problem, ...] = ()
    attempt: Configuration = field(default_factory=Configuration)
    """What could be understood in spite of the errors; for messages and further checks, never to be put in force."""
    draft: Draft = field(default_factory=Draft, repr=False, compare=False)
    """The same with the place of everything."""

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that stand in the way."""
        return tuple(problem for problem in self.problems if not problem.is_warning)


def load(
    documents: Iterable[Document],
    *,
    strict: bool = True,
    nodes: Iterable[Node] = (),
    secrets: Mapping[str, Secret] | None = None,
) -> Outcome:
    """Read all documents together and check them against each other; every problem is told, in the order of the text.

    ``strict`` makes a key that nobody knows an error (files) instead of a warning (a cluster).  ``nodes`` are those
    known from elsewhere, ``secrets`` the Secrets of the cluster by ``namespace/name``; with None only those among the
    documents are known, and references to others are left alone.
    """
    documents = tuple(documents)
    draft = Draft()
    found: list[Problem] = []
    for document in documents:
        found += document.problems
        _read(document, strict, draft, found)
    reading = Reading(problems=found)
    known = secrets_in(documents) | dict(secrets or {})
    resolve_secrets(draft, known, reading, is_complete=secrets is not None)
    attempt = check(draft, tuple(nodes), reading)
    attempt = replace(attempt, digest=digest_of(documents, draft))
    order = {document.at.source: number for number, document in enumerate(reversed(documents))}
    problems = tuple(sorted(found, key=lambda problem: (-order.get(problem.source, 0), problem.line)))
    has_errors = any(not problem.is_warning for problem in problems)
    return Outcome(None if has_errors else attempt, problems, attempt, draft)


def referenced_secrets(documents: Iterable[Document]) -> frozenset[SecretRef]:
    """The Kubernetes Secrets that the peers in these documents name; faults are left to :func:`load`."""
    draft, ignored = Draft(), list[Problem]()
    for document in documents:
        _read(document, False, draft, ignored)
    references = (placed.value.password_secret for placed in draft.peers)
    return frozenset(each for each in references if each is not None and each.namespace)


def _read(document: Document, strict: bool, draft: Draft, found: list[Problem]) -> None:
    if document.kind == NATIVE:
        read_native(document.at, Reading(Dialect.NATIVE, strict, found), draft)
    elif document.kind in RESOURCES:
        read_resource(document, Reading(Dialect.RESOURCE, strict, found), draft)


def digest_of(documents: Iterable[Document], draft: Draft) -> str:
    """SHA-256, in hex, of what the documents say and what Secrets add; comments, order of keys and style do not change it."""
    said = [
        to_plain(document.at.node) for document in documents if document.kind == NATIVE or document.kind in RESOURCES
    ]
    peers = (each.value for each in draft.peers)
    secrets = [(peer.name, peer.password) for peer in peers if peer.password_secret is not None]
    return hashlib.sha256(json.dumps([said, secrets], sort_keys=True).encode()).hexdigest()
