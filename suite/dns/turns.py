"""Whose turn it is: networks one after the other, and the connections of each one after the other.

Who has a hundred connections has a hundred that wait for each other, and no more turns than who has one.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Turns(Generic[T]):
    """Connections that wait, by network. Nothing here keeps a connection from being added twice."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[bytes, deque[T]] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, network: bytes, connection: T) -> None:
        """Put one behind all others of its network; a network that had none waiting goes behind all others."""
        self._waiting.setdefault(network, deque()).append(connection)

    def take(self) -> T:
        """Give the next and forget it; KeyError when nobody waits."""
        network, waiting = self._waiting.popitem(last=False)
        connection = waiting.popleft()
        if waiting:
            self._waiting[network] = waiting
        return connection
