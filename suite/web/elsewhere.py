"""What other processes told of announcing and answering, for whoever explains a Service and has no such role of its own."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace

from suite.model.address import Address
from suite.model.announcement import Announcement
from suite.model.explain import Live
from suite.model.lease import Lease
from suite.model.snapshot import Snapshot
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


def nameservers_at(snapshot: Snapshot, fellows: Iterable[Fellow]) -> tuple[str, ...]:
    """Nodes with a nameserver among ``fellows`` that lives, is ready and acts on ``snapshot`` or what came after it."""
    told = [each.instance for each in fellows if each.instance.role == "nameserver" and each.gone is None]
    current = [each for each in told if each.is_ready and each.epoch == snapshot.epoch]
    return tuple(sorted({each.node for each in current if each.revision >= snapshot.revision}))


def live_of(backend: Backend, leases: Sequence[Lease]) -> Live | None:
    """What this process knows of the addresses of ``leases``, and what the others told as far as the database can be read."""
    live, fellows = backend.live(), backend.status().fellows
    if live is None or backend.store is None or not fellows:
        return live
    live = replace(live, nameservers=nameservers_at(backend.snapshot(), fellows))
    with suppress(StoreError):
        return replace(live, told=told_by_others(backend.store, fellows, leases))
    return live


def _how(announcement: Announcement) -> str:
    return f"{announcement.mode}, {announcement.interface or announcement.peer}"
