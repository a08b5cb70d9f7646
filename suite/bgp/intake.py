"""What a peer sends us: counted, the last of it kept for show, and dropped."""

from collections import Counter, deque

from suite.bgp.status import ReceivedRoute
from suite.bgp.update import Update

SHOWN = 20


class Intake:
    """Counts of received prefixes, and the last few routes and faults."""

    __slots__ = ("_faults", "_routes")

    def __init__(self) -> None:
        self._routes: deque[ReceivedRoute] = deque(maxlen=SHOWN)
        self._faults: deque[str] = deque(maxlen=SHOWN)

    def take(self, update: Update, now: float) -> Counter[str]:
        """Keep the tail of one UPDATE; what it adds to the counters."""
        came = update.prefixes + (update.reach.prefixes if update.reach else ())
        went = update.withdrawn + (update.unreach.prefixes if update.unreach else ())
        self._routes.extend(ReceivedRoute(prefix, True, update.attributes, now) for prefix in went[-SHOWN:])
        self._routes.extend(ReceivedRoute(prefix, False, update.attributes, now) for prefix in came[-SHOWN:])
        self._faults.extend(f"attribute {fault.kind}: {fault.reason}" for fault in update.faults)
        return Counter(
            prefixes_received=len(came),
            prefixes_withdrawn=len(went),
            faults=len(update.faults),
            ends_of_rib=int(update.end_of_rib is not None),
        )

    @property
    def routes(self) -> tuple[ReceivedRoute, ...]:
        """The last routes, oldest first."""
        return tuple(self._routes)

    @property
    def faults(self) -> tuple[str, ...]:
        """The last faults that RFC 7606 forgave, oldest first."""
        return tuple(self._faults)
