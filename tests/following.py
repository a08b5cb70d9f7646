"""Followers at work in a test, and waiting for what no event announces."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

DEADLINE = 15.0
"""Seconds."""


@asynccontextmanager
async def running(*followers: Any) -> AsyncIterator[None]:
    """Each of them follows its origin meanwhile."""
    tasks = [asyncio.create_task(follower.run()) for follower in followers]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(fact: Callable[[], object]) -> None:
    """Wait until it holds."""
    async with asyncio.timeout(DEADLINE):
        while not fact():  # noqa: ASYNC110 - neither a file nor a database sets an event
            await asyncio.sleep(0.02)
