"""The coffee story, told again by the real program: what people typed, and what they saw."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from coffee_network import CLIENT, mac_of
from fix_netns import eventually, missing_for_networks, network, require_tools

sys.path.insert(0, str(Path(__file__).parents[1] / "lab"))

from coffee_lan import NODE, NODE_MAC, OWNER, VIP, ask, coffee_lan, is_announced

if TYPE_CHECKING:
    from collections.abc import Iterator

    from l2_lan import ProgramLan

pytestmark = [pytest.mark.net, pytest.mark.peer]


@pytest.fixture(scope="module")
def story() -> Iterator[ProgramLan]:
    if reason := missing_for_networks():
        pytest.skip(reason)
    require_tools("arping", "arp", "nc", "nft", "nslookup", "ping")
    with network() as lab, coffee_lan(lab) as lan:
        assert eventually(lambda: is_announced(lan) and lan.all_ready(), within=40, every=0.1), lan.log()
        yield lan


def test_the_first_address_of_the_pool_is_dot_zero_and_the_node_answers_for_it(story: ProgramLan) -> None:
    assert f"from {NODE_MAC} ({VIP})" in ask(story, "arping", "-c1", "-w2", "-i", "eth0", VIP)


def test_nc_connects(story: ProgramLan) -> None:
    assert "succeeded" in ask(story, "nc", "-vz", "-w", "2", VIP, "8080")


def test_ping_is_redirected_by_the_node_because_only_the_services_port_is_taken(story: ProgramLan) -> None:
    said = ask(story, "ping", "-c4", "-i0.3", "-W1", VIP)

    assert re.search(rf"From {NODE}.*Redirect Host\(New nexthop: {VIP}\)", said), said


def test_arp_shows_one_mac_for_the_node_and_the_address(story: ProgramLan) -> None:
    ask(story, "ping", "-c1", "-W2", NODE)
    ask(story, "nc", "-z", "-w", "2", VIP, "8080")

    table = dict(re.findall(r"\((\S+)\) at (\S+)", ask(story, "arp", "-an")))
    assert (table[NODE], table[VIP]) == (NODE_MAC, NODE_MAC)


def test_the_service_has_a_name(story: ProgramLan) -> None:
    assert f"Address: {VIP}" in ask(story, "nslookup", "coffee.default.service", NODE)


def test_every_node_gives_the_name_the_same_address(story: ProgramLan) -> None:
    said = [ask(story, "nslookup", "coffee.default.service", address) for address in story.addresses.values()]

    assert [f"Address: {VIP}" in each for each in said] == [True, True, True]


def test_only_one_of_the_three_nodes_answers(story: ProgramLan) -> None:
    assert story.owners(VIP) == [OWNER]


def test_the_laptops_own_address_is_no_business_of_ours(story: ProgramLan) -> None:
    said = story.stranger.run("arping", "-c1", "-w0.5", "-i", "eth0", CLIENT).stdout

    assert [mac_of(name) for name in story.nodes if mac_of(name) in said] == []


def test_the_address_of_a_deleted_service_is_not_answered_any_more(story: ProgramLan) -> None:
    story.unserve("coffee")

    assert eventually(lambda: not story.owner(VIP), within=30, every=0.1), story.log()
