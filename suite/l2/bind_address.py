"""Owned addresses on a device of this machine, for hosts where nothing else accepts their packets. Needs CAP_NET_ADMIN.

Level-triggered: `hold` makes the device carry exactly the given addresses, as host routes that never become a source
address. What others put on the device stays: ours are marked (IFA_PROTO, Linux 5.18) and, on older kernels, remembered.
"""

import errno
import os
import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address

from suite.l2.rtnetlink import address_request, errors

Address = IPv4Address | IPv6Address

OWNER = 0x53
"""Our mark in IFA_PROTO; values from 4 on belong to user space (linux/if_addr.h)."""

IS_THERE = {0, errno.EEXIST}
IS_GONE = {0, errno.EADDRNOTAVAIL, errno.ENODEV}


class BindError(Exception):
    """The kernel refused; the text says which address, why, and which capability may be missing."""


class BoundAddresses:
    """The addresses that this process put on one device, given by its index (1 is lo)."""

    def __init__(self, index: int = 1) -> None:
        self._index = index
        self._sequence = 0
        self._held: frozenset[Address] = frozenset()
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._socket.bind((0, 0))
        self._socket.settimeout(5)

    @property
    def held(self) -> frozenset[Address]:
        return self._held

    def hold(self, addresses: Iterable[Address]) -> None:
        """Carry exactly these. BindError at the first refusal; what was done until then is remembered."""
        wanted = frozenset(addresses)
        for address in sorted(self._held - wanted, key=str):
            self._request(address, remove=True)
            self._held -= {address}
        for address in sorted(wanted - self._held, key=str):
            self._request(address, remove=False)
            self._held |= {address}

    def close(self) -> None:
        """Take everything away again."""
        try:
            self.hold(())
        finally:
            self._socket.close()

    def _request(self, address: Address, *, remove: bool) -> None:
        self._sequence += 1
        self._socket.send(address_request(address, self._index, self._sequence, remove=remove, owner=OWNER))
        for sequence, number in errors(self._socket.recv(65536)):
            if sequence == self._sequence and number not in (IS_GONE if remove else IS_THERE):
                verb = "taken from" if remove else "put on"
                needs = "; it needs CAP_NET_ADMIN" if number == errno.EPERM else ""
                raise BindError(f"{address} could not be {verb} device {self._index}: {os.strerror(number)}{needs}")
