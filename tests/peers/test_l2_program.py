"""The whole program on three nodes of a LAN: strangers, owners, and what people are told about them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from coffee_network import STRANGER_MAC, mac_of
from fix_netns import eventually, missing_for_networks, network, require_tools

sys.path.insert(0, str(Path(__file__).parents[1] / "lab"))

from l2_lan import SERVICE_SIX, ProgramLan, program_lan

from suite.web.client import ask

if TYPE_CHECKING:
    from collections.abc import Iterator

OTHER_MAC = "02:00:00:00:00:fe"
TAKEN = ("10.0.42.0", "fd00:42::42:0:0")
VIPS = ("10.0.42.1", "fd00:42::42:0:1")

pytestmark = [pytest.mark.net, pytest.mark.peer]


@pytest.fixture(scope="module")
def declined() -> Iterator[ProgramLan]:
    """A stranger had the first address of each family before the first Service came; another one has the fourth."""
    if reason := missing_for_networks():
        pytest.skip(reason)
    require_tools("arping", "ndisc6")
    with network() as lab, program_lan(lab) as lan:
        lan.take(*TAKEN)
        other = lan.machine("other", "10.0.42.3", OTHER_MAC)
        other.ip("address", "add", "fd00:42::42:0:3/64", "dev", "eth0", "nodad")
        lan.serve("coffee")
        lan.serve("tea", SERVICE_SIX)
        lan.start("compute1")
        for vip in VIPS:
            lan.settle(vip)
        yield lan


def leases(lan: ProgramLan, status: str) -> list[tuple[str, str, str]]:
    """Address, Service and note of each lease in that state."""
    rows = json.loads(lan.suite("lease", "list", "--status", status, "-o", "json"))
    return [(row["address"], row["service"], row["note"]) for row in rows]


def test_a_strangers_address_is_left_alone_and_the_service_gets_the_next(declined: ProgramLan) -> None:
    assert [address for address, _, _ in leases(declined, "bound")] == [*VIPS]
    assert [mac_of("compute1") in declined.told(address) for address in TAKEN] == [False, False]


@pytest.mark.parametrize("address", TAKEN)
def test_history_names_the_strangers_mac(declined: ProgramLan, address: str) -> None:
    rows = json.loads(declined.suite("lease", "history", address, "-o", "json"))

    assert [(row["state"], row["note"]) for row in rows] == [("declined", STRANGER_MAC), ("bound", "")]


def test_history_says_to_people_who_answers(declined: ProgramLan) -> None:
    assert f"declined: {STRANGER_MAC} answers" in declined.suite("lease", "history", TAKEN[0])


def test_the_log_of_events_names_the_mac(declined: ProgramLan) -> None:
    said = declined.suite("audit", "log", "-o", "json")

    assert [f"{STRANGER_MAC} answers for {address}" in said for address in TAKEN] == [True, True]


def test_explain_says_who_announces_and_that_another_address_was_declined(declined: ProgramLan) -> None:
    for name in ("coffee", "tea"):
        said = declined.suite("explain", f"default/{name}")
        assert "announced by compute1 (layer2, eth0)" in said
        assert STRANGER_MAC in said


def test_the_database_says_who_announces_since_when(declined: ProgramLan) -> None:
    sql = "SELECT address, node, interface, mac FROM announcement_current ORDER BY address"
    rows = [(address, "compute1", "eth0", mac_of("compute1")) for address in VIPS]

    assert eventually(lambda: declined.database.rows(sql) == rows, within=5)


def test_metrics_count_strangers_and_answers_by_address(declined: ProgramLan) -> None:
    for vip in VIPS:
        declined.told(vip)

    counted = [f'metallb_layer2_responses_sent{{ip="{vip}"}}' for vip in VIPS]
    assert eventually(lambda: all(each in metrics(declined) for each in counted), within=6)
    strangers = [f'suite_layer2_conflicts_total{{ip="{address}"}} 1.0' for address in TAKEN]
    assert [each in metrics(declined) for each in strangers] == [True, True]


def metrics(lan: ProgramLan) -> str:
    """What the program on the first node counts."""
    _, body = ask(lan.folder / "compute1" / "suite.sock", "/metrics")
    return body.decode()


@pytest.mark.parametrize("address", ["10.0.42.3", "fd00:42::42:0:3"])
def test_a_strangers_address_is_declined_before_any_service_gets_it(declined: ProgramLan, address: str) -> None:
    assert eventually(lambda: (address, "", OTHER_MAC) in leases(declined, "declined"), within=10, every=0.3)
    assert f"{OTHER_MAC} answers for {address}, before anybody got it" in declined.suite("audit", "log", "-o", "json")


@pytest.mark.parametrize("vip", VIPS)
def test_a_stranger_that_comes_later_is_named_in_the_log_and_declines_nothing(declined: ProgramLan, vip: str) -> None:
    known = leases(declined, "declined")

    declined.claim(vip)

    said = f"{vip} is ours, and {STRANGER_MAC} answers for it on eth0 too"
    assert eventually(lambda: said in declined.log(), within=10, every=0.1)
    assert leases(declined, "declined") == known


def test_an_address_of_a_pool_that_dhcp_gives_out_is_told(declined: ProgramLan) -> None:
    """The client says, as every client does, which address it takes from which server."""
    message = "01010600" + "00" * 24 + "0200000c0103" + "00" * 202 + "63825363"
    options = "350103" + "32040a002a63" + "36040a000001" + "ff"
    code = f"""
import socket
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
sender.bind(("", 68))
sender.sendto(bytes.fromhex("{message}{options}"), ("10.0.255.255", 67))
"""
    declined.client.must(sys.executable, "-c", code)

    told = "10.0.42.99 of pool default is given out by DHCP by 10.0.0.1 on eth0"
    assert eventually(lambda: told in declined.log(), within=5, every=0.1), declined.log()
    assert "DHCP gives out 10.0.42.99 of pool default" in declined.suite("status")
    assert "10.0.42.99 in pool default is given out by DHCP" in declined.suite("doctor")
