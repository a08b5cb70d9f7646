"""One cluster, to read from and to tell: connection, source and writer under one roof.

cluster = KubernetesCluster(kubeconfig, instance=node, now=clock, may_write=controller.may_write)
await cluster.run(controller.hear)               # a Source
cluster.tell(outcomes_of(snapshot, touched))     # a Teller, called after each commit
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime

from suite.cluster.cluster_source import ClusterSource
from suite.cluster.guard import Guard, holder_of
from suite.cluster.kubernetes import connect
from suite.cluster.source import Batch, Deliver
from suite.cluster.status import Note, Outcome
from suite.cluster.writer import StatusWriter, always
from suite.config.document import Document
from suite.model.configuration import KubernetesSettings
from suite.model.problem import Problem
from suite.model.service import ServiceRef


class KubernetesCluster:
    """A Source and a Teller.

    Args:
        kubeconfig: a file; empty for the pod's ServiceAccount, or where kubectl looks.
        context: one of the file's contexts; empty for its current one.
        instance: the name of this controller, for Events.
        now: the clock.
        may_write: whether this instance leads, as the database says then.
        settings: what is read beside Services, and where.
        epoch: of the database, for the Lease that guards against a second one.
        beside: the operator's own documents, which may name Secrets of the cluster.
    """

    def __init__(
        self,
        kubeconfig: str = "",
        *,
        context: str = "",
        instance: str,
        now: Callable[[], datetime],
        may_write: Callable[[], Awaitable[bool]] = always,
        settings: KubernetesSettings | None = None,
        epoch: str = "",
        beside: Callable[[], Iterable[Document]] = tuple,
    ) -> None:
        self._kubeconfig = kubeconfig
        self._context = context
        self._instance = instance
        self._now = now
        self._may_write = may_write
        self._settings = settings or KubernetesSettings()
        self._epoch = epoch
        self._beside = beside
        self._guard: Guard | None = None
        self._source: ClusterSource | None = None
        self._writer: StatusWriter | None = None
        self._early: dict[ServiceRef, Outcome] = {}
        self._complaints: dict[str, tuple[Problem, ...]] = {}

    async def run(self, deliver: Deliver) -> None:
        """Follow the cluster and write to it, until cancelled.

        Raises:
            Lost: there is no configuration that leads to a cluster.
        """
        connection = await connect(self._kubeconfig, context=self._context, instance=self._instance)
        try:
            source = self._source = ClusterSource(connection, self._settings, beside=self._beside)
            writer = self._writer = StatusWriter(
                connection, source, instance=self._instance, now=self._now, may_write=self._is_ours_to_write
            )
            writer.tell(self._early.values())
            self._early.clear()
            for topic, problems in self._complaints.items():
                writer.complain(problems, topic)

            async def hand_over(batch: Batch) -> None:
                await deliver(batch)
                writer.complain(batch.problems)

            async with asyncio.TaskGroup() as group:
                if self._settings.guard_lease is not None:
                    holder = holder_of(self._epoch)
                    self._guard = Guard(connection, self._settings.guard_lease, holder, now=self._now)
                    group.create_task(self._guard.run(), name="guard")
                group.create_task(writer.run(), name="status writer")
                group.create_task(source.run(hand_over), name="cluster source")
        finally:
            self._writer = None
            await connection.close()

    @property
    def hindrance(self) -> str:
        """Why this instance may not decide anything now; empty when it may."""
        if self._guard is not None:
            return self._guard.trouble
        return f"the Lease {lease} is not held yet" if (lease := self._settings.guard_lease) else ""

    async def _is_ours_to_write(self) -> bool:
        return (self._guard is None or self._guard.is_fresh) and await self._may_write()

    def tell(self, outcomes: Iterable[Outcome]) -> None:
        """These Services stand so in the database now; returns at once."""
        if self._writer is not None:
            self._writer.tell(outcomes)
        else:
            self._early |= {outcome.ref: outcome for outcome in outcomes}

    def look_again(self) -> None:
        """The documents beside the cluster's have changed."""
        if self._source is not None:
            self._source.look_again()

    def note(self, ref: ServiceRef, note: Note) -> None:
        """Send an Event about a Service; returns at once, and one that cannot be sent is lost."""
        if self._writer is not None:
            self._writer.note(ref, note)

    def complain(self, problems: Iterable[Problem], topic: str = "configuration") -> None:
        """All problems of a topic: those of objects of the cluster become Events about them, once each."""
        self._complaints[topic] = tuple(problems)
        if self._writer is not None:
            self._writer.complain(self._complaints[topic], topic)
