"""Static hosts and records of one operator at one name: told together, and an alias alone."""

from dataclasses import replace

from rpds import HashTrieMap
from zone_worlds import records, snapshot_of

from suite.model.address import parse_address
from suite.model.configuration import StaticHost, StaticRecord
from suite.nameserver.plan import ZonePlanner

NAS = StaticHost("nas", (parse_address("192.0.2.5"),), aliases=("files",))


def test_a_host_and_records_of_other_types_are_both_served() -> None:
    text, mail = StaticRecord("nas.service.", "TXT", '"hello"'), StaticRecord("nas.service.", "MX", "10 nas.service.")

    assert records(snapshot_of(hosts=(NAS,), records=(text,))) >= {
        "nas.service. A 192.0.2.5",
        'nas.service. TXT "hello"',
    }
    imported = replace(snapshot_of(hosts=(NAS,)), records=HashTrieMap({mail: True}))
    assert records(imported) >= {"nas.service. A 192.0.2.5", "nas.service. MX 10 nas.service."}


def test_addresses_of_a_host_and_of_a_record_are_one_set() -> None:
    more = StaticRecord("nas.service.", "A", "192.0.2.6")

    assert {"nas.service. A 192.0.2.5", "nas.service. A 192.0.2.6"} <= records(
        snapshot_of(hosts=(NAS,), records=(more,))
    )


def test_a_name_of_one_label_says_what_both_say() -> None:
    text = StaticRecord("files.service.", "TXT", '"hello"')

    assert {"files. A 192.0.2.5", 'files. TXT "hello"'} <= records(snapshot_of(hosts=(NAS,), records=(text,)))


def test_an_alias_at_the_name_of_a_host_is_told_whose_it_is() -> None:
    alias = StaticRecord("nas.service.", "CNAME", "other.service.")
    told = ZonePlanner().plan(snapshot_of(hosts=(NAS,), records=(alias,))).static

    assert [each.message for each in told["static record nas.service"]] == ["nas.service. belongs to host nas"]
