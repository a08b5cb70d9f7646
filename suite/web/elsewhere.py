"""What other processes told the database of announcing, for whoever explains a Service and has no speaker of its own."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace

from suite.model.address import Address
from suite.model.announcement import Announcement
from suite.model.explain import Live
from suite.model.lease import Lease
from suite.model.status import Fellow
from suite.store.errors import StoreError
from suite.store.store import Store
from suite.web.backend import Backend


def told_by_others(store: Store, fellows: Iterable[Fellow], leases: Iterable[Lease]) -> dict[Address, tuple[str, ...]]:
    """Where the addresses of ``leases`` are announced from by the speakers among ``fellows`` that live.

    Raises:
        StoreError: the database cannot be read.
    """
    living = {each.instance.node for each in fellows if each.instance.role == "speaker" and each.gone is None}
    if not living:
        return {}
    found = {lease.address: store.announced(lease.address) for lease in leases}
    return {
        address: tuple(f"{each.node} ({_how(each)})" for each, _ in rows if each.node in living)
        for address, rows in found.items()
    }


def live_of(backend: Backend, leases: Sequence[Lease]) -> Live | None:
    """What this process knows of the addresses of ``leases``, and what the others told as far as the database can be read."""
    live, fellows = backend.live(), backend.status().fellows
    if live is None or backend.store is None or not fellows:
        return live
    with suppress(StoreError):
        return replace(live, told=told_by_others(backend.store, fellows, leases))
    return live


def _how(announcement: Announcement) -> str:
    return f"{announcement.mode}, {announcement.interface or announcement.peer}"
