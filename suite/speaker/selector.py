"""Waiting for sockets in the time-critical process: an epoll set, and who reads which descriptor."""

import select
from collections.abc import Callable

Reader = Callable[[float], None]
"""Called with the time when its descriptor is readable."""


class Selector:
    """The descriptors of one process. `clock` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._poll = select.epoll()
        self._readers: dict[int, Reader] = {}

    def __contains__(self, descriptor: int) -> bool:
        return descriptor in self._readers

    def watch(self, descriptor: int, reader: Reader) -> None:
        """Have `reader` called whenever `descriptor` is readable."""
        self._readers[descriptor] = reader
        self._poll.register(descriptor, select.EPOLLIN)

    def forget(self, descriptor: int) -> None:
        """Not any more; to be called before the descriptor is closed."""
        if self._readers.pop(descriptor, None) is not None:
            self._poll.unregister(descriptor)

    def wait(self, seconds: float) -> None:
        """Wait so long for a descriptor, and call the readers of those that are readable."""
        for descriptor, _ in self._poll.poll(seconds):
            reader = self._readers.get(descriptor)  # one reader may have closed what another waits for
            if reader is not None:
                reader(self._clock())

    def close(self) -> None:
        self._poll.close()
