"""Values become rows and come back; ports of shared leases take part in exclusivity, and only those."""

from dataclasses import fields
from datetime import UTC, datetime
from ipaddress import ip_address

import pytest

from suite.model.address import parse_range
from suite.model.changes import Changes
from suite.model.configuration import Configuration, StaticRecord
from suite.model.lease import Lease, LeaseState, Reservation
from suite.model.node import Node
from suite.model.peer import Peer
from suite.model.pool import Pool
from suite.model.service import Port, Service, ServiceRef
from suite.store import rows
from suite.store.database import time_of, time_text
from suite.store.snapshots import documents_of, touched_by

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
COFFEE = ServiceRef("default", "coffee")
PORTS = (Port(80, "TCP", "http", "8080", 30080), Port(80, "UDP"))


def lease(address="10.0.42.0", group="default/coffee"):
    return Lease(
        ip_address(address), COFFEE, "pool", LeaseState.HELD, group, NOON, id=7, uid="u", ports=PORTS,
        was_requested=True, until=NOON, note="n", revision=9,
    )  # fmt: skip


def selected(row):
    """A written row as LEASE_SELECT gives it back."""
    names = rows.LEASE_INTO.removeprefix("lease (").removesuffix(")").replace(" ", "").split(",")
    values = dict(zip(names, row, strict=True)) | {"valid_to": None, "end_reason": ""}
    return [values[name] for name in rows.LEASE_SELECT.removeprefix("SELECT ").split(" FROM ")[0].split(", ")]


@pytest.mark.parametrize("address", ["10.0.42.0", "2001:db8::1"])
def test_lease_comes_back_as_it_was_written(address):
    row = rows.lease_row(lease(address), time_text)

    assert rows.leases_of([selected(row)], lambda text: text and time_of(text)) == [lease(address)]


def test_service_document_leaves_out_what_is_default():
    assert rows.dump(Service, Service(COFFEE)) == '{"ref":["default","coffee"]}'


def test_ports_of_a_lease_that_shares_with_nobody_are_no_rows():
    assert rows.port_rows(lease()) == []


def test_ports_of_a_shared_lease_are_rows():
    found = rows.port_rows(lease(group="key/"))

    assert sorted(found) == [(b"\x04\x0a\x00\x2a\x00", "TCP", 80, 7), (b"\x04\x0a\x00\x2a\x00", "UDP", 80, 7)]


def test_configuration_is_written_without_passwords():
    configuration = Configuration(peers=(Peer("router", 64512, password="secret"),))

    assert "secret" not in rows.dump_configuration(configuration)


@pytest.mark.parametrize(
    "entry",
    [
        Reservation(ip_address("10.0.42.9"), COFFEE, "the printer"),
        Reservation(ip_address("2001:db8::"), None, "lab", "config", ip_address("2001:db8::ff")),
    ],
)
def test_reservation_comes_back_as_it_was_written(entry):
    source, _, _, key, last, last_key, namespace, name, note, _ = rows.reservation_row(entry, 1)

    assert rows.reservation_of((source, key, last, last_key, namespace, name, note)) == entry


@pytest.mark.parametrize("ttl", [None, 0, 60])
def test_record_comes_back_as_it_was_written(ttl):
    record = StaticRecord("x.lan.", "TXT", '"a b"', ttl)

    assert rows.record_of(rows.record_row(record)) == record


def test_ranges_of_ipv6_pools_have_no_numbers():
    shape = rows.pool_shape(0, Pool("p", (parse_range("2001:db8::/64"),)))

    assert shape.ranges[0][-3:] == (2.0**64, None, None)


def test_excluded_ranges_follow_the_others():
    pool = Pool("p", (parse_range("10.0.42.0/30"),), excluded=(parse_range("10.0.42.1"),))

    assert [(span[0], span[2]) for span in rows.pool_shape(0, pool).ranges] == [
        (False, "10.0.42.0"),
        (True, "10.0.42.1"),
    ]


def test_feed_names_what_a_commit_touched():
    changes = Changes(services=(Service(COFFEE),), nodes_gone=("node-a",), drained=("pool",), withheld="")

    assert touched_by(changes, [lease()]) == {
        "service": [["default", "coffee"]], "node": [["node-a"]], "lease": [7], "drained_pool": True, "meta": True,
    }  # fmt: skip


def test_changes_without_documents_touch_no_table_of_documents():
    assert list(documents_of(Changes(drained=("pool",)))) == []


def test_every_field_of_changes_is_known_to_the_store():
    """A field added to Changes needs a place in the commit, in the feed and in the snapshot that follows."""
    assert [field.name for field in fields(Changes)] == KNOWN


KNOWN = [
    "closed", "opened", "services", "services_gone", "endpoints", "endpoints_gone", "nodes", "nodes_gone",
    "namespaces", "namespaces_gone", "refusals", "refusals_gone", "reserved", "unreserved", "drained", "undrained",
    "nodes_drained", "nodes_undrained", "records", "records_gone", "configuration", "withheld", "confirmed",
    "heartbeat_keys", "tokens", "tokens_revoked", "events",
]  # fmt: skip


def test_node_document_reads_back():
    node = Node("node-a", (("role", "edge"),), (ip_address("10.0.10.1"), ip_address("2001:db8::1")), True)

    assert rows.adapter(Node).validate_json(rows.dump(Node, node)) == node


def test_document_with_a_lone_surrogate_is_written_with_a_replacement():
    odd = Service(COFFEE, labels=(("a", "x\ud800y"),), ports=(Port(80, name="\udfff"),))

    document = rows.dump(Service, odd)

    assert rows.adapter(Service).validate_json(document).labels == (("a", "x\ufffd\ufffd\ufffdy"),)
