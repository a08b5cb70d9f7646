"""The DNS server's counters and zones as metrics.  Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping

from suite.dns import name
from suite.dns.zone import Zone
from suite.metrics import names
from suite.metrics.registry import Labels, Registry
from suite.model.refusal import Refusal

_HELD_BACK = frozenset({"slipped", "dropped"})


def count_answers(registry: Registry, counts: Mapping[str, int]) -> None:
    """Take over the workers' counters, as ``Server.counts`` sums them: ``udp A NOERROR``, or ``udp dropped``.

    They are totals since the workers began; a worker that was replaced took its own along.
    """
    answered: dict[Labels, float] = {}
    held_back: dict[Labels, float] = {}
    for key, count in counts.items():
        transport, *rest = key.split(" ", 2)
        if len(rest) == 2:
            answered[transport, rest[0], rest[1]] = count
        elif rest[0] in _HELD_BACK and count:
            held_back[(rest[0],)] = held_back.get((rest[0],), 0) + count
    registry.replace(names.DNS_QUERIES, {labels: count for labels, count in answered.items() if count})
    registry.replace(names.DNS_DROPPED, held_back)


def count_refused(registry: Registry, refused: Iterable[tuple[Refusal, ...]]) -> None:
    """Names that somebody asks for and does not get, by reason."""
    counts = Counter(refusal.reason.value for each in refused for refusal in each)
    registry.replace(names.DNS_REFUSED_NAMES, {(reason,): count for reason, count in counts.items()})


def describe_zones(registry: Registry, zones: Iterable[Zone]) -> None:
    """Serial and size of each zone."""
    serials: dict[Labels, float] = {}
    sizes: dict[Labels, float] = {}
    for zone in zones:
        origin = (name.to_text(zone.origin),)
        serials[origin] = zone.serial
        sizes[origin] = zone.size
    registry.replace(names.DNS_SERIAL, serials)
    registry.replace(names.DNS_RECORDS, sizes)
