"""Which host names lead to which Service, kept up to date as Ingresses, Gateways, routes and Services change.  Pure.

Worked out anew when somebody asks after a change: there are few of these objects, and what is the same is told to nobody.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from suite.cluster.convert import Key
from suite.cluster.hostnames import ROUTES, Asker, Gateway, leading, read_gateway, read_ingress, read_route
from suite.model.address import Address, parse_address
from suite.model.service import RoutedName, ServiceRef

KINDS = frozenset({"Ingress", "Gateway", *ROUTES})


class Routing:
    """The objects that ask for names, and the Services that have addresses."""

    def __init__(self) -> None:
        self._askers: dict[Key, Asker] = {}
        self._gateways: dict[Key, Gateway] = {}
        self._holders: dict[Address, set[ServiceRef]] = {}
        self._addresses: dict[ServiceRef, tuple[Address, ...]] = {}
        self._leading: dict[ServiceRef, tuple[RoutedName, ...]] = {}
        self._is_dirty = False

    def put(self, key: Key, item: Mapping[str, Any]) -> None:
        """An Ingress, Gateway or route is new or different."""
        if key.kind == "Gateway":
            self._gateways[key] = read_gateway(item)
        else:
            self._askers[key] = read_ingress(item) if key.kind == "Ingress" else read_route(item)
        self._is_dirty = True

    def remove(self, key: Key) -> None:
        """It is gone."""
        self._gateways.pop(key, None)
        self._askers.pop(key, None)
        self._is_dirty = True

    def keys(self, kind: str) -> list[Key]:
        """The objects of one kind."""
        return [key for key in (*self._askers, *self._gateways) if key.kind == kind]

    def serve(self, ref: ServiceRef, addresses: Iterable[str]) -> None:
        """The status of a Service says that it has these; none when it is gone."""
        now = tuple(_readable(addresses))
        before = self._addresses.get(ref, ())
        if now == before:
            return
        for address in before:
            self._holders[address].discard(ref)
        for address in now:
            self._holders.setdefault(address, set()).add(ref)
        if now:
            self._addresses[ref] = now
        else:
            del self._addresses[ref]
        self._is_dirty = True

    def names(self, ref: ServiceRef) -> tuple[RoutedName, ...]:
        """The host names that lead to a Service, as of the last :meth:`changes`."""
        return self._leading.get(ref, ())

    def changes(self) -> set[ServiceRef]:
        """The Services whose names differ from those of the last time."""
        if not self._is_dirty:
            return set()
        self._is_dirty, before = False, self._leading
        gateways = {ServiceRef(key.namespace, key.name): gateway for key, gateway in self._gateways.items()}
        self._leading = leading(self._askers.values(), gateways, self._holder)
        return {ref for ref in before.keys() | self._leading if before.get(ref) != self._leading.get(ref)}

    def _holder(self, address: Address) -> ServiceRef | None:
        """Of Services that share an address any will do: they have the same one."""
        return min(self._holders.get(address, ()), default=None)


def _readable(texts: Iterable[str]) -> Iterator[Address]:
    for text in texts:
        try:
            yield parse_address(text)
        except ValueError:
            continue  # a name, or nothing
