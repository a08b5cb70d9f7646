"""No delegation, DNAME or alias takes away a name that somebody else has, and whoever asked for it hears who that is."""

from dataclasses import replace

import pytest
from rpds import HashTrieMap
from zone_worlds import load_balancer, records, snapshot_of

from suite.dns.name import from_text
from suite.dns.zonefile import read
from suite.model.address import parse_address
from suite.model.configuration import StaticHost, StaticRecord
from suite.model.event import Actor
from suite.model.refusal import Reason, Refusal
from suite.model.service import Service, ServiceRef, ServiceType
from suite.nameserver.plan import ZonePlanner
from suite.nameserver.why import why
from suite.nameserver.zone_import import imported

COFFEE = load_balancer("coffee")
LEASES = {"coffee": "10.0.42.0"}
DELEGATION = StaticRecord("default", "NS", "ns.elsewhere.example.")
DNAME = StaticRecord("default", "DNAME", "elsewhere.example.")
APEX_DNAME = StaticRecord("service.", "DNAME", "elsewhere.example.")
HIDDEN = "coffee.default.service. of service default/coffee"


def static(planner: ZonePlanner, *services: Service, **world) -> dict[str, list[str]]:
    """What static names are told under a snapshot."""
    refused = planner.plan(snapshot_of(*services, **world)).static
    return {who: [each.message for each in all_of] for who, all_of in refused.items()}


@pytest.mark.parametrize(
    ("record", "who", "message"),
    [
        (DELEGATION, "static record default", f"the delegation of default.service. would hide {HIDDEN}"),
        (DNAME, "static record default", f"the DNAME of default.service. would hide {HIDDEN}"),
        (APEX_DNAME, "static record service", f"the DNAME of service. would hide {HIDDEN}"),
    ],
    ids=["delegation", "DNAME", "DNAME of the zone"],
)
def test_a_cut_above_somebodys_name_is_left_out_and_told_who_has_it(record, who, message) -> None:
    world = {"leases": LEASES, "records": (record,)}

    assert static(ZonePlanner(), COFFEE, **world) == {who: [message]}
    assert "coffee.default.service. A 10.0.42.0" in records(snapshot_of(COFFEE, **world))
    assert not any(" DNAME " in line for line in records(snapshot_of(COFFEE, **world)))


def test_a_static_host_is_not_hidden_either() -> None:
    host = StaticHost("printer.default", (parse_address("192.0.2.9"),))

    told = static(ZonePlanner(), hosts=(host,), records=(DNAME,))

    why_not = "the DNAME of default.service. would hide printer.default.service. of static host printer.default"
    assert told == {"static record default": [why_not]}


def test_an_operator_s_own_names_below_a_delegation_are_its_glue() -> None:
    glue = StaticRecord("ns.deep", "A", "192.0.2.1")
    snapshot = snapshot_of(records=(StaticRecord("deep", "NS", "ns.deep.service."), glue))
    planner = ZonePlanner()

    assert planner.plan(snapshot).static == {}
    assert planner.zones[b"\x07service\x00"].cut_above(from_text("x.deep.service.")) is not None


def test_a_delegation_comes_into_force_when_the_last_name_below_it_goes() -> None:
    planner = ZonePlanner()
    before = snapshot_of(COFFEE, leases=LEASES, records=(DELEGATION,))
    planner.plan(before)

    after = replace(before, services=HashTrieMap(), holdings=HashTrieMap(), revision=8)
    told = planner.plan(after, [COFFEE.ref]).static

    assert told == {}
    assert planner.zones[b"\x07service\x00"].cut_above(from_text("x.default.service.")) is not None


def test_a_delegation_yields_as_soon_as_somebody_has_a_name_below_it() -> None:
    planner = ZonePlanner()
    with_coffee = snapshot_of(COFFEE, leases=LEASES, records=(DELEGATION,))
    planner.plan(replace(with_coffee, services=HashTrieMap(), holdings=HashTrieMap()))

    told = planner.plan(replace(with_coffee, revision=8), [COFFEE.ref]).static

    assert list(told) == ["static record default"]
    assert planner.zones[b"\x07service\x00"].cut_above(from_text("coffee.default.service.")) is None


def test_an_alias_written_over_a_service_s_own_name_is_told_who_has_it() -> None:
    alias = StaticRecord("coffee.default", "CNAME", "elsewhere.example.")

    told = static(ZonePlanner(), COFFEE, leases=LEASES, records=(alias,))

    assert told == {"static record coffee.default": ["coffee.default.service. belongs to service default/coffee"]}


def test_a_service_whose_wish_an_operator_s_alias_has_is_told_who_has_it() -> None:
    service = load_balancer("coffee", hostnames=("www",))
    alias = StaticRecord("www", "CNAME", "elsewhere.example.")

    refused = ZonePlanner().plan(snapshot_of(service, leases=LEASES, records=(alias,))).refused

    assert refused[service.ref] == (Refusal(Reason.NAME_TAKEN, "www.service. belongs to record www"),)


def test_an_external_name_takes_nobody_s_name() -> None:
    ref = ServiceRef("evil", "coffee")
    thief = Service(ref, type=ServiceType.EXTERNAL_NAME, external_name="evil.example", hostnames=("coffee.default",))

    assert "coffee.default.service. A 10.0.42.0" in records(snapshot_of(COFFEE, thief, leases=LEASES))


def test_an_alias_with_company_is_told_the_rule_it_breaks() -> None:
    both = (StaticRecord("x", "CNAME", "y"), StaticRecord("x", "A", "192.0.2.1"))

    told = static(ZonePlanner(), records=both)

    assert told == {"static record x": ["x.service. has a CNAME and other data (RFC 1034 section 3.6.2)"]}


def test_name_servers_written_at_the_zone_itself_are_told_whose_they_are() -> None:
    told = static(ZonePlanner(), records=(StaticRecord("service.", "NS", "ns.elsewhere.example."),))

    message = "the zone service. says its own SOA and NS, and has no CNAME at its name"
    assert told == {"static record service": [message]}


def test_a_value_that_cannot_be_read_is_told() -> None:
    told = static(ZonePlanner(), records=(StaticRecord("x", "A", "192.0.2.300"),))

    assert told["static record x"][0].startswith("x A: ")


def test_what_is_told_is_forgotten_with_the_record() -> None:
    planner = ZonePlanner()
    planner.plan(snapshot_of(COFFEE, leases=LEASES, records=(DELEGATION,)))

    assert planner.plan(snapshot_of(COFFEE, leases=LEASES)).static == {}


def test_a_question_for_the_cut_is_explained_by_what_it_would_hide() -> None:
    snapshot = snapshot_of(COFFEE, leases=LEASES, records=(DELEGATION,))

    steps = [(each.step, each.text) for each in why(snapshot, from_text("default.service."))]

    assert steps[-1] == ("left out", f"the delegation of default.service. would hide {HIDDEN}")


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("default NS ns.elsewhere.example.", f"it would hide {HIDDEN}"),
        ("default DNAME elsewhere.example.", f"it would hide {HIDDEN}"),
        ("coffee.default CNAME elsewhere.example.", "the name belongs to service default/coffee"),
        ("coffee.default A 192.0.2.1", "the name belongs to service default/coffee"),
    ],
)
def test_an_import_refuses_the_line_and_names_the_holder(line: str, fault: str) -> None:
    reading = read(line + "\nprinter A 192.0.2.9\n", from_text("service."), 300)

    found = imported(snapshot_of(COFFEE, leases=LEASES), reading, Actor("operator", "ann"))

    assert [each.rsplit(": ", 1)[1] for each in found.refused] == [fault]
    assert [record.name for record in found.changes.records] == ["printer.service."]
