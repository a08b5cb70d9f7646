"""An answer is explained down to the row it comes from."""

from dataclasses import replace

from rpds import HashTrieMap
from zone_worlds import load_balancer, snapshot_of

from suite.dns.name import from_text
from suite.model.configuration import StaticHost, StaticRecord
from suite.model.refusal import Reason, Refusal
from suite.model.service import ServiceRef
from suite.model.snapshot import Snapshot
from suite.nameserver.why import why


def told(snapshot: Snapshot, name: str) -> list[tuple[str, str]]:
    return [(each.step, each.text) for each in why(snapshot, from_text(name))]


def test_a_leased_name_leads_to_its_lease_row() -> None:
    steps = why(
        snapshot_of(load_balancer("coffee"), leases={"coffee": "10.0.42.0"}), from_text("Coffee.default.service.")
    )

    assert [each.step for each in steps] == ["zone", "holder", "row"]
    assert steps[1].text == "service default/coffee, by its canonical name"
    assert steps[2].text.startswith(
        "lease 0: 10.0.42.0 bound to default/coffee since 2026-01-01 00:00:00Z, pool default"
    )
    assert steps[2].sql == "SELECT * FROM lease WHERE id = 0"


def test_who_lost_a_name_is_told_and_since_when_each_asked() -> None:
    early = load_balancer("early", hostnames=("www",), claimed=(("www", 4),))
    late = load_balancer("late", hostnames=("www",), claimed=(("www", 9),))
    found = told(snapshot_of(early, late), "www.service.")

    assert found[1:3] == [
        ("holder", "service default/early, granted by dns.claims, asked for since revision 4"),
        ("refused", "service default/late, granted by dns.claims, asked for since revision 9"),
    ]


def test_a_static_record_at_the_name_of_a_zone_has_it_beside_the_zone() -> None:
    found = told(snapshot_of(records=(StaticRecord("service.", "MX", "10 mail.lan."),)), "service.")

    assert found[1:] == [
        ("holder", "zone service., by its canonical name"),
        ("holder", "static record service, as an operator wrote it"),
        ("row", "dns.zones of the configuration"),
        ("row", "dns.records of the configuration"),
    ]


def test_who_asked_for_a_name_below_that_of_a_service_is_told() -> None:
    thief = load_balancer("evil/thief", hostnames=("login.coffee.default",))
    found = told(snapshot_of(load_balancer("coffee"), thief), "login.coffee.default.service.")

    whose = "login.coffee.default.service. belongs to service default/coffee, below whose name it stands"
    assert found[-1] == ("refused", f"service evil/thief: {whose}")


def test_a_name_without_an_address_leads_to_the_refusal() -> None:
    refusal = Refusal(Reason.POOL_EXHAUSTED, "pool 'default' is exhausted")
    refusals = HashTrieMap({ServiceRef("default", "coffee"): refusal})
    snapshot = replace(snapshot_of(load_balancer("coffee")), refusals=refusals)

    assert told(snapshot, "coffee.default.service.")[-1] == ("no address", "pool 'default' is exhausted")
    assert "FROM refusal" in why(snapshot, from_text("coffee.default.service."))[-2].sql


def test_an_imported_record_leads_to_its_row() -> None:
    record = StaticRecord("printer.service.", "A", "192.0.2.9", 300)
    found = why(replace(snapshot_of(), records=HashTrieMap({record: True})), from_text("printer.service."))

    assert (found[-1].text, found[-1].sql) == (
        "A 192.0.2.9",
        "SELECT * FROM static_record WHERE name = 'printer.service.'",
    )


def test_a_host_that_follows_a_service_leads_to_its_lease() -> None:
    host = StaticHost("printer", service=ServiceRef("default", "coffee"))
    found = told(
        snapshot_of(load_balancer("coffee"), leases={"coffee": "10.0.42.0"}, hosts=(host,)), "printer.service."
    )

    assert found[-2] == ("row", "dns.hosts of the configuration: printer")
    assert found[-1][1].startswith("lease 0: 10.0.42.0")


def test_names_that_are_not_there_say_how() -> None:
    snapshot = snapshot_of(load_balancer("coffee", wildcard=True))

    assert told(snapshot, "default.service.")[1][1] == "it has no records, only names below it: NODATA (RFC 8020)"
    assert told(snapshot, "x.coffee.default.service.")[1][1] == "covered by *.coffee.default.service."
    assert told(snapshot, "tea.default.service.")[1][1].endswith(
        "the nearest that exists is default.service.: NXDOMAIN"
    )
    assert told(snapshot, "example.com.") == [("zone", "example.com. is in none of the zones served here: REFUSED")]


def test_an_alias_leads_on_to_the_lease_behind_it() -> None:
    alias = StaticRecord("shop", "CNAME", "coffee.default.service.")
    snapshot = snapshot_of(load_balancer("coffee"), leases={"coffee": "10.0.42.0"}, records=(alias,))

    steps = why(snapshot, from_text("shop.service."))

    assert [each.step for each in steps] == ["zone", "holder", "row", "zone", "holder", "row"]
    assert steps[1].text == "static record shop, as an operator wrote it"
    assert steps[-1].sql == "SELECT * FROM lease WHERE id = 0"


def test_a_name_of_one_label_leads_on_to_the_lease_behind_it() -> None:
    snapshot = snapshot_of(load_balancer("coffee", hostnames=("board",)), leases={"coffee": "10.0.42.0"})

    steps = why(snapshot, from_text("board."))

    assert steps[1].text == "name of one label board, by its canonical name"
    assert (steps[-2].text, steps[-1].sql) == (
        "service default/coffee, granted by dns.claims", "SELECT * FROM lease WHERE id = 0",
    )  # fmt: skip


def test_two_aliases_that_chase_each_other_are_told_once() -> None:
    loop = (StaticRecord("a", "CNAME", "b"), StaticRecord("b", "CNAME", "a"))

    steps = why(snapshot_of(records=loop), from_text("a.service."))

    assert [each.text for each in steps if each.step == "row"] == ["dns.records of the configuration"] * 2


def test_an_alias_out_of_our_zones_ends_there() -> None:
    snapshot = snapshot_of(records=(StaticRecord("a", "CNAME", "host.example."),))

    assert told(snapshot, "a.service.")[-1] == (
        "zone", "host.example. is in none of the zones served here: the answer ends with the alias",
    )  # fmt: skip


def test_a_name_below_a_delegation_is_other_servers_business() -> None:
    snapshot = snapshot_of(records=(StaticRecord("deep", "NS", "ns.elsewhere.example."),))

    assert told(snapshot, "x.deep.service.")[1:3] == [
        ("name", "the delegation of deep.service. refers to other servers"),
        ("holder", "static record deep, as an operator wrote it"),
    ]


def test_a_name_below_a_dname_leads_on_to_the_one_it_becomes() -> None:
    moved = StaticRecord("moved", "DNAME", "default.service.")
    snapshot = snapshot_of(load_balancer("coffee"), leases={"coffee": "10.0.42.0"}, records=(moved,))

    steps = why(snapshot, from_text("coffee.moved.service."))

    assert steps[1].text == "the DNAME of moved.service. makes it coffee.default.service."
    assert steps[-1].sql == "SELECT * FROM lease WHERE id = 0"
