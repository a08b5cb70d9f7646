"""Metrics: what is counted is what is read, in the names that dashboards know."""

import pickle

import pytest

from suite.metrics.names import DNS_QUERIES, IN_USE, L2_REQUESTS, METRICS, REFUSALS, TURN_SECONDS, new_registry
from suite.metrics.registry import Kind, Metric, exposition


def lines_about(metric, registry):
    return [line for line in exposition(registry).decode().splitlines() if metric.name in line and line[0] != "#"]


def test_a_counter_adds_up():
    registry = new_registry()

    registry.add(DNS_QUERIES, "udp", "A", "NOERROR")
    registry.add(DNS_QUERIES, "udp", "A", "NOERROR", by=2)

    assert lines_about(DNS_QUERIES, registry) == [
        'suite_dns_queries_total{rcode="NOERROR",transport="udp",type="A"} 3.0'
    ]


def test_replacing_a_gauge_leaves_no_pool_behind_that_is_gone():
    registry = new_registry()
    registry.set(IN_USE, 4, "old")

    registry.replace(IN_USE, {("new",): 1.0})

    assert lines_about(IN_USE, registry) == ['metallb_allocator_addresses_in_use_total{pool="new"} 1.0']


def test_a_value_on_a_bound_belongs_to_the_bucket_below_it():
    registry = new_registry()

    registry.observe(TURN_SECONDS, 0.001)

    assert 'suite_controller_turn_seconds_bucket{le="0.001"} 1.0' in lines_about(TURN_SECONDS, registry)


def test_a_value_above_every_bound_counts_as_infinite():
    registry = new_registry()

    registry.observe(TURN_SECONDS, 99.0)

    assert 'suite_controller_turn_seconds_bucket{le="10.0"} 0.0' in lines_about(TURN_SECONDS, registry)
    assert 'suite_controller_turn_seconds_bucket{le="+Inf"} 1.0' in lines_about(TURN_SECONDS, registry)


def test_readings_of_worker_processes_are_summed():
    worker, registry = new_registry(), new_registry()
    worker.add(DNS_QUERIES, "udp", "A", "NXDOMAIN", by=5)
    worker.observe(TURN_SECONDS, 0.2)
    registry.add(DNS_QUERIES, "udp", "A", "NXDOMAIN")
    registry.observe(TURN_SECONDS, 0.2)

    registry.absorb("worker-1", pickle.loads(pickle.dumps(worker.readings())))

    assert lines_about(DNS_QUERIES, registry) == [
        'suite_dns_queries_total{rcode="NXDOMAIN",transport="udp",type="A"} 6.0'
    ]
    assert "suite_controller_turn_seconds_count 2.0" in lines_about(TURN_SECONDS, registry)


def test_a_worker_that_is_gone_is_forgotten():
    worker, registry = new_registry(), new_registry()
    worker.add(DNS_QUERIES, "udp", "A", "NOERROR")
    registry.absorb("worker-1", worker.readings())

    registry.absorb("worker-1", None)

    assert lines_about(DNS_QUERIES, registry) == []


def test_metallb_counters_without_the_usual_ending_keep_their_name():
    registry = new_registry()

    registry.add(L2_REQUESTS, "10.0.42.0")

    page = exposition(registry).decode()
    assert 'metallb_layer2_requests_received{ip="10.0.42.0"} 1.0' in page
    assert "metallb_layer2_requests_received_total" not in page


def test_every_metric_is_on_the_page_even_when_nothing_was_measured():
    page = exposition(new_registry()).decode()

    assert all(f"# HELP {metric.name} " in page for metric in METRICS)


def test_names_are_declared_once():
    names = [metric.name for metric in METRICS]

    assert len(set(names)) == len(names)


def test_a_wrong_number_of_labels_shows_when_the_page_is_made():
    registry = new_registry()
    registry.set(REFUSALS, 1, "PoolExhausted", "extra")

    with pytest.raises(ValueError, match="argument 2 is longer"):
        exposition(registry)


def test_only_histograms_have_buckets():
    with pytest.raises(ValueError, match="histogram"):
        Metric("some_gauge", Kind.GAUGE, "A gauge", buckets=(1.0,))


def test_the_bounds_of_buckets_rise():
    with pytest.raises(ValueError, match="the bounds of buckets rise"):
        Metric("some_histogram", Kind.HISTOGRAM, "A histogram", buckets=(2.0, 1.0))


def test_what_was_never_touched_is_nothing():
    assert new_registry().value(DNS_QUERIES, "udp", "A", "NOERROR") == 0.0
