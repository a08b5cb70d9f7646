"""One question for everybody who wants its answer at the same time.

Before each write to a cluster the database is asked whether the term goes on.  Sixteen writers would ask sixteen times; here
whoever asks gets the answer to a question that began after that, never of one on its way, so two are enough for all.
"""

import asyncio
from collections.abc import Awaitable, Callable


class Confirmation:
    """Asks ``ask``, which raises nothing."""

    def __init__(self, ask: Callable[[], Awaitable[bool]]) -> None:
        self._ask = ask
        self._asking: asyncio.Task[bool] | None = None
        self._next: asyncio.Task[bool] | None = None

    async def answer(self) -> bool:
        """What was so at some moment after this call."""
        if self._next is None:
            self._next = asyncio.create_task(self._after(self._asking))
        return await asyncio.shield(self._next)

    async def _after(self, before: asyncio.Task[bool] | None) -> bool:
        if before is not None:
            await asyncio.wait({before})
        self._asking, self._next = self._next, None
        return await self._ask()
