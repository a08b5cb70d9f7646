"""Which names Services ask for and do not get, for a controller that says so to a cluster.

Where a nameserver runs in the same process, it knows.  Elsewhere the plan of names is made here too, of the Services that
can be refused a name at all, and of whoever may stand in their way: a Service that asks for nothing but its own name
always has it, so a hundred thousand of those cost one look each, once.  The plan is the nameserver's own
(``plan.ZonePlanner``), so both come to the same (a property test proves it); reverse zones are left out, as nobody is
refused a name there.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import TypeAlias

from rpds import HashTrieMap

from suite.dns import name
from suite.dns.name import DomainNameError
from suite.model.configuration import Configuration
from suite.model.persistent import glances
from suite.model.publication import Publication
from suite.model.refusal import Refusal
from suite.model.service import Service, ServiceRef, ServiceType
from suite.model.snapshot import Snapshot
from suite.nameserver.plan import ZonePlanner
from suite.nameserver.records import is_published

Refused: TypeAlias = Mapping[ServiceRef, tuple[Refusal, ...]]


class RefusedNames:
    """``served`` gives what a nameserver of this process found; None where there is none, and it is planned here."""

    def __init__(self, served: Callable[[], Refused | None]) -> None:
        self._served = served
        self._asking = Asking()
        self._planned: Refused = {}

    @property
    def refused(self) -> Refused:
        """What was found last."""
        served = self._served()
        return self._planned if served is None else served

    async def follow(self, publication: Publication) -> Refused:
        """What is refused now; one publication after the other."""
        if self._served() is None:
            self._planned = await asyncio.to_thread(self._asking.follow, publication.snapshot, publication.touched)
        return self.refused


class Asking:
    """The Services that ask for more than their own names, and those whose own names they may ask for."""

    def __init__(self) -> None:
        self._snapshot = Snapshot()
        self._configuration = Configuration()
        self._inner: tuple[str, ...] = ()
        """Zones that lie below others: a name in one of these may be a Service's own in another."""
        self._planner: ZonePlanner | None = None
        self._services: HashTrieMap[ServiceRef, Service] = HashTrieMap()
        self._asks: dict[ServiceRef, frozenset[ServiceRef]] = {}
        """By who asks for names: the Services, there or not, whose own names these might be, or stand below."""
        self._asked: dict[ServiceRef, set[ServiceRef]] = {}
        """The same the other way round."""
        self._refused: Refused = {}

    def follow(self, snapshot: Snapshot, touched: Iterable[ServiceRef] | None = None) -> Refused:
        """What ``snapshot`` refuses; ``touched`` names the Services that differ from the last one, None for any."""
        before, self._snapshot = self._snapshot, snapshot
        is_anew = touched is None or snapshot.epoch != before.epoch
        inner = self._inner
        if snapshot.configuration is not before.configuration:
            self._inner = _inner_of(snapshot.configuration)
        is_anew = is_anew or inner != self._inner
        if touched is None or is_anew:
            is_same = snapshot.services is before.services and inner == self._inner
            looked_at = set() if is_same else self._look_at_all()
        else:
            looked_at = self._look_at(ref for ref in touched if self._matters(ref))
        if snapshot.configuration is not before.configuration:
            dns = replace(snapshot.configuration.dns, reverse=False)
            self._configuration = replace(snapshot.configuration, dns=dns)
        is_as_before = not looked_at and snapshot.records is before.records
        is_as_before = is_as_before and snapshot.configuration is before.configuration
        if is_anew and snapshot.holdings is not before.holdings:
            is_as_before = False
        if not self._asks:
            self._planner, self._refused = None, {}
        elif not is_as_before or self._planner is None:
            self._refused = self._plan(None if is_anew else looked_at)
        return self._refused

    def _plan(self, touched: Iterable[ServiceRef] | None) -> Refused:
        if self._planner is None:
            self._planner, touched = ZonePlanner(), None
        part = replace(self._snapshot, services=self._services, configuration=self._configuration)
        return self._planner.plan(part, touched).refused

    def _matters(self, ref: ServiceRef) -> bool:
        """Whether a change of this Service may refuse somebody a name, or give one back."""
        if ref in self._asks or ref in self._asked:
            return True
        service = self._snapshot.services.get(ref)
        return service is not None and may_be_refused(service)

    def _look_at_all(self) -> set[ServiceRef]:
        """Begin anew with the Services there are; nodes that come and go change none."""
        self._asks, self._asked, self._services = {}, {}, HashTrieMap()
        found = glances(self._snapshot.services)
        return self._look_at([ref for ref, seen in found if isinstance(seen, Service) and may_be_refused(seen)])

    def _look_at(self, refs: Iterable[ServiceRef]) -> set[ServiceRef]:
        """Note what these ask for now; whose claims may differ by it."""
        looked_at: set[ServiceRef] = set()
        for ref in refs:
            service = self._snapshot.services.get(ref)
            wanted = named_by(service, self._inner) if service is not None and may_be_refused(service) else None
            looked_at |= {ref, *(self._asks.get(ref, frozenset()) ^ (wanted or frozenset()))}
            self._note(ref, wanted)
        for ref in looked_at:
            service = self._snapshot.services.get(ref) if ref in self._asks or ref in self._asked else None
            services = self._services
            self._services = services.discard(ref) if service is None else services.insert(ref, service)
        return looked_at

    def _note(self, ref: ServiceRef, wanted: frozenset[ServiceRef] | None) -> None:
        """``ref`` asks for names of these from now on; None where it asks for nothing."""
        for each in self._asks.pop(ref, frozenset()):
            self._asked[each].discard(ref)
            if not self._asked[each]:
                del self._asked[each]
        if wanted is not None:
            self._asks[ref] = wanted
            for each in wanted:
                self._asked.setdefault(each, set()).add(ref)


def may_be_refused(service: Service) -> bool:
    """Whether a Service asks for a name that it may not get; its own it always has, if it makes one."""
    return is_published(service) and (bool(service.wished_names) or service.type is ServiceType.EXTERNAL_NAME)


def named_by(service: Service, inner: Iterable[str] = ()) -> frozenset[ServiceRef]:
    """The Services, whether there are any or not, whose own names stand in the names that this one asks for.

    In whichever zone: any two labels side by side may be a Service's and its namespace's, with those of the zones ``inner``
    of others.
    """
    wished = [text.rstrip(".") for text in service.wished_names]
    found: set[ServiceRef] = set()
    for text in (*wished, *(f"{text}.{zone}" for text in wished for zone in inner)):
        try:
            labels = [each.decode(errors="replace") for each in name.labels(name.from_text(f"{text}.").lower())]
        except DomainNameError:
            continue
        found.update(ServiceRef(second, first) for first, second in pairwise(labels))
    return frozenset(found)


def _inner_of(configuration: Configuration) -> tuple[str, ...]:
    """The zones that lie below others of the configuration, without a dot at the end."""
    zones = dict.fromkeys((*configuration.dns.zones, *(pool.zone for pool in configuration.pools if pool.zone)))
    texts = [text.rstrip(".").lower() for text in zones]
    return tuple(inner for inner in texts if any(inner.endswith(f".{outer}") for outer in texts))
