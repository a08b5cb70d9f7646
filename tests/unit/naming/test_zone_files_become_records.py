"""Zone files become static records; every line that cannot is named with its reason."""

from dataclasses import replace
from ipaddress import ip_address

import pytest
from rpds import HashTrieMap
from zone_worlds import load_balancer, snapshot_of

from suite.dns.name import from_text
from suite.dns.zonefile import read
from suite.model.configuration import DnsSettings, StaticHost, StaticRecord
from suite.model.event import Action, Actor
from suite.model.snapshot import Snapshot
from suite.nameserver.plan import ZonePlanner
from suite.nameserver.zone_import import Import, imported, removed

SERVICE = from_text("service.")
WHO = Actor("operator", "ann")
PRINTER = StaticRecord("printer.service.", "A", "192.0.2.9", 300)


def taken(text: str, snapshot: Snapshot | None = None) -> Import:
    return imported(snapshot or snapshot_of(), read(text, SERVICE, 300), WHO, "moved from BIND")


def test_records_of_any_type_are_taken_with_their_ttl() -> None:
    found = taken("printer A 192.0.2.9\n@ 60 MX 10 mail\nx TYPE65280 \\# 2 0a00\n")

    assert found.refused == ()
    assert found.changes.records == (
        PRINTER,
        StaticRecord("service.", "MX", "10 mail.service.", 60),
        StaticRecord("x.service.", "TYPE65280", "\\# 2 0a00", 300),
    )


def test_who_imported_what_and_why_is_in_the_log() -> None:
    (event,) = taken("printer A 192.0.2.9\n").changes.events

    assert (event.action, event.actor, event.reason) == (Action.NAME_ADDED, WHO, "moved from BIND")
    assert event.after == '{"name":"printer.service.","ttl":300,"type":"A","value":"192.0.2.9"}'


def test_what_is_there_already_is_counted_and_not_written_again() -> None:
    snapshot = replace(snapshot_of(), records=HashTrieMap({PRINTER: True}))
    found = taken("printer A 192.0.2.9\nlp CNAME printer\n", snapshot)

    assert (found.known, [record.name for record in found.changes.records]) == (1, ["lp.service."])


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("x A 192.0.2.300\n", "line 1: x A 192.0.2.300: "),
        ("@ SOA ns host 1 2 3 4 5\n", "the suite makes the SOA record of its zones itself"),
        ("@ NS ns\n", "the suite makes the NS record of its zones itself"),
        ("@ DNAME elsewhere.\n", "the name of a zone has no DNAME"),
        ("x SOA ns host 1 2 3 4 5\n", "a SOA record stands at the name of a zone only"),
        ("x A 10.0.42.7\n", "the address belongs to pool default and may be leased to anybody"),
        ("x A 192.0.2.1\nx CNAME y\n", "a name with a CNAME has no other records"),
        ("x CNAME y\nx CNAME z\n", "a name has one CNAME"),
    ],
)
def test_a_refused_record_is_named_with_its_reason(text: str, fault: str) -> None:
    (refused,) = taken(text).refused

    assert fault in refused


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("@ NS ns.lan.\n", "the suite makes the NS record of its zones itself"),
        ("0 PTR gateway.lan.\n", "the name belongs to service default/coffee"),
        ("1.43.0.10.in-addr.arpa. PTR gateway.lan.\n", "1.43.0.10.in-addr.arpa. is not in zone 42.0.10.in-addr.arpa."),
    ],
)
def test_a_refused_pointer_is_named_with_its_reason(text: str, fault: str) -> None:
    snapshot = snapshot_of(load_balancer("coffee"), leases={"coffee": "10.0.42.0"})
    (refused,) = imported(snapshot, read(text, from_text("42.0.10.in-addr.arpa."), 300), WHO).refused

    assert fault in refused


def test_a_pointer_of_an_address_of_no_pool_is_refused() -> None:
    found = imported(snapshot_of(), read("1 300 PTR gateway.lan.\n", from_text("43.0.10.in-addr.arpa.")), WHO)

    why = "its name lies in none of dns.zones and in the reverse zone of no pool"
    assert found.refused == (f"line 1: 1.43.0.10.in-addr.arpa. 300 PTR gateway.lan.: {why}",)


def test_pointers_of_a_pool_that_nobody_leases_are_taken() -> None:
    text = "1.42.0.10.in-addr.arpa. PTR gateway.lan.\n"
    found = imported(snapshot_of(), read(text, from_text("42.0.10.in-addr.arpa."), 300), WHO)

    assert found.refused == ()
    assert found.changes.records == (StaticRecord("1.42.0.10.in-addr.arpa.", "PTR", "gateway.lan.", 300),)


def test_names_outside_our_zones_are_refused() -> None:
    found = imported(snapshot_of(), read("www A 192.0.2.1\n", from_text("example.com.")), WHO)

    assert found.refused == ("line 1: www.example.com. 3600 A 192.0.2.1: its name lies in none of dns.zones",)


def test_a_cname_that_was_imported_before_keeps_others_off_its_name() -> None:
    alias = StaticRecord("lp.service.", "CNAME", "printer.service.", 300)
    snapshot = replace(snapshot_of(), records=HashTrieMap({alias: True}))

    assert taken("lp CNAME printer\n", snapshot).refused == ()
    assert len(taken("lp A 192.0.2.1\n", snapshot).refused) == 1


def test_a_name_is_taken_out_again_whole_or_by_type() -> None:
    text = StaticRecord("printer.service.", "TXT", '"2nd floor"', 300)
    snapshot = replace(snapshot_of(), records=HashTrieMap({PRINTER: True, text: True}))

    assert removed(snapshot, from_text("Printer.service."), 1, WHO).records_gone == (PRINTER,)
    assert set(removed(snapshot, from_text("printer.service."), None, WHO).records_gone) == {PRINTER, text}
    assert not removed(snapshot, from_text("nobody.service."), None, WHO)


def test_a_record_at_the_name_of_a_zone_stands_beside_what_the_zone_needs() -> None:
    mail = StaticRecord("service.", "MX", "10 mail.service.", 60)
    planner = ZonePlanner()
    planner.plan(replace(snapshot_of(load_balancer("coffee")), records=HashTrieMap({mail: True})))

    assert {rrset.rtype for rrset in planner.zones[SERVICE].get(SERVICE).rrsets} == {2, 6, 15}


def test_a_refusal_by_rule_names_its_line_and_all_come_in_their_order() -> None:
    found = taken("x A 192.0.2.1\nx CNAME y\nz A 192.0.2\nw SOA ns host 1 2 3 4 5\n")

    assert [text.partition(":")[0] for text in found.refused] == ["line 2", "line 3", "line 4"]


def test_importing_again_replaces_the_ttl_of_the_whole_set() -> None:
    other = StaticRecord("printer.service.", "A", "192.0.2.10", 300)
    snapshot = replace(snapshot_of(), records=HashTrieMap({PRINTER: True, other: True}))
    found = taken("printer 600 A 192.0.2.9\n", snapshot)

    assert (found.known, found.renewed, len(found.kept)) == (0, 1, 1)
    assert set(found.changes.records_gone) == {PRINTER, other}
    assert set(found.changes.records) == {replace(PRINTER, ttl=600), replace(other, ttl=600)}
    assert '"ttl":300' in found.changes.events[0].before
    assert '"ttl":600' in found.changes.events[0].after


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("delg NS ns.delg\nns.delg A 192.0.2.1\ndeeper.delg TXT hidden\n", 'line 3: deeper.delg.service. 300 TXT "hidden": the delegation of delg'),
        ("deeper.delg MX 10 mail\ndelg NS ns\n", "line 1: deeper.delg.service. 300 MX 10 mail.service.: the delegation of delg"),
        ("delg NS ns\ndelg TXT hidden\n", 'line 2: delg.service. 300 TXT "hidden": the delegation of delg'),
        ("delg NS ns\nother.delg A 192.0.2.1\n", "line 2: other.delg.service. 300 A 192.0.2.1: the delegation of delg"),
        ("dn DNAME elsewhere.\na.dn A 192.0.2.1\n", "line 2: a.dn.service. 300 A 192.0.2.1: the DNAME of dn"),
        ("*.dele NS ns\n", "a wildcard delegates nothing"),
    ],
)  # fmt: skip
def test_what_a_delegation_hides_is_refused(text: str, fault: str) -> None:
    (refused,) = taken(text).refused

    assert fault in refused


def test_addresses_of_the_servers_of_a_delegation_are_taken() -> None:
    found = taken("ns.delg A 192.0.2.1\nns.delg AAAA 2001:db8::1\ndelg NS ns.delg\ndelg DS 1 13 2 " + "00" * 32)

    assert (found.refused, len(found.changes.records)) == ((), 4)


def test_a_delegation_that_would_hide_what_is_there_is_refused() -> None:
    below = StaticRecord("a.printer.service.", "TXT", '"x"', 300)
    snapshot = replace(snapshot_of(), records=HashTrieMap({below: True}))

    (refused,) = taken("printer NS ns\n", snapshot).refused
    assert refused.endswith("it would hide a.printer.service. TXT")


def test_the_configuration_keeps_an_alias_off_its_names() -> None:
    dns = DnsSettings(hosts=(StaticHost("nas.service.", (ip_address("192.0.2.5"),)),))
    snapshot = snapshot_of()
    snapshot = replace(snapshot, configuration=replace(snapshot.configuration, dns=dns))
    found = taken("nas CNAME printer\nnas TXT hello\n", snapshot)

    (refused,) = found.refused
    assert refused.endswith("static host nas.service. has nas.service.")
    assert [record.type for record in found.changes.records] == ["TXT"]


def test_a_set_that_fits_into_no_answer_is_refused_also_beside_what_is_there() -> None:
    text = " ".join(["x" * 250] * 150)
    there = StaticRecord("full.service.", "TXT", text, 300)
    snapshot = replace(snapshot_of(), records=HashTrieMap({there: True}))

    (refused,) = taken(f"full TXT {text} more\nsmall TXT x\n", snapshot).refused
    assert refused.endswith(": 75329 octets of TXT records at one name; an answer has room for 64000")
