"""Where the values of metrics stand: a dictionary to touch, Prometheus' text format to read.

Values are kept here and not in ``prometheus_client``'s own objects for three reasons: adding to a counter is one
dictionary update (0.1 µs, no lock and no child object), protocol loops need not import that library, and a worker
process can hand its values to the process that is asked for them.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client.core import Metric as Family

Labels = tuple[str, ...]
"""Values of a metric's labels, in the order its declaration names them."""

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Buckets for durations, in seconds."""


class Kind(StrEnum):
    """What a metric's value means, in Prometheus' words."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """The declaration of a metric; ``names`` makes all of them."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    """Upper bounds of a histogram's buckets, rising, without the infinite one."""

    def __post_init__(self) -> None:
        if (self.kind is Kind.HISTOGRAM) != bool(self.buckets):
            raise ValueError(f"{self.name}: a histogram, and nothing else, has buckets")
        if list(self.buckets) != sorted(set(self.buckets)):
            raise ValueError(f"{self.name}: the bounds of buckets rise")


@dataclass(slots=True)
class Series:
    """What one histogram has seen under one set of labels; ``counts`` has one place more than there are bounds."""

    counts: list[int]
    total: float = 0.0


@dataclass(frozen=True, slots=True)
class Readings:
    """All values of a registry at one moment, by metric name: what a worker process hands over."""

    numbers: Mapping[str, Mapping[Labels, float]] = field(default_factory=dict)
    series: Mapping[str, Mapping[Labels, tuple[tuple[int, ...], float]]] = field(default_factory=dict)


class Registry:
    """The values of one process, and the last readings of the processes it speaks for.

    A registry is touched from one event loop and its worker threads: each update is one dictionary operation, which
    the interpreter does not divide; two threads that add to the same counter at the very same time may lose one.
    """

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = {metric.name: metric for metric in metrics}
        self._numbers: dict[str, dict[Labels, float]] = {name: {} for name in self._metrics}
        self._series: dict[str, dict[Labels, Series]] = {name: {} for name in self._metrics}
        self._others: dict[str, Readings] = {}

    def add(self, metric: Metric, *labels: str, by: float = 1.0) -> None:
        """Count ``by`` more."""
        values = self._numbers[metric.name]
        values[labels] = values.get(labels, 0.0) + by

    def set(self, metric: Metric, value: float, *labels: str) -> None:
        """The gauge stands at ``value`` now."""
        self._numbers[metric.name][labels] = value

    def replace(self, metric: Metric, values: Mapping[Labels, float]) -> None:
        """These are all values of a gauge: a pool or Service that is gone leaves no stale number behind."""
        self._numbers[metric.name] = dict(values)

    def forget(self, metric: Metric, *labels: str) -> None:
        """What these labels stand for is gone: no number is left behind."""
        self._numbers[metric.name].pop(labels, None)

    def observe(self, metric: Metric, value: float, *labels: str) -> None:
        """Put ``value`` into its bucket; a bound belongs to the bucket below it (``le`` means at most)."""
        series = self._series[metric.name].get(labels)
        if series is None:
            series = self._series[metric.name][labels] = Series([0] * (len(metric.buckets) + 1))
        series.counts[bisect_left(metric.buckets, value)] += 1
        series.total += value

    def value(self, metric: Metric, *labels: str) -> float:
        """What this process has under these labels; 0 where it was never touched."""
        return self._numbers[metric.name].get(labels, 0.0)

    def readings(self) -> Readings:
        """A copy of this process's values, fit to be pickled."""
        return Readings(
            {name: dict(values) for name, values in self._numbers.items() if values},
            {
                name: {labels: (tuple(each.counts), each.total) for labels, each in series.items()}
                for name, series in self._series.items()
                if series
            },
        )

    def absorb(self, source: str, readings: Readings | None) -> None:
        """Keep the last readings of another process; None forgets it."""
        if readings is None:
            self._others.pop(source, None)
        else:
            self._others[source] = readings

    def collect(self) -> "Iterator[Family]":
        """Every metric with its values, as ``prometheus_client`` wants them; metrics without a value are named too."""
        from prometheus_client.core import Metric as Family

        everybody = [self.readings(), *self._others.values()]
        for metric in self._metrics.values():
            family = Family(*_family_head(metric))
            if metric.kind is Kind.HISTOGRAM:
                _add_series(family, metric, everybody)
            else:
                _add_numbers(family, metric, everybody)
            yield family


def _family_head(metric: Metric) -> tuple[str, str, str]:
    """Name, help and type of a family.

    The text format writes a counter's family with ``_total`` behind it.  Some of MetalLB's counters lack that ending
    (``metallb_layer2_requests_received``); to keep their names, which dashboards know, they go out untyped.
    """
    if metric.kind is not Kind.COUNTER:
        return metric.name, metric.help, metric.kind.value
    if metric.name.endswith("_total"):
        return metric.name.removesuffix("_total"), metric.help, metric.kind.value
    return metric.name, metric.help, "unknown"


def _add_numbers(family: "Family", metric: Metric, everybody: Sequence[Readings]) -> None:
    sums: dict[Labels, float] = {}
    for readings in everybody:
        for labels, value in readings.numbers.get(metric.name, {}).items():
            sums[labels] = sums.get(labels, 0.0) + value
    for labels, value in sorted(sums.items()):
        family.add_sample(metric.name, _named(metric, labels), value)


def _add_series(family: "Family", metric: Metric, everybody: Sequence[Readings]) -> None:
    sums: dict[Labels, Series] = {}
    for readings in everybody:
        for labels, (counts, total) in readings.series.get(metric.name, {}).items():
            series = sums.setdefault(labels, Series([0] * len(counts)))
            series.counts = [a + b for a, b in zip(series.counts, counts, strict=True)]
            series.total += total
    for labels, series in sorted(sums.items()):
        named, below = _named(metric, labels), 0
        for bound, count in zip((*metric.buckets, "+Inf"), series.counts, strict=True):
            below += count
            family.add_sample(f"{metric.name}_bucket", {**named, "le": str(bound)}, below)
        family.add_sample(f"{metric.name}_count", named, below)
        family.add_sample(f"{metric.name}_sum", named, series.total)


def _named(metric: Metric, labels: Labels) -> dict[str, str]:
    return dict(zip(metric.labels, labels, strict=True))


def exposition(registry: Registry) -> bytes:
    """Every metric in Prometheus' text format 0.0.4."""
    from prometheus_client import generate_latest

    return generate_latest(registry)
