"""Waiting for a database that is away at the start: tries go on, and the web role's sockets answer why nothing works yet."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import chain, repeat
from typing import TypeVar

from suite.metrics.registry import Registry
from suite.model.snapshot import Snapshot
from suite.model.status import Status
from suite.store.errors import Unavailable, Unusable
from suite.web.backend import Backend
from suite.web.serve import Places, serve

PAUSES = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0)
"""Seconds before the first, second, ... new try."""
QUIET = 2.0
"""Seconds of a start in which nobody expects an answer; a locked database takes ten to say that it is."""

T = TypeVar("T")

_log = logging.getLogger(__name__)


class WaitingRoom:
    """What a process without a database does: it says why, once in the log and whenever it is asked."""

    def __init__(self, status: Callable[[], Status], registry: Registry, places: Places) -> None:
        self._status = status
        self._registry = registry
        self._places = places
        self.trouble = ""
        """Why the database cannot be used; empty when it can, and before anybody tried."""

    async def until_there(self, act: Callable[[], Awaitable[T]], what: str = "the database") -> T:
        """What ``act`` gives as soon as the database, or what stands for it, lets it.

        Raises:
            Unusable: waiting does not help.
        """
        trying = asyncio.ensure_future(self._tried(act, what))
        try:
            await asyncio.wait({trying}, timeout=QUIET)
            if trying.done():
                return trying.result()
            async with self._answering():
                return await trying
        finally:
            trying.cancel()

    async def _tried(self, act: Callable[[], Awaitable[T]], what: str) -> T:
        for pause in chain(PAUSES, repeat(PAUSES[-1])):
            try:
                found = await act()
            except Unusable:
                raise
            except Unavailable as error:
                if not self.trouble:
                    _log.error("%s cannot be used, waiting for it: %s", what, error)
                self.trouble = str(error)
            else:
                break
            await asyncio.sleep(pause)
        if self.trouble:
            _log.warning("%s is there", what)
            self.trouble = ""
        return found

    @asynccontextmanager
    async def _answering(self) -> AsyncIterator[None]:
        """Serve inside the block; whoever serves on the same listeners afterwards finds them open."""
        if not self._places:
            yield
            return
        backend, stop = Backend(Snapshot, self._status, self._registry), asyncio.Event()
        serving = asyncio.create_task(serve(backend, self._places.copy(), stop))
        try:
            yield
        finally:
            stop.set()
            await serving
