"""The whole program on three nodes of a LAN: strangers, owners, and what people are told about them."""

from __future__ import annotations

import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fix_netns import NetLab, eventually, missing_for_networks, network, require_tools

sys.path.insert(0, str(Path(__file__).parents[1] / "lab"))

from l2_lan import STRANGER_MAC, ProgramLan, mac_of, program_lan

from suite.web.client import ask

if TYPE_CHECKING:
    from collections.abc import Iterator

OTHER_MAC = "02:00:00:00:00:fe"

pytestmark = [pytest.mark.net, pytest.mark.peer]


@pytest.fixture(scope="module")
def declined() -> Iterator[ProgramLan]:
    """A stranger had 10.0.42.0 before the first Service came, and another one has 10.0.42.3."""
    if reason := missing_for_networks():
        pytest.skip(reason)
    require_tools("arping")
    with network() as lab, program_lan(lab) as lan:
        lan.stranger("10.0.42.0")
        lan.stranger("10.0.42.3", "other", OTHER_MAC)
        lan.serve("coffee")
        lan.start("compute1")
        lan.settle("10.0.42.1")
        yield lan


def test_a_strangers_address_is_left_alone_and_the_service_gets_the_next(declined: ProgramLan) -> None:
    assert "10.0.42.1" in declined.suite("lease", "list", "--status", "bound")
    assert mac_of("compute1") not in declined.answers("10.0.42.0")


def test_history_names_the_strangers_mac(declined: ProgramLan) -> None:
    rows = json.loads(declined.suite("lease", "history", "10.0.42.0", "-o", "json"))

    assert [(row["state"], row["note"]) for row in rows] == [("declined", STRANGER_MAC), ("bound", "")]
    assert f"declined: {STRANGER_MAC} answers" in declined.suite("lease", "history", "10.0.42.0")


def test_the_log_of_events_names_the_mac(declined: ProgramLan) -> None:
    said = declined.suite("audit", "log", "-o", "json")

    assert f"{STRANGER_MAC} answers for 10.0.42.0" in said


def test_explain_says_who_announces_and_that_another_address_was_declined(declined: ProgramLan) -> None:
    said = declined.suite("explain", "default/coffee")

    assert "announced by compute1 (layer2, eth0)" in said
    assert STRANGER_MAC in said


def test_the_database_says_who_announces_since_when(declined: ProgramLan) -> None:
    assert eventually(lambda: announced(declined) == [("10.0.42.1", "compute1", "eth0", mac_of("compute1"))], within=5)


def announced(lan: ProgramLan) -> list[tuple[str, ...]]:
    """As a person would ask for it with SQL."""
    with closing(sqlite3.connect(lan.folder / "shared.db")) as database:
        return database.execute("SELECT address, node, interface, mac FROM announcement_current").fetchall()


def test_metrics_count_strangers_and_answers_by_address(declined: ProgramLan) -> None:
    declined.answers("10.0.42.1")

    assert eventually(lambda: 'metallb_layer2_responses_sent{ip="10.0.42.1"}' in metrics(declined), within=6)
    assert 'suite_layer2_conflicts_total{ip="10.0.42.0"} 1.0' in metrics(declined)


def metrics(lan: ProgramLan) -> str:
    """What the program on the first node counts."""
    _, body = ask(lan.folder / "compute1" / "suite.sock", "/metrics")
    return body.decode()


def test_a_strangers_address_is_declined_before_any_service_gets_it(declined: ProgramLan) -> None:
    def row() -> list[tuple[str, str, str]]:
        rows = json.loads(declined.suite("lease", "list", "--status", "declined", "-o", "json"))
        return [(each["state"], each["service"], each["note"]) for each in rows if each["address"] == "10.0.42.3"]

    assert eventually(lambda: row() == [("declined", "", OTHER_MAC)], within=10, every=0.3), declined.log()
    assert f"{OTHER_MAC} answers for 10.0.42.3, before anybody got it" in declined.suite("audit", "log", "-o", "json")


def test_a_stranger_that_comes_later_is_named_in_the_log_and_declines_nothing(netlab: NetLab) -> None:
    require_tools("arping")
    with program_lan(netlab) as lan:
        lan.serve("coffee")
        lan.start("compute1")
        lan.settle("10.0.42.0")

        stranger = lan.stranger("10.0.42.0")
        stranger.run("arping", "-c1", "-w1", "-U", "-i", "eth0", "-S", "10.0.42.0", "10.0.42.0")

        assert eventually(lambda: f"{STRANGER_MAC} answers for it on eth0 too" in lan.log(), within=10, every=0.1)
        assert "declined" not in lan.suite("lease", "list")


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
