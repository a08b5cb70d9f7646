"""The coffee LAN with three real speaker processes: who answers, and how fast another one does when that one is gone.

Both addresses, one of each family, have the same order of owners: each fault happens once and is judged for both.
"""

from __future__ import annotations

import os
import random
import signal
import socket
from ipaddress import ip_address
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from callers import Calls, call_once, can_be_called, serve_pod
from coffee_network import NODES, STRANGER_MAC, mac_of, six
from fix_netns import eventually, require_tools
from fix_speakers import VIP4, VIP6, VIPS, CoffeeLan

from suite.l2.burst import BURST
from suite.speaker.control import ASK
from suite.speaker.membership import Membership

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.net, pytest.mark.peer]

MUTE = "table inet lab { chain out { type filter hook output priority 0; udp dport 7947 drop; }; }"
LONGEST_PAUSE = max(later - earlier for earlier, later in pairwise(BURST))
OTHER_MAC = "02:00:00:00:00:fe"
SENT_AGAIN_AFTER = 1.0
"""Seconds: the first time-out of a kernel that asks for a connection (RFC 6298 section 2.1)."""
REPLACED_WITHIN = 3.0
"""Seconds, on a machine that is busy with other tests: the silence that is a death lasts one."""
TEXTS = [str(vip) for vip in VIPS]

both = pytest.mark.parametrize("vip", VIPS, ids=["IPv4", "IPv6"])


# ---- nobody moves ---------------------------------------------------------------------------------------------------


@both
def test_with_all_speakers_stopped_nobody_answers(coffee: CoffeeLan, vip: object) -> None:
    assert "02:00:00:00:10" not in coffee.told(str(vip))


@both
def test_a_fleet_that_starts_together_agrees_on_one_owner_and_the_client_reaches_it(
    calm: CoffeeLan, vip: object
) -> None:
    assert told(calm, vip) == [calm.ranked(vip)[0].name]
    assert calm.client.run("ping", "-c1", "-W2", str(vip)).returncode == 0


def test_forged_heartbeats_are_counted_and_change_nothing(calm: CoffeeLan) -> None:
    forged = Membership("compute1", b"forgery!", 0.0)
    forged.configure(NODES, [b"a guess"])
    packets = dict(forged.datagrams(0.0))
    with calm.stranger.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(100):
            sender.sendto(packets["compute2"], (NODES["compute2"], 7947))
    target = calm.speakers["compute2"]

    def are_counted() -> bool:
        target.send(ASK)
        return any(report.get("faults", {}).get("forged") == 100 for report in target.read())

    assert eventually(are_counted, every=0.1)
    assert [len(calm.owners(vip)) for vip in calm.vips] == [1, 1]


@pytest.mark.parametrize(("taken", "free"), [("10.0.42.9", "10.0.42.10"), ("fd00:42::42:0:9", "fd00:42::42:0:a")])
def test_a_stranger_that_has_the_address_is_found_before_it_is_announced(
    calm: CoffeeLan, taken: str, free: str
) -> None:
    calm.take(taken)
    speaker = calm.speakers["compute1"]

    speaker.probe(ip_address(taken), ip_address(free))

    assert eventually(lambda: speaker.said("found", address=taken, verdict="taken", mac=STRANGER_MAC))
    assert eventually(lambda: speaker.said("found", address=free, verdict="clean"))


def test_a_stranger_whose_kernel_asks_first_is_told_that_the_ipv6_address_is_ours(calm: CoffeeLan) -> None:
    """RFC 4862 section 5.4: it asks from the unspecified address, and our answer makes it give up."""
    calm.stranger.sysctl(ipv6__conf__eth0__accept_dad=1)

    calm.stranger.ip("address", "add", f"{VIP6}/64", "dev", "eth0")

    assert eventually(lambda: "dadfailed" in calm.stranger.ip("-6", "address", "show", "dev", "eth0"))
    calm.stranger.ip("address", "delete", f"{VIP6}/64", "dev", "eth0")


@both
def test_a_stranger_that_claims_an_address_meets_one_defence_on_the_wire_and_is_reported(
    calm: CoffeeLan, vip: object
) -> None:
    """RFC 5227 section 2.4 (c): at most one in ten seconds, however often and by however many it is claimed."""
    owner = calm.ranked(vip)[0]
    assert eventually(lambda: calm.ear.silence(vip) > 2 * LONGEST_PAUSE, within=15), "the burst of the start never ends"
    calm.ear.forget()

    for mac in (STRANGER_MAC, STRANGER_MAC, STRANGER_MAC, OTHER_MAC):
        calm.claim(vip, mac)

    assert eventually(lambda: owner.said("conflict", address=str(vip), mac=OTHER_MAC, in_fleet=False))
    assert owner.said("conflict", address=str(vip), mac=STRANGER_MAC, in_fleet=False)
    assert calm.ear.announced(vip).count(mac_of(owner.name)) == 1


# ---- the owner goes -------------------------------------------------------------------------------------------------


def test_a_killed_owner_is_replaced_and_the_caches_of_client_and_router_move(coffee: CoffeeLan) -> None:
    coffee.start()
    coffee.settle()
    first, second, _ = coffee.ranked(VIP4)
    for vip in TEXTS:
        coffee.believe(vip, mac_of(first.name))

    first.kill()

    assert eventually(lambda: all(coffee.is_believed(vip, mac_of(second.name)) for vip in TEXTS), REPLACED_WITHIN)


def test_nodes_that_have_ipv6_alone_hear_each_other_and_replace_a_killed_owner(coffee: CoffeeLan) -> None:
    coffee.vips = [VIP6]
    for speaker in coffee.speakers.values():
        speaker.host.ip("-4", "address", "flush", "dev", "eth0")
        speaker.fleet = {name: six(address) for name, address in NODES.items()}
    coffee.start()
    coffee.settle()
    first, second, third = coffee.ranked(VIP6)
    assert eventually(lambda: all(third.said("node", name=name, live=True) for name in NODES), within=5)
    coffee.believe(str(VIP6), mac_of(first.name))

    first.kill()

    assert eventually(lambda: coffee.is_believed(str(VIP6), mac_of(second.name)), within=5)
    assert third.owned() == set()


def test_a_lost_carrier_gives_the_addresses_up_at_once_and_another_node_takes_over(coffee: CoffeeLan) -> None:
    coffee.start()
    coffee.settle()
    first, second, _ = coffee.ranked(VIP4)

    coffee.switch.cut(first.host)

    assert eventually(lambda: first.owned() == set(), within=1)
    assert eventually(lambda: second.owned() == set(TEXTS), REPLACED_WITHIN)


def test_a_drained_node_hands_over_and_no_connection_attempt_is_lost_or_delayed(
    coffee: CoffeeLan, record_property: Callable[[str, object], None]
) -> None:
    """A client calls all the time; an attempt that had to wait would have been sent again by its kernel."""
    for name, host in coffee.nodes.items():
        serve_pod(host, name)
    coffee.start()
    coffee.settle()
    first, second, _ = coffee.ranked(VIP4)
    assert eventually(lambda: all(can_be_called(host, "127.0.0.1") for host in coffee.nodes.values()))

    with Calls(coffee.client, *TEXTS) as calls:
        assert eventually(lambda: all(len(calls.answers(vip)) > 5 for vip in TEXTS))
        first.drain()
        assert eventually(lambda: all(calls.answers(vip)[-1:] == [second.name] for vip in TEXTS))
        assert calls.lost() == []
        assert calls.sent_again() == 0
        record_property("longest attempt in ms", round(calls.longest() * 1000, 1))
        assert calls.longest() < SENT_AGAIN_AFTER
        assert {name for vip in TEXTS for name in calls.answers(vip)} == {first.name, second.name}

    assert eventually(lambda: first.said("state", drained=True))
    moves = [report["kind"] for report in second.read() if report["kind"] in {"owned", "released"}]
    assert moves == ["owned", "owned"]


@both
def test_a_connection_that_was_open_ends_with_a_reset_when_its_node_is_drained(coffee: CoffeeLan, vip: object) -> None:
    """The next node knows nothing of it and says so: the caller connects anew instead of waiting."""
    for name, host in coffee.nodes.items():
        serve_pod(host, name)
    coffee.start()
    coffee.settle()
    first, second, _ = coffee.ranked(vip)
    assert eventually(lambda: all(can_be_called(host, "127.0.0.1") for host in coffee.nodes.values()))

    with call_once(coffee.client, str(vip)) as call:
        first.drain()
        assert eventually(lambda: mac_of(second.name) in coffee.cached(str(vip)))
        with pytest.raises(ConnectionError):
            assert eventually(lambda: call.send(b"still there?\n") == 0)


def test_the_death_of_the_speaker_is_a_goodbye(coffee: CoffeeLan) -> None:
    """The process that answers sees its stream end, and hands over before the others could have missed it."""
    coffee.start()
    coffee.settle()
    first, second, _ = coffee.ranked(VIP4)

    first.close()

    assert eventually(lambda: second.said("node", name=first.name, draining=True), within=5)
    assert eventually(lambda: second.owned() == set(TEXTS), within=5)
    first.process.wait(timeout=5)


def test_a_node_that_comes_back_waits_before_it_takes_its_addresses_again(coffee: CoffeeLan) -> None:
    coffee.start(rejoin_delay=2.0)
    coffee.settle()
    first, second, _ = coffee.ranked(VIP4)
    first.kill()
    assert eventually(lambda: second.owned() == set(TEXTS), REPLACED_WITHIN)
    first.reports.clear()

    first.start(rejoin_delay=2.0)
    first.adopt(coffee.vips)

    assert eventually(lambda: coffee.are_owned_by(first.name), within=10)
    assert first.said("node", name=first.name, live=True, ready=False)


def test_a_process_that_was_stopped_for_a_while_does_not_take_its_addresses_back_at_once(coffee: CoffeeLan) -> None:
    coffee.start()
    coffee.settle()
    first, second, _ = coffee.ranked(VIP4)
    os.kill(first.process.pid, signal.SIGSTOP)
    assert eventually(lambda: second.owned() == set(TEXTS), within=5)

    os.kill(first.process.pid, signal.SIGCONT)

    assert eventually(lambda: coffee.are_owned_by(second.name), within=5)


# ---- the network breaks and heals -----------------------------------------------------------------------------------


def test_a_partition_that_heals_leaves_one_owner_which_tells_the_network_again(coffee: CoffeeLan) -> None:
    coffee.start()
    coffee.settle()
    coffee.isolate_nodes()
    assert eventually(lambda: coffee.are_owned_by(*NODES), within=5)
    winner, _, loser = (speaker.name for speaker in coffee.ranked(VIP4))
    # The client and the router hear all three, and believe whoever spoke last.
    for vip in TEXTS:
        coffee.believe(vip, mac_of(loser))
    coffee.ear.forget()

    coffee.isolate_nodes(isolated=False)

    assert eventually(lambda: coffee.are_owned_by(winner))
    # Of the burst at the start, more than a second ago, at most four announcements are left.
    assert eventually(lambda: all(coffee.ear.announced(vip).count(mac_of(winner)) > 4 for vip in VIPS))
    assert [coffee.ear.announced(vip)[-1] for vip in VIPS] == [mac_of(winner)] * 2
    assert eventually(lambda: all(coffee.is_believed(vip, mac_of(winner)) for vip in TEXTS))
    for vip in TEXTS:
        assert any(each.said("contest", address=vip, winner=winner) for each in coffee.speakers.values())


def test_heartbeats_lost_one_way_and_healed_leave_one_owner(coffee: CoffeeLan) -> None:
    """The owner hears everybody, and nobody hears the owner."""
    require_tools("nft")
    coffee.start()
    coffee.settle()
    first, second, _ = coffee.ranked(VIP4)
    first.host.must("nft", MUTE)
    assert eventually(lambda: second.owned() == set(TEXTS), REPLACED_WITHIN)

    first.host.must("nft", "flush", "ruleset")

    assert eventually(lambda: coffee.are_owned_by(first.name), within=10)


def test_an_interface_that_comes_late_is_used(coffee: CoffeeLan) -> None:
    coffee.start()
    coffee.settle()
    first = coffee.ranked(VIP4)[0]
    first.host.ip("link", "delete", "eth0")
    assert eventually(lambda: first.owned() == set(), within=5)

    coffee.plug(first.host, "10.0.10.9", "02:00:00:00:10:99", "lan0")

    for vip in TEXTS:
        assert eventually(lambda: first.said("owned", address=vip, interface="lan0"), within=20)  # noqa: B023


# ---- many at once ---------------------------------------------------------------------------------------------------


def test_ten_thousand_addresses_at_once_and_a_busy_machine_let_nobody_die(coffee: CoffeeLan) -> None:
    """Two busy loops on two cores, and a plan that takes a while to read: heartbeats go on. Nobody asks before, so all
    addresses are announced at the same time."""
    coffee.start(probe="off")
    coffee.settle()
    for _ in range(2):
        coffee.client.spawn("sh", "-c", "while :; do :; done")
    for speaker in coffee.speakers.values():
        speaker.reports.clear()
    many = [ip_address(f"10.0.{64 + number // 200}.{number % 200 + 1}") for number in range(5_000)]
    many += [ip_address(f"fd00:42::64:{number // 200:x}:{number % 200 + 1:x}") for number in range(5_000)]

    for speaker in coffee.speakers.values():
        speaker.adopt([*coffee.vips, *many], revision=2)

    assert eventually(
        lambda: sum(len(each.owned()) for each in coffee.speakers.values()) >= len(many), within=40, every=0.2
    )
    assert deaths(coffee) == []


def deaths(lan: CoffeeLan) -> list[tuple[str, str]]:
    """Who missed whom, however short: each node's own reports."""
    return [
        (speaker.name, report["name"])
        for speaker in lan.speakers.values()
        for report in speaker.read()
        if report["kind"] == "node" and not report["live"]
    ]


def test_two_hundred_addresses_of_each_family_are_spread_over_the_nodes_and_each_has_one_owner(
    coffee: CoffeeLan,
) -> None:
    coffee.vips += [ip_address(f"10.0.50.{number}") for number in range(1, 200)]
    coffee.vips += [ip_address(f"fd00:42::50:{number:x}") for number in range(1, 200)]
    coffee.start()

    coffee.settle(within=20)

    owned = [[ip_address(text).version for text in speaker.owned()] for speaker in coffee.speakers.values()]
    assert [sum(each.count(version) for each in owned) for version in (4, 6)] == [200, 200]
    assert min(each.count(version) for each in owned for version in (4, 6)) > 30


# ---- restarts -------------------------------------------------------------------------------------------------------


def test_after_a_power_cut_each_address_returns_to_its_owner_whoever_starts_first(coffee: CoffeeLan) -> None:
    coffee.start()
    coffee.settle()
    before = {str(vip): coffee.owners(vip) for vip in coffee.vips}
    for speaker in coffee.speakers.values():
        speaker.kill()
        speaker.reports.clear()

    for name in ("compute2", "compute3", "compute1"):
        coffee.start(name)

    assert eventually(lambda: {str(vip): coffee.owners(vip) for vip in coffee.vips} == before, within=20)


def test_a_storm_of_restarts_ends_with_one_owner(coffee: CoffeeLan) -> None:
    coffee.start(rejoin_delay=0.5)
    chance = random.Random(7)
    for _ in range(20):
        speaker = coffee.speakers[chance.choice(sorted(NODES))]
        speaker.kill()
        speaker.reports.clear()
        coffee.start(speaker.name, rejoin_delay=0.5)

    def is_one() -> bool:
        owners = [coffee.owners(vip) for vip in VIPS]
        return [len(each) for each in owners] == [1, 1] and owners == [told(coffee, vip) for vip in VIPS]

    assert eventually(is_one, within=20, every=0.1)


def told(lan: CoffeeLan, vip: object) -> list[str]:
    """The nodes whose MACs the client is told."""
    said = lan.told(str(vip))
    return [name for name in NODES if mac_of(name) in said]


def test_a_rolling_update_to_the_next_minor_version_hands_every_address_over(
    coffee: CoffeeLan,
) -> None:
    """Meanwhile nodes of both versions hear each other, and agree."""
    coffee.start(rejoin_delay=0.5)
    coffee.settle()
    for name in NODES:
        speaker = coffee.speakers[name]
        speaker.drain()
        assert eventually(lambda: speaker.said("state", drained=True), within=5)  # noqa: B023
        assert eventually(lambda: all(coffee.owners(vip) for vip in coffee.vips), within=1)
        speaker.kill()
        speaker.reports.clear()
        speaker.minor = 1
        coffee.start(name, rejoin_delay=0.5)
        assert eventually(lambda: speaker.said("node", name=name, ready=True), within=10)  # noqa: B023
        assert all(eventually(lambda: speaker.said("node", name=each, live=True)) for each in NODES)  # noqa: B023

    coffee.settle()
