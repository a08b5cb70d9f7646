"""The coffee LAN with three real speaker processes: who answers, and how fast another one does when that one is gone."""

from __future__ import annotations

import os
import signal
import socket
from ipaddress import ip_address

import pytest
from fix_netns import eventually, require_tools
from fix_speakers import NODES, VIP4, VIP6, CoffeeLan, mac_of

from suite.speaker.control import ASK
from suite.speaker.membership import Membership

pytestmark = [pytest.mark.net, pytest.mark.peer]

MUTE = """
table inet lab {
  chain out {
    type filter hook output priority 0;
    udp dport 7947 drop;
  }
}
"""

both = pytest.mark.parametrize("vip", [VIP4, VIP6], ids=["IPv4", "IPv6"])


@both
def test_with_all_speakers_stopped_nobody_answers(coffee: CoffeeLan, vip: object) -> None:
    assert "02:00:00:00:10" not in coffee.who_has(vip)


def test_a_fleet_that_starts_together_agrees_on_one_owner_and_the_client_reaches_it(coffee: CoffeeLan) -> None:
    coffee.start()
    coffee.settle()

    answers = [coffee.who_has(vip) for vip in (VIP4, VIP6)]
    assert [
        mac_of(coffee.ranked(vip)[0].name) in answer for vip, answer in zip((VIP4, VIP6), answers, strict=True)
    ] == [
        True,
        True,
    ]
    assert coffee.client.run("ping", "-c1", "-W2", str(VIP4)).returncode == 0


@both
def test_a_killed_owner_is_replaced_and_the_clients_cache_moves(coffee: CoffeeLan, vip: object) -> None:
    coffee.start()
    coffee.settle()
    coffee.client.run("ping", "-c1", "-W2", str(vip))
    first, second, _ = coffee.ranked(vip)

    first.kill()

    assert eventually(lambda: mac_of(second.name) in coffee.cached(vip), within=5)


def test_a_lost_carrier_gives_the_addresses_up_at_once_and_another_node_takes_over(coffee: CoffeeLan) -> None:
    coffee.start()
    coffee.settle()
    first, second, _ = coffee.ranked(VIP4)

    coffee.switch.cut(first.host)

    assert eventually(lambda: str(VIP4) not in first.owned(), within=1)
    assert eventually(lambda: str(VIP4) in second.owned(), within=5)


def test_a_drained_node_hands_over_without_a_moment_in_which_nobody_answers(coffee: CoffeeLan) -> None:
    coffee.start()
    coffee.settle()
    first, second, _ = coffee.ranked(VIP4)

    first.drain()

    assert eventually(lambda: coffee.owners(VIP4) == [second.name], within=5, every=0.005)
    order = [report["kind"] for report in second.read() if report.get("address") == str(VIP4)]
    assert order == ["owned"]
    assert eventually(lambda: first.said("state", drained=True))


def test_a_partition_that_heals_leaves_one_owner_which_tells_the_network_again(coffee: CoffeeLan) -> None:
    coffee.start()
    coffee.settle()
    for speaker in coffee.speakers.values():
        coffee.switch.isolate(speaker.host)
    assert eventually(lambda: len(coffee.owners(VIP4)) == 3, within=5)
    # The client hears all three; it ends up with whoever spoke last.
    loser = coffee.ranked(VIP4)[2]
    coffee.client.ip("neighbour", "replace", str(VIP4), "lladdr", mac_of(loser.name), "dev", "eth0", "nud", "stale")

    for speaker in coffee.speakers.values():
        coffee.switch.isolate(speaker.host, isolated=False)

    coffee.settle()
    winner = coffee.ranked(VIP4)[0]
    assert eventually(lambda: mac_of(winner.name) in coffee.cached(VIP4))
    assert any(each.said("contest", address=str(VIP4), winner=winner.name) for each in coffee.speakers.values())


def test_the_death_of_the_speaker_is_a_goodbye(coffee: CoffeeLan) -> None:
    """The process that answers sees its stream end, and hands over before the others could have missed it."""
    coffee.start()
    coffee.settle()
    first, second, _ = coffee.ranked(VIP4)

    first.close()

    assert eventually(lambda: second.said("node", name=first.name, draining=True), within=5)
    assert eventually(lambda: str(VIP4) in second.owned(), within=5)
    first.process.wait(timeout=5)


def test_a_node_that_comes_back_waits_before_it_takes_its_addresses_again(coffee: CoffeeLan) -> None:
    coffee.start(rejoin_delay=2.0)
    coffee.settle()
    first, second, _ = coffee.ranked(VIP4)
    first.kill()
    assert eventually(lambda: str(VIP4) in second.owned(), within=5)
    first.reports.clear()

    first.start(rejoin_delay=2.0)
    first.adopt(coffee.vips)

    assert eventually(lambda: coffee.owners(VIP4) == [first.name], within=10)
    assert first.said("node", name=first.name, live=True, ready=False)


def test_a_stranger_that_has_the_address_is_found_before_it_is_announced(coffee: CoffeeLan) -> None:
    coffee.stranger("10.0.42.9/16")
    speaker = coffee.speakers["compute1"]
    speaker.start()
    speaker.adopt([])

    assert eventually(lambda: speaker.said("node", name="compute1"), within=5)
    speaker.probe(ip_address("10.0.42.9"), ip_address("10.0.42.10"))

    assert eventually(lambda: speaker.said("found", address="10.0.42.9", verdict="taken", mac="02:00:00:00:00:ff"))
    assert eventually(lambda: speaker.said("found", address="10.0.42.10", verdict="clean"))


def test_a_stranger_that_takes_the_address_later_is_reported_and_defended_against(coffee: CoffeeLan) -> None:
    coffee.start()
    coffee.settle()
    first = coffee.ranked(VIP4)[0]
    stranger = coffee.stranger("10.0.7.7/16")

    stranger.ip("address", "add", f"{VIP4}/16", "dev", "eth0")
    stranger.run("arping", "-c1", "-w1", "-U", "-i", "eth0", "-S", str(VIP4), str(VIP4))

    assert eventually(
        lambda: first.said("conflict", address=str(VIP4), mac="02:00:00:00:00:ff", in_fleet=False), within=5
    )


def test_an_interface_that_comes_late_is_used(coffee: CoffeeLan) -> None:
    coffee.start()
    coffee.settle()
    first = coffee.ranked(VIP4)[0]
    first.host.ip("link", "delete", "eth0")
    assert eventually(lambda: str(VIP4) not in first.owned(), within=5)

    del coffee.switch.ports[first.name, "eth0"]
    coffee.switch.ports["spare", "x"] = "unused"
    coffee.switch.plug(first.host, "lan0", addresses=["10.0.10.9/16"], mac="02:00:00:00:10:99")

    assert eventually(lambda: first.said("owned", address=str(VIP4), interface="lan0"), within=20)


def test_a_process_that_was_stopped_for_a_while_does_not_take_its_addresses_back_at_once(coffee: CoffeeLan) -> None:
    coffee.start()
    coffee.settle()
    first, second, _ = coffee.ranked(VIP4)
    os.kill(first.process.pid, signal.SIGSTOP)
    assert eventually(lambda: str(VIP4) in second.owned(), within=5)

    os.kill(first.process.pid, signal.SIGCONT)

    assert eventually(lambda: coffee.owners(VIP4) == [second.name], within=5)


def test_ten_thousand_addresses_at_once_and_a_busy_machine_let_nobody_die(coffee: CoffeeLan) -> None:
    """Two busy loops on two cores, and a plan that takes a while to read: heartbeats go on."""
    coffee.start()
    coffee.settle()
    for _ in range(2):
        coffee.client.spawn("sh", "-c", "while :; do :; done")
    for speaker in coffee.speakers.values():
        speaker.reports.clear()
    many = [ip_address(f"10.0.{64 + number // 200}.{number % 200 + 1}") for number in range(10_000)]

    for speaker in coffee.speakers.values():
        speaker.adopt([*coffee.vips, *many], revision=2)

    assert eventually(
        lambda: sum(len(each.owned()) for each in coffee.speakers.values()) >= len(many), within=40, every=0.2
    )
    deaths = [
        (speaker.name, report["name"])
        for speaker in coffee.speakers.values()
        for report in speaker.read()
        if report["kind"] == "node" and not report["live"]
    ]
    assert deaths == []


def test_two_hundred_addresses_are_spread_over_the_nodes_and_each_has_one_owner(coffee: CoffeeLan) -> None:
    coffee.vips += [ip_address(f"10.0.50.{number}") for number in range(1, 199)]
    coffee.start()

    coffee.settle(within=20)

    shares = [len(speaker.owned()) for speaker in coffee.speakers.values()]
    assert sum(shares) == 200
    assert min(shares) > 30


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


def test_a_rolling_restart_ends_with_one_owner_and_never_leaves_an_address_without_a_node_that_answers(
    coffee: CoffeeLan,
) -> None:
    coffee.start(rejoin_delay=0.5)
    coffee.settle()
    for name in NODES:
        speaker = coffee.speakers[name]
        speaker.drain()
        assert eventually(lambda: speaker.said("state", drained=True), within=5)  # noqa: B023
        assert all(coffee.owners(vip) for vip in coffee.vips)
        speaker.kill()
        speaker.reports.clear()
        coffee.start(name, rejoin_delay=0.5)
        assert eventually(lambda: speaker.said("node", name=name, ready=True), within=10)  # noqa: B023

    coffee.settle()


def test_heartbeats_lost_one_way_and_healed_leave_one_owner(coffee: CoffeeLan) -> None:
    """The owner hears everybody, and nobody hears the owner."""
    require_tools("nft")
    coffee.start()
    coffee.settle()
    first, second, _ = coffee.ranked(VIP4)
    assert first.host.run("nft", "-f", "-", stdin=MUTE).returncode == 0
    assert eventually(lambda: str(VIP4) in second.owned(), within=5)

    first.host.run("nft", "flush", "ruleset")

    assert eventually(lambda: coffee.owners(VIP4) == [first.name], within=10)


def test_forged_heartbeats_are_counted_and_change_nothing(coffee: CoffeeLan) -> None:
    coffee.start()
    coffee.settle()
    stranger = coffee.stranger("10.0.7.7/16")
    forged = Membership("compute1", b"forgery!", 0.0)
    forged.configure(NODES, [b"a guess"])
    packets = dict(forged.datagrams(0.0))
    with stranger.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(100):
            sender.sendto(packets["compute2"], (NODES["compute2"], 7947))
    target = coffee.speakers["compute2"]

    def are_counted() -> bool:
        target.send(ASK)
        return any(report.get("faults", {}).get("forged") == 100 for report in target.read())

    assert eventually(are_counted, every=0.1)
    assert [len(coffee.owners(vip)) for vip in coffee.vips] == [1, 1]
