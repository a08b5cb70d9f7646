"""What a running suite says it answers, name by name."""

from __future__ import annotations

from zone_worlds import load_balancer, snapshot_of

from suite.model.address import parse_address
from suite.nameserver.answers import Answers
from suite.nameserver.plan import ZonePlanner


def answers() -> Answers:
    planner = ZonePlanner()
    planner.plan(snapshot_of(load_balancer("team/shop"), load_balancer("team/late"), leases={"team/shop": "10.0.42.7"}))
    return Answers(planner.zones)


def test_a_name_gives_its_addresses_in_any_letter_case():
    assert answers()["Shop.team.service."] == (parse_address("10.0.42.7"),)


def test_a_name_without_an_address_is_not_there():
    found = answers()

    assert [text in found for text in ("late.team.service.", "no.team.service.", "shop.team.example.", "a..b")] == [
        False,
        False,
        False,
        False,
    ]


def test_every_name_with_an_address_is_told():
    assert dict(answers()) == {"shop.team.service.": (parse_address("10.0.42.7"),)}
