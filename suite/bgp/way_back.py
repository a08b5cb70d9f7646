"""Asking an address whether the way back from it is the way there: one TCP connection, nothing is said on it.

A client beside the nodes sends to the router, and the node it is led to answers the client directly. A stateful firewall on the
router sees one direction only: it lets the first packet pass, and drops the rest as belonging to no connection. The client has
a connection that nothing gets through. TCP keepalives (RFC 9293 section 3.8.4) tell that from one that works, without a word to
the service.
"""

import contextlib
import errno
import select
import socket
import struct
from enum import StrEnum

from suite.bgp.prefix import Address

CONNECT_PATIENCE = 4.0
"""Seconds; the first SYN and two more."""
KEEPALIVE, MISSES = 1, 2
"""Seconds to the first probe and between two; so many unanswered ones end the connection."""
WATCHED = KEEPALIVE * (MISSES + 1) + 0.5


class WayBack(StrEnum):
    """What became of the connection."""

    OPEN = "answers"
    REFUSED = "refuses"
    """Nothing listens, but packets come back."""
    ONE_SIDED = "answers the first packet only"
    SILENT = "does not answer"
    UNREACHABLE = "cannot be reached"


def ask(address: Address, port: int) -> WayBack:
    """Connect, wait for keepalives, and close; takes up to 7.5 seconds."""
    with socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6, socket.SOCK_STREAM) as asking:
        asking.settimeout(CONNECT_PATIENCE)
        asking.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        asking.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE)
        asking.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE)
        asking.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, MISSES)
        try:
            asking.connect((str(address), port))
        except ConnectionRefusedError:
            return WayBack.REFUSED
        except TimeoutError:
            return WayBack.SILENT
        except OSError:
            return WayBack.UNREACHABLE
        return _watch(asking)


def _watch(asking: socket.socket) -> WayBack:
    """Whether the probes come back: until the kernel gives up, or so long that it would have."""
    poll = select.poll()
    poll.register(asking, select.POLLIN)
    if not poll.poll(WATCHED * 1000):
        return WayBack.OPEN
    if asking.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ETIMEDOUT:
        return WayBack.ONE_SIDED
    with contextlib.suppress(OSError):  # the service has spoken, closed or reset first: its packets come through
        asking.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return WayBack.OPEN
