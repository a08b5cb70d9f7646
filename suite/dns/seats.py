"""Who may be connected: so many in all, so many of one network, and a newcomer is not shut out by one who holds all.

A network is what one machine can have all addresses of (an IPv6 prefix; an IPv4 address alone).  Where there is no room, the
one that idles longest goes, of the network that has most (RFC 7766 section 6.2.3 lets a server end idle connections when it is
short of them), and within a network of the address that has most; who has most himself is the one that finds no room.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T")


class Seats(Generic[T]):
    """At most `most` connections, `per_network` of one network."""

    def __init__(self, most: int, per_network: int) -> None:
        self._most, self._per_network = most, per_network
        self._networks: OrderedDict[bytes, OrderedDict[T, bytes]] = OrderedDict()  # the longest idle first
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[T]:
        return (connection for seated in self._networks.values() for connection in seated)

    def admit(self, newcomer: T, network: bytes, address: bytes) -> T | None:
        """Give who must go for the newcomer: nobody, another, who holds no seat from now on, or the newcomer itself."""
        loser, crowded = None, self._crowded(network)
        if crowded is not None:
            loser = self._loser(crowded, address if crowded == network else b"")
            if loser is None:
                return newcomer
            self.leave(loser, crowded)
        self._networks.setdefault(network, OrderedDict())[newcomer] = address
        self._count += 1
        return loser

    def leave(self, connection: T, network: bytes) -> None:
        """Free a seat, if the connection holds one."""
        seated = self._networks.get(network)
        if seated is None or connection not in seated:
            return
        del seated[connection]
        self._count -= 1
        if not seated:
            del self._networks[network]

    def note(self, connection: T, network: bytes) -> None:
        """The connection was of use just now: it is the one to go last of its network, and that of those with as many."""
        seated = self._networks.get(network)
        if seated is not None and connection in seated:
            seated.move_to_end(connection)
            self._networks.move_to_end(network)

    def _crowded(self, network: bytes) -> bytes | None:
        """The network that must lose a connection for one of `network`; None while there is room."""
        mine = len(self._networks.get(network, ()))
        if mine >= self._per_network:
            return network
        if self._count < self._most:
            return None
        largest = max(self._networks, key=lambda each: len(self._networks[each]), default=network)
        return largest if len(self._networks.get(largest, ())) > mine else network

    def _loser(self, crowded: bytes, address: bytes) -> T | None:
        """Who idles longest of the address with most; None where that is `address`."""
        seated = self._networks.get(crowded, OrderedDict())
        counts = Counter(seated.values())
        most = max(counts.values(), default=0)
        if counts[address] >= most:
            return None
        return next(connection for connection, its in seated.items() if counts[its] == most)
