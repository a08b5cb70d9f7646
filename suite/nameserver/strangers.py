"""Who asks for names below the canonical name of another Service: what comes and goes with that other.  Pure."""

from collections.abc import Iterable

from suite.model.service import ServiceRef


class Strangers:
    """Services by the Services, there already or not, below whose names they ask for some."""

    __slots__ = ("_above", "_below")

    def __init__(self) -> None:
        self._above: dict[ServiceRef, set[ServiceRef]] = {}
        self._below: dict[ServiceRef, set[ServiceRef]] = {}

    def note(self, ref: ServiceRef, above: set[ServiceRef]) -> None:
        """Remember below whose names a Service asks for some from now on."""
        for each in self._above.pop(ref, set()) - above:
            self._below[each].discard(ref)
            if not self._below[each]:
                del self._below[each]
        for each in above:
            self._below.setdefault(each, set()).add(ref)
        if above:
            self._above[ref] = above

    def with_dependants(self, refs: Iterable[ServiceRef]) -> set[ServiceRef]:
        """``refs`` and whoever asks for a name below one of theirs."""
        found = set(refs)
        return found.union(*(self._below.get(ref, ()) for ref in found)) if self._below else found
