"""Whoever carries our zones on stops in time: what may be out of date is not handed on, and expire fits the cooling time."""

import pytest
from zone_worlds import load_balancer, snapshot_of

from suite.dns import rrtype
from suite.dns.answer import ask
from suite.dns.catalogue import Zones
from suite.dns.name import from_text
from suite.model.configuration import Configuration, DnsSettings
from suite.nameserver.apex import cooling_needed
from suite.nameserver.plan import ZonePlanner

SERVICE = from_text("service.")


def zones(**dns: object) -> Zones:
    planner = ZonePlanner()
    planner.plan(snapshot_of(load_balancer("coffee"), leases={"coffee": "10.0.42.0"}, **dns))
    return Zones.of(planner.zones.values(), stale=True)


def test_past_the_stale_limit_a_secondary_hears_no_serial() -> None:
    assert ask(zones(transfer_acl=("key:transfer",)), SERVICE, rrtype.SOA).rcode == rrtype.SERVFAIL


def test_without_secondaries_the_zone_itself_is_never_out_of_date() -> None:
    assert ask(zones(), SERVICE, rrtype.SOA).rcode == rrtype.NOERROR


def test_names_that_do_not_exist_are_denied_whatever_the_age() -> None:
    assert ask(zones(transfer_acl=("key:transfer",)), from_text("tea.default.service."), 1).rcode == rrtype.NXDOMAIN


@pytest.mark.parametrize(
    ("acl", "cooling", "needed"),
    [((), 660, 0), (("10.0.0.0/8",), 660, 715), (("10.0.0.0/8",), 715, 0), (("10.0.0.0/8",), 0, 0)],
    ids=["nobody-transfers", "the-default", "enough", "no-promise"],
)
def test_a_cooling_time_too_short_for_secondaries_is_told(acl: tuple[str, ...], cooling: float, needed: int) -> None:
    configuration = Configuration(cooling_time=cooling, dns=DnsSettings(transfer_acl=acl))

    assert cooling_needed(configuration) == needed
