"""The networks of this machine's interfaces, followed as they come and go: clients there are no strangers to the rate limit.

The kernel tells of changes on a netlink socket that stays open, so a look at an unchanged machine costs one read of nothing.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Protocol

from suite.model.address import Network

if TYPE_CHECKING:
    from suite.l2.rtnetlink import Interface

_log = logging.getLogger(__name__)


class _Interfaces(Protocol):
    def by_name(self) -> "Mapping[str, Interface]": ...
    def changes(self) -> Sequence[object]: ...
    def close(self) -> None: ...


def _open() -> _Interfaces:
    from suite.l2.netlink import Interfaces  # takes long to import, and DNS answers already

    return Interfaces()


class OwnNetworks:
    """What the interfaces had when they were last read.  ``open_`` begins to listen to the kernel; it may raise OSError."""

    def __init__(self, open_: Callable[[], _Interfaces] = _open) -> None:
        self._open = open_
        self._interfaces: _Interfaces | None = None
        self._networks: tuple[Network, ...] = ()
        self._trouble = ""

    def is_outdated(self) -> bool:
        """Whether a look may find others than the last one did; from the first time on the kernel is listened to."""
        try:
            if self._interfaces is None:
                self._interfaces = self._open()
                return True
            return bool(self._interfaces.changes())
        except OSError:
            self.close()
            return True

    def read(self) -> tuple[Network, ...]:
        """The networks now; those known last where they cannot be read, which is logged once."""
        try:
            self._networks = self._read()
        except OSError as error:
            known = "private ones and those known before" if self._networks else "private ones"
            if str(error) != self._trouble:
                _log.warning("the own networks cannot be read, the rate limit spares %s only: %s", known, error)
            self._trouble = str(error)
        else:
            self._trouble = ""
        return self._networks

    def _read(self) -> tuple[Network, ...]:
        if self._interfaces is not None:
            return _networks(self._interfaces)
        with closing(self._open()) as interfaces:
            return _networks(interfaces)

    def close(self) -> None:
        """Listen no longer."""
        if self._interfaces is not None:
            self._interfaces.close()
            self._interfaces = None


def _networks(interfaces: _Interfaces) -> tuple[Network, ...]:
    found = {address.network for each in interfaces.by_name().values() for address in each.addresses}
    return tuple(sorted(found, key=lambda each: (each.version, each.network_address.packed, each.prefixlen)))
