"""The coffee story, told again by the real program: what people typed, and what they saw."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fix_netns import NetLab, eventually, missing_for_networks, network, require_tools

sys.path.insert(0, str(Path(__file__).parents[1] / "lab"))

from coffee_lan import LAPTOP, NODE, NODE_MAC, VIP, CoffeeLan, coffee_lan

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.net, pytest.mark.peer]


@pytest.fixture(scope="module")
def story() -> Iterator[CoffeeLan]:
    if reason := missing_for_networks():
        pytest.skip(reason)
    require_tools("arping", "arp", "nc", "nft", "nslookup", "ping")
    with network() as lab, coffee_lan(lab) as lan:
        assert eventually(lan.announces, within=30, every=0.1), lan.log
        yield lan


def test_the_first_address_of_the_pool_is_dot_zero_and_the_node_answers_for_it(story: CoffeeLan) -> None:
    assert f"from {NODE_MAC} ({VIP})" in story.ask("arping", "-c1", "-w2", "-i", "eth0", VIP)


def test_nc_connects(story: CoffeeLan) -> None:
    assert "succeeded" in story.ask("nc", "-vz", "-w", "2", VIP, "8080")


def test_ping_is_redirected_by_the_node_because_only_the_services_port_is_taken(story: CoffeeLan) -> None:
    said = story.ask("ping", "-c4", "-i0.3", "-W1", VIP)

    assert re.search(rf"From {NODE}.*Redirect Host\(New nexthop: {VIP}\)", said), said


def test_arp_shows_one_mac_for_the_node_and_the_address(story: CoffeeLan) -> None:
    story.ask("ping", "-c1", "-W2", NODE)
    story.ask("nc", "-z", "-w", "2", VIP, "8080")

    table = dict(re.findall(r"\((\S+)\) at (\S+)", story.ask("arp", "-an")))
    assert (table[NODE], table[VIP]) == (NODE_MAC, NODE_MAC)


def test_the_service_has_a_name(story: CoffeeLan) -> None:
    assert f"Address: {VIP}" in story.ask("nslookup", "coffee.default.service", NODE)


def test_a_stranger_with_the_laptops_address_is_no_business_of_ours(story: CoffeeLan) -> None:
    assert NODE_MAC not in story.node.run("arping", "-c1", "-w1", "-i", "eth0", LAPTOP).stdout


def test_the_address_of_a_deleted_service_is_not_answered_any_more(netlab: NetLab) -> None:
    require_tools("arping")
    with coffee_lan(netlab) as lan:
        assert eventually(lan.announces, within=30, every=0.1), lan.log

        (lan.folder / "manifests" / "coffee.yaml").unlink()

        assert eventually(lambda: not lan.announces(), within=30, every=0.1), lan.log
