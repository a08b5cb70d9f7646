"""The whole program on three nodes and one PostgreSQL, IPv4 and IPv6, while things go wrong: who answers, and that all is well afterwards.

Both addresses have the same owner. Whether a node was taken for dead meanwhile is told by two witnesses that need nothing of what is
broken: the others' counts, which no short silence escapes, and the client's wire, on which a successor would announce itself.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from callers import Calls, can_be_called, serve_pod
from coffee_network import NODES, Ear, mac_of, six
from conftest import BEYOND
from disk import Disk, small_disk
from fix_db import DatabaseUnderTest, Postgres, private_server
from fix_netns import eventually, missing_for_networks, network, require_tools

sys.path.insert(0, str(Path(__file__).parents[1] / "lab"))

from l2_lan import DUAL, KUBE_PROXY, ProgramLan, program_lan

from suite.speaker.last_plan import NAME
from suite.store.remote.kept import recall

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
spec: {{type: LoadBalancer, ipFamilies: [{family}], ports: [{{port: 80}}]}}
"""


def settled(lan: ProgramLan, within: float = 20.0) -> dict[str, str]:
    """Wait until nothing is about to change, and each address has one owner: as the nodes say, in the database and for the client."""
    found: dict[str, list[str]] = {}

    def is_calm() -> bool:
        found.update({vip: lan.claimants(vip) for vip in VIPS})
        is_one = all(len(each) == 1 and lan.recorded(vip) == each == lan.owners(vip) for vip, each in found.items())
        return is_one and lan.is_at_rest()

    assert eventually(is_calm, within=within, every=0.1), lan.suite("l2", "status") + lan.log()
    return {vip: name for vip, (name,) in found.items()}


@contextmanager
def nobody_dies(lan: ProgramLan) -> Iterator[str]:
    """What happens inside lets no node be taken for dead, however short; the owner's name."""
    (owner,) = set(settled(lan).values())
    before = lan.deaths()
    with Ear(lan.client) as ear:
        yield owner
        settled(lan)
        assert lan.deaths() == before
        others = {mac_of(name) for name in NODES} - {mac_of(owner)}
        assert [others.intersection(ear.announced(vip)) for vip in VIPS] == [set(), set()]


@pytest.fixture(scope="module")
def disk() -> Iterator[Disk]:
    """Where everything that the programs and the database write is."""
    if reason := missing_for_networks():
        pytest.skip(reason)
    with small_disk() as disk:
        yield disk


@pytest.fixture(scope="module")
def server(disk: Disk) -> Iterator[Postgres]:
    with private_server(str(disk.place), is_durable=False) as server:
        yield server


@pytest.fixture(scope="module")
def fleet(disk: Disk, server: Postgres) -> Iterator[ProgramLan]:
    """Three nodes with the program, on one database, and a Service with an address of each family."""
    require_tools("arping", "ndisc6", "nft")
    database = DatabaseUnderTest("postgres", server.url("postgres"), server=server)
    with network() as lab, program_lan(lab, place=disk.place, database=database) as lan:
        lan.serve("coffee", DUAL)
        for name, node in lan.nodes.items():
            address = lan.addresses[name]
            node.run("nft", "-f", "-", stdin=KUBE_PROXY.format(pod=address, pod6=six(address)))
            lan.start(name)
        lan.settle(VIPS[0])
        settled(lan, within=40)
        assert eventually(lan.all_ready, within=40, every=0.2), lan.suite("l2", "status")
        settled(lan)
        yield lan


@contextmanager
def called(lan: ProgramLan) -> Iterator[Calls]:
    """A pod on each node, and a client that calls the addresses all the time; in the end no call was lost or had to wait."""
    for name, node in lan.nodes.items():
        if not can_be_called(node, "127.0.0.1"):
            serve_pod(node, name)
    assert eventually(lambda: all(can_be_called(node, "127.0.0.1") for node in lan.nodes.values()))
    with Calls(lan.client, *VIPS) as calls:
        assert eventually(lambda: all(calls.answers(vip) for vip in VIPS))
        yield calls
        assert (calls.lost(), calls.sent_again()) == ([], 0)


# ---- all is well ----------------------------------------------------------------------------------------------------


def test_every_node_names_the_same_owner(fleet: ProgramLan) -> None:
    said = [{each["address"]: each["node"] for each in fleet.layer2(node)["owners"]} for node in fleet.nodes]

    assert said == [{vip: fleet.owner(vip) for vip in VIPS}] * 3


def test_explain_on_any_node_names_the_owner_and_the_order(fleet: ProgramLan) -> None:
    owner = fleet.owner(VIPS[0])

    for node in fleet.nodes:
        said = fleet.suite("explain", "default/coffee", node=node)
        assert f"announced by {owner} (layer2" in said, said
        assert "the order is compute3 before compute2 before compute1" in said


def test_the_doctor_finds_a_kernel_that_answers_for_an_address_on_lo_and_how_to_silence_it(fleet: ProgramLan) -> None:
    owner, other = fleet.ranked(VIPS[0])[:2]
    node = fleet.nodes[other]
    node.ip("address", "add", f"{VIPS[0]}/32", "dev", "lo")
    assert fleet.owners(VIPS[0]) == sorted([owner, other])
    sick = fleet.suite("doctor", node=other)

    node.sysctl(ipv4__conf__all__arp_ignore=1, ipv4__conf__all__arp_announce=2)

    well = fleet.suite("doctor", node=other)
    assert fleet.owners(VIPS[0]) == [owner]
    node.ip("address", "delete", f"{VIPS[0]}/32", "dev", "lo")
    assert ["arp_ignore is 0 on eth0" in said for said in (sick, well)] == [True, False]


def test_the_doctor_finds_a_kernel_that_answers_for_an_ipv6_address_on_its_interface(fleet: ProgramLan) -> None:
    owner, other = fleet.ranked(VIPS[1])[:2]
    node = fleet.nodes[other]
    node.ip("address", "add", f"{VIPS[1]}/128", "dev", "eth0", "nodad")

    answering, said = fleet.owners(VIPS[1]), fleet.suite("doctor", node=other)

    node.ip("address", "delete", f"{VIPS[1]}/128", "dev", "eth0")
    assert answering == sorted([owner, other])
    assert f"{VIPS[1]} stands on eth0: the kernel answers for it whoever owns it" in said
    assert fleet.owners(VIPS[1]) == [owner]


# ---- the network breaks ---------------------------------------------------------------------------------------------


def test_a_partition_that_heals_leaves_one_owner_and_client_and_router_believe_in_it(fleet: ProgramLan) -> None:
    before = settled(fleet)
    fleet.isolate_nodes()
    assert eventually(lambda: [fleet.claimants(vip) for vip in VIPS] == [list(NODES)] * 2, within=10, every=0.1)
    for vip in VIPS:  # they end up with one that is none
        fleet.believe(vip, mac_of(next(name for name in NODES if name != before[vip])))

    with Ear(fleet.client) as ear:
        fleet.isolate_nodes(isolated=False)
        assert settled(fleet) == before
        assert [ear.announced(vip)[-1:] for vip in VIPS] == [[mac_of(before[vip])] for vip in VIPS]
    assert eventually(lambda: all(fleet.is_believed(vip, mac_of(before[vip])) for vip in VIPS)), fleet.cached(VIPS[0])


def test_a_node_that_nobody_hears_is_replaced_and_takes_over_again_when_it_is_heard(fleet: ProgramLan) -> None:
    before = settled(fleet)
    owner = before[VIPS[0]]
    fleet.nodes[owner].must("nft", MUTE)
    assert eventually(lambda: all(fleet.recorded(vip) not in ([], [owner]) for vip in VIPS), within=10, every=0.1)

    fleet.nodes[owner].must("nft", "delete table inet lab")

    assert eventually(lambda: settled(fleet) == before, within=20, every=0.5)


def test_an_interface_that_vanishes_and_comes_back_later_is_used_again(fleet: ProgramLan) -> None:
    before = settled(fleet)
    owner = before[VIPS[0]]
    fleet.nodes[owner].ip("link", "delete", "eth0")
    assert eventually(lambda: all(fleet.recorded(vip) not in ([], [owner]) for vip in VIPS), within=10, every=0.1)

    fleet.plug_in(owner)

    assert eventually(lambda: settled(fleet) == before, within=30, every=0.5)


# ---- the database breaks --------------------------------------------------------------------------------------------


def test_a_fail_over_needs_no_postgresql_and_goes_as_foretold_and_the_rows_arrive_later(
    fleet: ProgramLan, server: Postgres
) -> None:
    owner = settled(fleet)[VIPS[0]]
    foretold = {
        move["address"]: move["then"]
        for move in json.loads(fleet.suite("l2", "simulate", "--down", owner, "-o", "json"))
    }
    server.stop("immediate")
    fleet.kill(owner)
    said: list[dict[str, str]] = []

    def is_as_foretold() -> bool:
        said.append({vip: fleet.owner(vip) for vip in VIPS})
        return said[-1] == foretold

    is_replaced = eventually(is_as_foretold, within=10, every=0.05)
    server.start()
    is_written = eventually(lambda: all(fleet.recorded(vip) == [foretold[vip]] for vip in VIPS), within=20, every=0.1)
    fleet.start(owner)

    assert (is_replaced, is_written) == (True, True), (foretold, said[-1], fleet.log())
    assert eventually(lambda: set(settled(fleet).values()) == {owner}, within=30, every=0.1)


def test_a_blocked_disk_and_a_busy_machine_let_nobody_die(fleet: ProgramLan, disk: Disk) -> None:
    """The database, the logs and the state of all nodes are on it; nobody gets the processor for himself either."""
    if not disk.can_freeze:
        pytest.skip(f"{BEYOND}no loop device to mount a disk from")
    with nobody_dies(fleet) as owner:
        loops = [fleet.client.spawn("sh", "-c", "while :; do :; done") for _ in range(2)]
        with disk.frozen(5):
            assert [fleet.owner(vip) for vip in VIPS] == [owner, owner]
        for loop in loops:
            os.killpg(loop.pid, signal.SIGKILL)


# ---- somebody is behind, or gone ------------------------------------------------------------------------------------


def test_who_has_not_learnt_of_an_address_is_passed_over_until_it_has(fleet: ProgramLan) -> None:
    """The main program of the node that should own it stands still; the process that answers goes on with what it knows."""
    settled(fleet)
    ((leader,),) = fleet.database.rows("SELECT instance FROM leadership")  # who leads and stands still leases nothing
    pairs = ((f"10.0.42.{number}", f"fd00:42::42:0:{number:x}") for number in range(16, 250))
    firsts = ((pair, {fleet.ranked(vip)[0] for vip in pair}) for pair in pairs)
    tea, first = next((pair, min(names)) for pair, names in firsts if len(names) == 1 and min(names) not in leader)
    fleet.hold(first)

    wish = f"metadata: {{{{annotations: {{{{metallb.universe.tf/loadBalancerIPs: '{','.join(tea)}'}}}}, "
    fleet.serve("tea", DUAL.replace("metadata: {{", wish))

    try:
        is_passed_over = eventually(
            lambda: all(fleet.recorded(vip) not in ([], [first]) for vip in tea), within=30, every=0.1
        )
    finally:
        fleet.hold(first, is_held=False)
    assert is_passed_over, fleet.log()
    assert eventually(lambda: all(fleet.recorded(vip) == [first] for vip in tea), within=20, every=0.1), fleet.log()


def test_a_drained_node_hands_over_without_a_lost_call_and_stays_silent_over_a_restart(fleet: ProgramLan) -> None:
    before = settled(fleet)
    owner = before[VIPS[0]]
    with called(fleet) as calls:
        said = fleet.suite("drain", owner, "--wait", "10", "--reason", "new kernel", node=owner)
        after = settled(fleet)
        assert eventually(lambda: all(calls.answers(vip)[-1:] == [after[vip]] for vip in VIPS))

    assert f"{owner} is drained" in said
    assert owner not in after.values()
    fleet.kill(owner)
    fleet.start(owner)
    assert eventually(lambda: f"{owner}  leaving" in fleet.suite("l2", "status", node=owner), within=20, every=0.3)
    assert owner not in settled(fleet).values()
    assert f"{owner} is drained" in fleet.suite("explain", "coffee", node=owner)

    fleet.suite("undrain", owner, node=owner)

    assert eventually(lambda: settled(fleet) == before, within=20, every=0.5)
    assert fleet.suite("audit", "log").count("new kernel") == 1


def test_after_a_power_cut_each_address_returns_to_its_service_though_a_clock_says_1970_and_postgresql_comes_last(
    fleet: ProgramLan, server: Postgres
) -> None:
    if not FAKETIME.exists():
        pytest.skip("needs libfaketime (see tests/apt-packages.txt)")
    before = settled(fleet)
    assert eventually(lambda: all(kept_plan(fleet, name) == newest(fleet) for name in NODES), within=15, every=0.2)
    leases = fleet.suite("lease", "list", "--status", "bound", "-o", "json")
    server.stop("immediate")
    names = random.Random(7).sample(sorted(NODES), 3)
    for name in names:
        fleet.kill(name)

    for place, name in enumerate(names):
        fleet.start(name, {"LD_PRELOAD": str(FAKETIME), "FAKETIME": "@1970-01-02 00:00:00"} if place == 0 else {})

    is_announced = eventually(lambda: {vip: fleet.owner(vip) for vip in VIPS} == before, within=30, every=0.1)
    server.start()
    assert is_announced, fleet.log()
    assert eventually(lambda: settled(fleet, 30) == before, within=40, every=0.5), fleet.log()
    assert fleet.suite("lease", "list", "--status", "bound", "-o", "json") == leases


def newest(lan: ProgramLan) -> int:
    """The revision of the database."""
    ((revision,),) = lan.database.rows("SELECT revision FROM head")
    return int(revision)


def kept_plan(lan: ProgramLan, name: str) -> int:
    """The revision of the plan that a node has on its disk; 0 for none."""
    return recall(lan.folder / name / NAME, 0.0)[0].snapshot.revision


@pytest.mark.parametrize("restarts", [3, pytest.param(15, marks=[pytest.mark.soak, pytest.mark.timeout(300)])])
def test_a_restart_storm_ends_with_one_owner(fleet: ProgramLan, restarts: int) -> None:
    settled(fleet)
    chance = random.Random(7)
    for _ in range(restarts):
        name = chance.choice(sorted(NODES))
        fleet.kill(name)
        fleet.start(name)

    settled(fleet, within=60)


@pytest.mark.timeout(300)
def test_a_rolling_update_loses_no_call(fleet: ProgramLan) -> None:
    assert eventually(fleet.all_ready, within=60, every=0.2), fleet.log()
    settled(fleet)
    with called(fleet):
        for name in NODES:
            fleet.programs[name].terminate()
            fleet.programs[name].wait(20)
            fleet.start(name)
            assert eventually(fleet.all_ready, within=60, every=0.2), fleet.log()

    settled(fleet)


# ---- too much of everything -----------------------------------------------------------------------------------------

FLOOD = """
import random, socket, sys, time
from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6NDOptDstLLAddr, IPv6
from scapy.layers.l2 import ARP, Ether

def six(body, sender, to):
    return IPv6(src=f"fd00:42::9:{sender:x}", dst=to, hlim=255) / body

frames = []
for number in range(1, 1500):
    mac, source = f"02:00:00:01:{number >> 8:02x}:{number & 255:02x}", f"10.0.9.{number % 250}"
    link = Ether(src=mac, dst="ff:ff:ff:ff:ff:ff")
    for target in ("10.0.99.99", "10.0.42.0"):
        frames.append(link / ARP(op=1, hwsrc=mac, psrc=source, pdst=target))
    for target in ("fd00:42::43:0:0", "fd00:42::42:0:0"):
        link6 = Ether(src=mac, dst="33:33:ff:00:00:00")
        frames.append(link6 / six(ICMPv6ND_NS(tgt=target), number, "ff02::1:ff00:0"))
    frames.append(link / ARP(op=1, hwsrc=mac, psrc="10.0.42.0", pdst="10.0.42.0"))
    claim = ICMPv6ND_NA(tgt="fd00:42::42:0:0", R=0, S=0, O=1) / ICMPv6NDOptDstLLAddr(lladdr=mac)
    frames.append(Ether(src=mac, dst="33:33:00:00:00:01") / six(claim, number, "ff02::1"))
frames = [bytes(frame) for frame in frames]
sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
sender.bind(("eth0", 0))
print("sending", flush=True)
sent, until = 0, time.monotonic() + 3
while time.monotonic() < until:
    for _ in range(200):
        sender.send(frames[sent % len(frames)])
        sent += 1
    time.sleep(0.004)
print(sent, flush=True)
"""
"""Requests and solicitations for a foreign address and for ours, and claims of ours, from 1,500 machines of either family."""


def test_a_flood_delays_no_other_client_moves_nothing_and_fills_no_memory(fleet: ProgramLan) -> None:
    with nobody_dies(fleet) as owner:
        responder = next(pid for pid in pids(fleet, owner) if "suite.speaker.responder" in command(pid))
        main = fleet.programs[owner].pid
        before, told = [resident(responder), resident(main)], fleet.log().count("and 02:00:00:01:")
        flood = fleet.stranger.spawn(sys.executable, "-c", FLOOD)
        assert flood.stdout is not None
        assert flood.stdout.readline() == "sending\n"

        for _ in range(4):
            assert [fleet.owner(vip) for vip in VIPS] == [owner, owner]

        assert int(flood.communicate()[0]) > 10_000
        grown = [resident(responder) - before[0], resident(main) - before[1]]
        assert [each < 8 << 20 for each in grown] == [True, True], grown
        assert fleet.log().count("and 02:00:00:01:") - told < 20


def pids(lan: ProgramLan, name: str) -> list[int]:
    """The processes on a node."""
    done = subprocess.run(
        ["ip", "netns", "pids", lan.nodes[name].full_name], capture_output=True, text=True, check=True
    )
    return [int(pid) for pid in done.stdout.split()]


def command(pid: int) -> str:
    return Path("/proc", str(pid), "cmdline").read_text(encoding="utf-8")


def resident(pid: int) -> int:
    """Bytes of memory in use."""
    return int(Path("/proc", str(pid), "statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_ten_thousand_services_at_once_let_nobody_die(fleet: ProgramLan) -> None:
    with nobody_dies(fleet):
        families = ("IPv4", "IPv6")
        manifests = [MANY.format(number=number, family=families[number % 2]) for number in range(10_000)]
        fleet.write("many", "".join(manifests))

        assert eventually(lambda: held(fleet) >= 10_000, within=200, every=1), fleet.deaths()


def held(lan: ProgramLan) -> int:
    """How many addresses are announced."""
    return int(lan.database.rows("SELECT count(DISTINCT address) FROM announcement_current")[0][0])
