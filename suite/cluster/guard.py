"""A Lease of the cluster that keeps a second controller from writing: one with another database, started by mistake.

Who leads is the database's own question, and a database on a volume has one user.  But two of them, each with a SQLite file of
its own, would each lease the pool from its start.  So a controller holds a ``coordination.k8s.io`` Lease in the name of its
database before it decides anything: a restart on the same database goes on at once, another database waits.

As in client-go, nobody's clock is compared with anybody's: a Lease has expired when this process has watched it unchanged
for as long as it lasts.  A server that is away takes nothing: whoever held the Lease goes on deciding, for nobody else can
get it, but writes nothing to the cluster before the Lease was seen again.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from hashlib import blake2b
from typing import Any

from suite.cluster.connection import ApiError, Connection, Lost
from suite.model.service import ServiceRef

DURATION = 15.0
"""Seconds a Lease lasts without being renewed; client-go's default."""
INTERVAL = 5.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Record:
    """What a Lease says."""

    holder: str = ""
    renewed: str = ""
    duration: float = DURATION
    version: str = ""


class Step(Enum):
    """What to do about a Lease."""

    CREATE = auto()
    RENEW = auto()
    TAKE = auto()
    WAIT = auto()


def step(record: Record | None, holder: str, unchanged: float) -> Step:
    """What ``holder`` does about a Lease that it has seen ``unchanged`` for so many seconds; None where there is none."""
    if record is None:
        return Step.CREATE
    if record.holder == holder:
        return Step.RENEW
    return Step.TAKE if not record.holder or unchanged > record.duration else Step.WAIT


def read(document: Mapping[str, Any]) -> Record:
    """What an object of kind Lease says."""
    spec = document.get("spec") or {}
    duration = spec.get("leaseDurationSeconds")
    return Record(
        str(spec.get("holderIdentity") or ""),
        str(spec.get("renewTime") or ""),
        float(duration) if isinstance(duration, int) and duration > 0 else DURATION,
        str((document.get("metadata") or {}).get("resourceVersion") or ""),
    )


def holder_of(epoch: str) -> str:
    """The name of a database as a holder; the epoch itself is nobody's business."""
    return f"database {blake2b(epoch.encode(), digest_size=6).hexdigest()}"


class Guard:
    """Holds one Lease for as long as :meth:`run` runs, and says whether it is held.

    Args:
        connection: to the API server.
        ref: the Lease.
        holder: whose name stands in it.
        now: the clock, for the time that stands in it.
        interval: seconds between two looks.
    """

    def __init__(
        self,
        connection: Connection,
        ref: ServiceRef,
        holder: str,
        *,
        now: Callable[[], datetime],
        interval: float = INTERVAL,
    ) -> None:
        self._connection = connection
        self._ref = ref
        self._holder = holder
        self._now = now
        self._interval = interval
        self._seen: Record | None = None
        self._seen_at = 0.0
        self._held_at: float | None = None
        self.trouble = f"the Lease {ref} is not held yet"
        """Why nothing may be decided; empty while the Lease is held."""

    @property
    def is_fresh(self) -> bool:
        """Whether the Lease is held, and nobody else can have taken it meanwhile."""
        return self._held_at is not None and time.monotonic() - self._held_at < DURATION

    async def run(self) -> None:
        """Take the Lease and renew it, until cancelled; it stays in the database's name, for the next life."""
        while True:
            await self._look()
            await asyncio.sleep(self._interval * (0.9 + 0.2 * random.random()))  # noqa: S311 - spreads load

    async def _look(self) -> None:
        asked_at = time.monotonic()
        try:
            record = await self._get()
            if record != self._seen:
                self._seen, self._seen_at = record, asked_at
            action = step(record, self._holder, asked_at - self._seen_at)
            if action is not Step.WAIT:
                await self._write(action, record)
                self._won(asked_at)
                return
        except ApiError as error:
            if not error.is_conflict:
                self._failed(str(error))
            return
        except Lost as error:
            self._failed(str(error))
            return
        self._lost(record)

    async def _get(self) -> Record | None:
        try:
            return read(await self._connection.get(self._path(self._ref.name)))
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    async def _write(self, action: Step, record: Record | None) -> None:
        now = self._now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec: dict[str, Any] = {"holderIdentity": self._holder, "renewTime": now, "leaseDurationSeconds": int(DURATION)}
        if action is not Step.RENEW:
            spec["acquireTime"] = now
        metadata = {"name": self._ref.name, "namespace": self._ref.namespace}
        if record is None:
            kind = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}
            await self._connection.create(self._path(), {**kind, "metadata": metadata, "spec": spec})
            return
        metadata["resourceVersion"] = record.version
        await self._connection.patch(self._path(self._ref.name), {"metadata": metadata, "spec": spec})

    def _path(self, name: str = "") -> str:
        return f"/apis/coordination.k8s.io/v1/namespaces/{self._ref.namespace}/leases/{name}".rstrip("/")

    def _won(self, at: float) -> None:
        if self.trouble:
            _log.info("the Lease %s is held by this controller", self._ref)
        self._held_at, self.trouble = at, ""

    def _lost(self, record: Record | None) -> None:
        other = record.holder if record else "nobody"
        trouble = f"the Lease {self._ref} is held by {other}, this is {self._holder}: stop one of the two controllers"
        if trouble != self.trouble:
            _log.error("%s", trouble)
        self._held_at, self.trouble = None, trouble

    def _failed(self, message: str) -> None:
        if self._held_at is None:
            self.trouble = f"the Lease {self._ref} cannot be read: {message}"
        _log.warning("the Lease %s: %s", self._ref, message)
