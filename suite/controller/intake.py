"""What a controller reads: the operator's configuration, and manifests or a cluster; it hands both to the controller.

The two meet here because a cluster may hold configuration too: its documents and the operator's file are one
configuration, judged together whenever one of them changes.
"""

import asyncio
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from suite.cluster.directory import remembered
from suite.cluster.files import FileSource
from suite.cluster.memory import MemoryCluster
from suite.cluster.source import Batch, Source
from suite.cluster.status import outcomes_of
from suite.config.document import Document
from suite.config.loading import Outcome
from suite.config.restart import wait_for_restart
from suite.controller.configuration_file import Mark, combined, follow_configuration
from suite.controller.loop import Controller
from suite.controller.name_complaints import Find, NameComplaints
from suite.controller.sightings import follow_announcements
from suite.model.configuration import Configuration
from suite.model.problem import Problem
from suite.model.publication import Publication
from suite.model.snapshot import Snapshot
from suite.store import keepsake
from suite.store.store import Store

if TYPE_CHECKING:
    from suite.cluster.kubernetes_cluster import KubernetesCluster

KEEP_DELAY = 2.0
"""Seconds after a change until the last leases are written; changes meanwhile are part of it."""

READ_AT_START = "it was changed, and takes effect at the next start"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Places:
    """Where a controller reads; everything empty is a suite without Services."""

    config: Path | None = None
    manifests: Path | None = None
    kubeconfig: str = ""
    """A cluster instead of manifests; empty for the pod's own cluster, where there is one."""
    keepsake: Path | None = None
    """Where the last leases are kept beside the database."""

    @property
    def is_cluster(self) -> bool:
        """Whether Services are read from a cluster."""
        return self.manifests is None and bool(self.kubeconfig or "KUBERNETES_SERVICE_HOST" in os.environ)


class Intake:
    """Feeds one controller.

    ``change`` puts into a configuration what the command line says instead, ``refused`` finds who gets which name not.
    """

    def __init__(
        self,
        controller: Controller,
        store: Store,
        places: Places,
        outcome: Outcome,
        documents: list[Document],
        *,
        node: str,
        clock: Callable[[], datetime],
        change: Callable[[Configuration], Configuration],
        refused: Find,
    ) -> None:
        self._controller = controller
        self._store = store
        self._places = places
        self._outcome = outcome
        self._documents = documents
        self._cluster_documents: tuple[Document, ...] = ()
        self._node = node
        self._clock = clock
        self._change = change
        self._cluster: KubernetesCluster | None = None
        self._names = NameComplaints(refused, self._complain_of_names)
        self._has_news = asyncio.Event()
        lease = outcome.attempt.kubernetes.guard_lease if places.is_cluster else None
        self._early_hindrance = f"the Lease {lease} is not held yet" if lease else ""

    async def run(self, known: Mark, snapshot: Snapshot) -> None:
        """Read until cancelled; ``known`` is the mark of the configuration that was read, ``snapshot`` what was loaded."""
        source = self._source(snapshot)
        async with asyncio.TaskGroup() as tasks:
            if self._cluster is None:  # a cluster's own configuration is read with its Services, then both are one
                configuration = self._outcome.configuration
                await self._controller.configure(self._changed(configuration), self._outcome.problems)
            tasks.create_task(source.run(self._hear))
            tasks.create_task(self._names.run())
            if self._cluster is not None:
                tasks.create_task(
                    follow_announcements(self._store, lambda: self._controller.snapshot, self._cluster.note)
                )
            if self._places.keepsake is not None:
                tasks.create_task(self._keep_leases(self._places.keepsake))
            if self._places.config is not None:
                tasks.create_task(follow_configuration(self._places.config, known, self._read_again))

    def hindrance(self) -> str:
        """Why nothing may be decided yet, or any more; empty when it may."""
        return self._cluster.hindrance if self._cluster is not None else self._early_hindrance

    def tell(self, publication: Publication) -> None:
        """Something was committed: the cluster gets to see it, and the last leases are written a little later."""
        if self._cluster is not None:
            self._cluster.tell(outcomes_of(publication.snapshot, publication.touched))
        self._names.tell(publication)
        self._has_news.set()

    @property
    def name_problems(self) -> tuple[Problem, ...]:
        """Who is refused a name."""
        return self._names.problems

    def _complain_of_names(self, problems: tuple[Problem, ...]) -> None:
        """Their owners look at the cluster's Events; nobody else hears it from here."""
        if self._cluster is not None:
            self._cluster.complain(problems, "names")

    def _source(self, snapshot: Snapshot) -> Source:
        if self._places.manifests is not None:
            return FileSource(self._places.manifests, remembered=remembered(snapshot))
        if self._places.is_cluster:
            from suite.cluster.kubernetes_cluster import KubernetesCluster

            self._cluster = KubernetesCluster(
                self._places.kubeconfig,
                instance=self._node,
                now=self._clock,
                may_write=self._controller.may_write,
                settings=self._outcome.attempt.kubernetes,
                epoch=snapshot.epoch,
                beside=lambda: self._documents,
            )
            return self._cluster
        return MemoryCluster()

    def _changed(self, configuration: Configuration | None) -> Configuration | None:
        return None if configuration is None else self._change(configuration)

    async def _hear(self, batch: Batch) -> None:
        """A batch of the source; the configuration that a cluster holds goes before what it says of Services."""
        if batch.documents is not None:
            self._cluster_documents = batch.documents
            await self._reconfigure()
        await self._controller.hear(batch)

    async def _read_again(self, documents: list[Document]) -> None:
        """The configuration file has changed."""
        self._documents = documents
        if self._cluster is not None:
            self._cluster.look_again()
        await self._reconfigure()

    async def _reconfigure(self) -> None:
        outcome = await asyncio.to_thread(combined, self._documents, self._cluster_documents)
        outcome = self._with_waiting(outcome)
        log_problems(outcome)
        if outcome.configuration is None:
            _log.error("the configuration is bad and kept out; the last good one stays in force")
        if self._cluster is not None:
            self._cluster.complain(outcome.problems)
        await self._controller.configure(self._changed(outcome.configuration), outcome.problems)

    def _with_waiting(self, outcome: Outcome) -> Outcome:
        """With a warning for each setting of the file that only a start reads."""
        if outcome.configuration is None:
            return outcome
        file = outcome if self._cluster is None else combined(self._documents, ())
        names = wait_for_restart(self._change(self._outcome.attempt), self._change(file.attempt))
        source = str(self._places.config or "")
        waiting = tuple(Problem(name, READ_AT_START, "restart", source, is_warning=True) for name in names)
        return replace(outcome, problems=(*outcome.problems, *waiting))

    async def _keep_leases(self, path: Path) -> None:
        """Write the last leases beside the database, a little after they changed."""
        kept = ""
        while True:
            await self._has_news.wait()
            await asyncio.sleep(KEEP_DELAY)
            self._has_news.clear()
            lines = keepsake.lines_of(self._controller.snapshot)
            if (now := "\n".join(lines)) == kept:
                continue
            try:
                await asyncio.to_thread(keepsake.keep, path, lines)
                kept = now
            except OSError as error:
                _log.warning("the last leases could not be kept in %s: %s", path, error.strerror)


def log_problems(outcome: Outcome) -> None:
    """Every problem of a configuration, as a warning or an error."""
    for problem in outcome.problems:
        _log.log(logging.WARNING if problem.is_warning else logging.ERROR, "%s", problem)
