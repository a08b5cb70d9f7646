"""Static records by the name they are written with: what one of them changes is told by those of the same name.  Pure."""

from collections.abc import Iterable, Iterator
from typing import TypeAlias

from suite.model.configuration import StaticRecord
from suite.model.persistent import PersistentMap, changed_keys
from suite.nameserver.claims import Source

Imported: TypeAlias = "PersistentMap[StaticRecord, bool]"


class Written:
    """Those of the configuration and, beside them, those that were imported."""

    __slots__ = ("_at",)

    def __init__(self, configured: Iterable[StaticRecord] = (), imported: Iterable[StaticRecord] = ()) -> None:
        self._at: dict[Source, list[StaticRecord]] = {}
        for record in (*configured, *imported):
            self._at.setdefault(source_of(record), []).append(record)

    def __iter__(self) -> Iterator[Source]:
        return iter(self._at)

    def at(self, source: Source) -> list[StaticRecord]:
        """The records of one name, in an order that does not depend on which came first."""
        found = self._at.get(source, [])
        return found if len(found) < 2 else sorted(found, key=_order)

    def follow(self, before: Imported, after: Imported) -> set[Source] | None:
        """Take over what was imported and removed; the names of it, or None where that cannot be told without a look at all."""
        changed = changed_keys(before, after)
        if changed is None:
            return None
        moved = [record for record in changed if (record in before) != (record in after)]
        for record in moved:
            source = source_of(record)
            here = self._at.setdefault(source, [])
            (here.append if record in after else here.remove)(record)
            if not here:
                del self._at[source]
        return {source_of(record) for record in moved}


def source_of(record: StaticRecord) -> Source:
    """Who asks, for the table of claims: all static records of one name together."""
    return ("record", record.name.lower().rstrip("."), "")


def _order(record: StaticRecord) -> tuple[str, str, str, int]:
    return record.name, record.type, record.value, -1 if record.ttl is None else record.ttl
