"""The whole program on three nodes, IPv4 and IPv6, while things go wrong: who answers meanwhile, and that all is well afterwards."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import sys
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fix_netns import eventually, missing_for_networks, network, require_tools

sys.path.insert(0, str(Path(__file__).parents[1] / "lab"))

from l2_lan import DUAL, NODES, ProgramLan, mac_of, program_lan

from suite.web.client import ask

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.net, pytest.mark.peer]

MUTE = "table inet lab { chain out { type filter hook output priority 0; udp dport 7947 drop; }; }"
VIPS = ("10.0.42.0", "fd00:42::42:0:0")
FAKETIME = Path(f"/usr/lib/{os.uname().machine}-linux-gnu/faketime/libfaketimeMT.so.1")
MANY = """\
---
apiVersion: v1
kind: Service
metadata: {{name: many{number}, annotations: {{metallb.universe.tf/address-pool: many}}}}
spec: {{type: LoadBalancer, ports: [{{port: 80}}]}}
"""


def claimants(lan: ProgramLan, address: str = VIPS[0]) -> list[str]:
    """The nodes that say of themselves that they announce it."""
    found = []
    for name in NODES:
        with suppress(OSError):
            said = json.loads(ask(lan.folder / name / "suite.sock", "/v1/layer2")[1])
            found += [name for each in said.get("owners", ()) if each["address"] == address and each["interfaces"]]
    return found


def owners(lan: ProgramLan, address: str = VIPS[0]) -> list[str]:
    """The node that the database has as its owner, as a person would ask for it with SQL."""
    with closing(sqlite3.connect(lan.folder / "shared.db", timeout=20)) as database:
        rows = database.execute("SELECT node FROM announcement_current WHERE address = ? ORDER BY node", (address,))
        return [node for (node,) in rows]


def moves(lan: ProgramLan) -> list[tuple[str, ...]]:
    """Every announcement of the two addresses there ever was; it stays the same while no node is declared dead."""
    with closing(sqlite3.connect(lan.folder / "shared.db", timeout=20)) as database:
        text = "SELECT address, node, valid_from, valid_to FROM announcement WHERE address IN (?, ?) ORDER BY id"
        return database.execute(text, VIPS).fetchall()


def settled(lan: ProgramLan, within: float = 20.0) -> dict[str, str]:
    """Wait until each address has one owner, in the database and for the client, and all nodes are ready."""

    found: dict[str, list[str]] = {}

    def is_calm() -> bool:
        found.update({vip: claimants(lan, vip) for vip in VIPS})
        return all(len(each) == 1 and owners(lan, vip) == each == lan.owners(vip) for vip, each in found.items())

    assert eventually(is_calm, within=within, every=0.1), lan.suite("l2", "status") + lan.log()
    return {vip: name for vip, (name,) in found.items()}


def all_ready(lan: ProgramLan) -> bool:
    """Whether the first node finds all three to be ready to take addresses."""
    lines = lan.suite("l2", "status").splitlines()
    return [line.split()[1] for line in lines if line.startswith("compute")] == ["ready"] * len(NODES)


@pytest.fixture(scope="module")
def fleet() -> Iterator[ProgramLan]:
    """Three nodes with the program, on one database, and a Service with an address of each family."""
    if reason := missing_for_networks():
        pytest.skip(reason)
    require_tools("arping", "ndisc6", "nft")
    with network() as lab, program_lan(lab) as lan:
        lan.serve("coffee", DUAL)
        for name in lan.nodes:
            lan.start(name)
        lan.settle(VIPS[0])
        settled(lan, within=40)
        assert eventually(lambda: all_ready(lan), within=40, every=0.5), lan.suite("l2", "status")
        settled(lan)
        yield lan


def test_every_node_names_the_same_owner(fleet: ProgramLan) -> None:
    said = {node: fleet.suite("l2", "status", "-o", "json", node=node) for node in fleet.nodes}

    assert {json.loads(each)["owners"][0]["node"] for each in said.values()} == {fleet.owner("10.0.42.0")}


def test_explain_on_any_node_names_the_owner_and_the_order(fleet: ProgramLan) -> None:
    owner = fleet.owner("10.0.42.0")

    for node in fleet.nodes:
        said = fleet.suite("explain", "default/coffee", node=node)
        assert f"announced by {owner} (layer2" in said, said
        assert "the order is compute3 before compute2 before compute1" in said


def test_simulate_foretells_who_takes_over(fleet: ProgramLan) -> None:
    owner = settled(fleet)["10.0.42.0"]
    move, *_ = json.loads(fleet.suite("l2", "simulate", "--down", owner, "-o", "json"))
    foretold = move["then"]

    fleet.programs[owner].kill()

    assert eventually(lambda: fleet.owner("10.0.42.0") == foretold, within=10, every=0.05), fleet.log()
    assert eventually(lambda: owners(fleet) == [foretold], within=5)
    fleet.kill(owner)
    fleet.start(owner)
    assert eventually(lambda: owners(fleet) == [owner], within=20, every=0.1)


def test_a_partition_that_heals_leaves_one_owner_and_the_client_believes_in_it(fleet: ProgramLan) -> None:
    before = settled(fleet)
    for host in fleet.nodes.values():
        fleet.switch.isolate(host)
    assert eventually(lambda: len(claimants(fleet)) == len(claimants(fleet, VIPS[1])) == 3, within=10, every=0.1)
    for vip in VIPS:  # the client ends up with one that is none
        wrong = next(name for name in NODES if name != before[vip])
        fleet.client.ip("neighbour", "replace", vip, "lladdr", mac_of(wrong), "dev", "eth0", "nud", "stale")

    for host in fleet.nodes.values():
        fleet.switch.isolate(host, isolated=False)

    assert settled(fleet) == before
    assert eventually(lambda: all(mac_of(before[vip]) in fleet.cached(vip) for vip in VIPS)), fleet.cached(VIPS[0])


def test_a_node_that_nobody_hears_is_replaced_and_takes_over_again_when_it_is_heard(fleet: ProgramLan) -> None:
    before = settled(fleet)
    owner = before[VIPS[0]]
    fleet.nodes[owner].must("nft", MUTE)
    assert eventually(lambda: owners(fleet) not in ([], [owner]), within=10, every=0.1)

    fleet.nodes[owner].must("nft", "flush ruleset")

    assert eventually(lambda: settled(fleet) == before, within=20, every=0.5)


def test_who_has_not_learnt_of_an_address_is_passed_over_until_it_has(fleet: ProgramLan) -> None:
    """The main program of the node that should own it stands still; the process that answers goes on with what it knows."""
    settled(fleet)
    first = fleet.ranked("10.0.42.1")[0]
    fleet.kill(first)  # it must not be the one that leads: who leads and stands still leases nothing for a while
    fleet.start(first)
    assert eventually(lambda: all_ready(fleet), within=40, every=0.5), fleet.log()
    settled(fleet)
    fleet.hold(first)

    fleet.serve("tea")

    try:
        assert eventually(lambda: owners(fleet, "10.0.42.1") not in ([], [first]), within=30, every=0.1), fleet.log()
    finally:
        fleet.hold(first, is_held=False)
    assert eventually(lambda: owners(fleet, "10.0.42.1") == [first], within=20, every=0.1), fleet.log()


def test_a_drained_node_hands_over_stays_silent_over_a_restart_and_comes_back(fleet: ProgramLan) -> None:
    before = settled(fleet)
    owner = before[VIPS[0]]

    said = fleet.suite("drain", owner, "--wait", "10", "--reason", "new kernel", node=owner)

    assert f"{VIPS[0]}  " in said
    assert f"{owner} is drained" in said
    assert owner not in settled(fleet).values()
    fleet.kill(owner)
    fleet.start(owner)
    assert eventually(lambda: f"{owner}  leaving" in fleet.suite("l2", "status", node=owner), within=20, every=0.5)
    assert owner not in settled(fleet).values()
    assert f"{owner} is drained" in fleet.suite("explain", "coffee", node=owner)

    fleet.suite("undrain", owner, node=owner)

    assert eventually(lambda: settled(fleet) == before, within=20, every=0.5)
    assert fleet.suite("audit", "log").count("new kernel") == 1


def test_after_a_power_cut_each_address_returns_to_its_service_though_a_clock_says_1970(fleet: ProgramLan) -> None:
    if not FAKETIME.exists():
        pytest.skip("needs libfaketime (see tests/apt-packages.txt)")
    before = settled(fleet)
    leases = fleet.suite("lease", "list", "--status", "bound", "-o", "json")
    names = random.Random(7).sample(sorted(NODES), 3)
    for name in names:
        fleet.kill(name)

    for place, name in enumerate(names):
        fleet.start(name, {"LD_PRELOAD": str(FAKETIME), "FAKETIME": "@1970-01-02 00:00:00"} if place == 0 else {})

    assert eventually(lambda: settled(fleet, 30) == before, within=40, every=0.5), fleet.log()
    assert fleet.suite("lease", "list", "--status", "bound", "-o", "json") == leases


@pytest.mark.soak
def test_an_interface_that_vanishes_and_comes_back_later_is_used_again(fleet: ProgramLan) -> None:
    before = settled(fleet)
    owner = before[VIPS[0]]
    fleet.nodes[owner].ip("link", "delete", "eth0")
    assert eventually(lambda: owners(fleet) not in ([], [owner]), within=10, every=0.1)

    fleet.plug(owner)

    assert eventually(lambda: settled(fleet) == before, within=30, every=0.5)


def test_a_flood_of_foreign_requests_moves_nothing(fleet: ProgramLan) -> None:
    settled(fleet)
    known = moves(fleet)
    flood = fleet.client.spawn(sys.executable, "-c", FLOOD)

    assert all(fleet.owner(vip) for vip in VIPS for _ in range(2))

    flood.wait(10)
    assert moves(fleet) == known


FLOOD = """
import socket, time
sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
sender.bind(("eth0", 0))
frame = bytes.fromhex("ffffffffffff 0200000c0103 0806 0001 0800 06 04 0001 0200000c0103 0a000103 000000000000 0a006363")
until = time.monotonic() + 2
while time.monotonic() < until:
    for _ in range(200):
        sender.send(frame)
    time.sleep(0.004)
"""


def test_a_locked_database_and_a_busy_machine_let_nobody_die(fleet: ProgramLan) -> None:
    """Nobody can write, nobody gets the processor for himself; whoever answers needs neither."""
    settled(fleet)
    known = moves(fleet)
    loops = [fleet.client.spawn("sh", "-c", "while :; do :; done") for _ in range(2)]
    with closing(sqlite3.connect(fleet.folder / "shared.db")) as database:
        database.execute("BEGIN EXCLUSIVE")
        assert eventually(lambda: False, within=5) is False
        database.execute("ROLLBACK")
    for loop in loops:
        os.killpg(loop.pid, signal.SIGKILL)

    assert moves(fleet) == known


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_ten_thousand_services_at_once_let_nobody_die(fleet: ProgramLan) -> None:
    settled(fleet)
    known = moves(fleet)

    fleet.write("many", "".join(MANY.format(number=number) for number in range(10_000)))

    assert eventually(lambda: held(fleet) >= 10_000, within=200, every=1), fleet.log()
    assert moves(fleet) == known


def held(lan: ProgramLan) -> int:
    """How many addresses are announced."""
    with closing(sqlite3.connect(lan.folder / "shared.db", timeout=20)) as database:
        return int(database.execute("SELECT count(DISTINCT address) FROM announcement_current").fetchone()[0])


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_a_restart_storm_ends_with_one_owner(fleet: ProgramLan) -> None:
    settled(fleet)
    chance = random.Random(7)
    for _ in range(15):
        name = chance.choice(sorted(NODES))
        fleet.kill(name)
        fleet.start(name)

    settled(fleet, within=60)


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_a_rolling_update_never_leaves_an_address_without_an_answer(fleet: ProgramLan) -> None:
    assert eventually(lambda: all_ready(fleet), within=60, every=0.5)
    for name in NODES:
        fleet.programs[name].terminate()
        fleet.programs[name].wait(20)
        assert all(fleet.owner(vip) for vip in VIPS)
        fleet.start(name)
        assert eventually(lambda: all_ready(fleet), within=60, every=0.5)

    settled(fleet)
