"""Interfaces appear, vanish, go down, change their MAC, are enslaved: heard from the kernel, never polled. Sockets.

`Interfaces` is one AF_NETLINK socket with an `InterfaceTable` behind it. When the kernel drops notifications because
nobody read them in time (ENOBUFS), the whole table is read anew and compared with the old one.
"""

import errno
import socket
from collections.abc import Mapping

from suite.l2.rtnetlink import GET_ADDRESS, GET_LINK, GROUPS, Change, Interface, InterfaceTable, dump_request, is_done

LARGEST_DATAGRAM = 65536
RECEIVE_BUFFER = 1 << 20
PATIENCE = 5.0
"""Seconds that the kernel may take to answer a dump; it answers in less than a millisecond."""


class Interfaces:
    """The interfaces of this network namespace, current as of the last `changes()`."""

    def __init__(self) -> None:
        self._table = InterfaceTable()
        self._socket = _open(GROUPS)
        self._table = _read_all()

    def fileno(self) -> int:
        """For a selector: readable when `changes()` has something to say."""
        return self._socket.fileno()

    def by_name(self) -> Mapping[str, Interface]:
        return self._table.by_name()

    def changes(self) -> list[Change]:
        """What happened since the last call; empty when nothing did. Never waits."""
        changes: list[Change] = []
        while True:
            try:
                datagram = self._socket.recv(LARGEST_DATAGRAM)
            except BlockingIOError:
                return changes
            except OSError as fault:
                if fault.errno != errno.ENOBUFS:
                    raise
                changes += self._start_over()
            else:
                changes += self._table.feed(datagram)

    def close(self) -> None:
        self._socket.close()

    def _start_over(self) -> list[Change]:
        before, self._table = self._table.interfaces, _read_all()
        after = self._table.interfaces
        return [
            Change(before.get(index), after.get(index))
            for index in sorted(before.keys() | after.keys())
            if before.get(index) != after.get(index)
        ]


def _read_all() -> InterfaceTable:
    table = InterfaceTable()
    with _open(0) as asking:
        asking.settimeout(PATIENCE)
        for sequence, kind in enumerate((GET_LINK, GET_ADDRESS), start=1):
            asking.send(dump_request(kind, sequence))
            while True:
                datagram = asking.recv(LARGEST_DATAGRAM)
                table.feed(datagram)
                if is_done(datagram):
                    break
    return table


def _open(groups: int) -> socket.socket:
    opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    opened.bind((0, groups))
    return opened
