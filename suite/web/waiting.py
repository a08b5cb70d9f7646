"""Answering while there is no database yet: the status and the reason, on the sockets that the web role has open."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from socket import socket

from suite.web.backend import Backend
from suite.web.serve import serve


@asynccontextmanager
async def waiting_room(backend: Backend, listeners: list[socket]) -> AsyncIterator[None]:
    """Serve inside the block; whoever serves on the same ``listeners`` afterwards finds them open."""
    stop = asyncio.Event()
    serving = asyncio.create_task(serve(backend, [listener.dup() for listener in listeners], stop))
    try:
        yield
    finally:
        stop.set()
        await serving
