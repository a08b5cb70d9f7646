"""The UDP sockets of the heartbeats: bytes out to nodes, bytes in from anybody. Who may be believed is `membership`'s business.

Nothing here can be made to wait or to grow: reads are bounded per turn, and what a full queue drops the next heartbeat repeats.
"""

import socket
from collections.abc import Iterable, Mapping
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address

Address = IPv4Address | IPv6Address

PORT = 7947
"""Next to memberlist's 7946, which the nodes of a MetalLB fleet have open."""

PORTION = 256
"""Datagrams read before other work gets its turn."""

LARGEST = 2048


class HeartbeatLink:
    """One socket for each IP version that this machine speaks."""

    def __init__(self, port: int = PORT) -> None:
        self.port = port
        self.unsent = 0
        self._sockets = [opened for family in (socket.AF_INET, socket.AF_INET6) if (opened := _open(family, port))]
        if not self._sockets:
            raise OSError(f"no heartbeats: UDP port {port} could not be opened for IPv4 or IPv6")
        self._nodes: dict[str, tuple[Address, ...]] = {}

    def filenos(self) -> list[int]:
        """For a selector: readable when `receive` has something."""
        return [opened.fileno() for opened in self._sockets]

    def know(self, nodes: Mapping[str, Iterable[Address]]) -> None:
        """Where each node of the fleet is reached; several addresses are several paths."""
        self._nodes = {name: tuple(addresses) for name, addresses in nodes.items()}

    def send(self, name: str, datagram: bytes) -> None:
        """Send on every path; the receiver counts the copies as one."""
        for address in self._nodes.get(name, ()):
            for opened in self._sockets:
                if (opened.family == socket.AF_INET) == (address.version == 4):
                    self._send(opened, datagram, str(address))

    def receive(self) -> list[bytes]:
        """What arrived, a portion at most; never waits."""
        arrived: list[bytes] = []
        for opened in self._sockets:
            # ICMP errors of earlier sends surface here as well; liveness notices by itself.
            with suppress(OSError):
                while len(arrived) < PORTION:
                    arrived.append(opened.recv(LARGEST))
        return arrived

    def close(self) -> None:
        for opened in self._sockets:
            opened.close()

    def _send(self, opened: socket.socket, datagram: bytes, address: str) -> None:
        try:
            opened.sendto(datagram, (address, self.port))
        except OSError:
            self.unsent += 1


def _open(family: int, port: int) -> socket.socket | None:
    try:
        opened = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    except OSError:
        return None
    try:
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind(("", port))
    except OSError:
        opened.close()
        return None
    return opened
