"""What speakers report about an address becomes lease rows and events."""

from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_address

import pytest
from fix_world import World, load_balancer, pool
from rpds import HashTrieMap

from suite.cluster.source import Batch
from suite.controller.reports import declined
from suite.model.address import parse_range
from suite.model.changes import Changes
from suite.model.configuration import Configuration
from suite.model.event import Action
from suite.model.lease import Lease, LeaseState
from suite.model.pool import Pool
from suite.model.service import NOBODY, FamilyPolicy, ServiceRef
from suite.model.snapshot import Snapshot

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
VIP, MAC = ip_address("10.0.42.0"), "02:00:00:00:00:ff"
COFFEE, TEA = ServiceRef("default", "coffee"), ServiceRef("default", "tea")


def lease(ref=COFFEE, state=LeaseState.BOUND, group=f"service:{COFFEE}"):
    return Lease(VIP, ref, "default", state, group, NOW, id=7)


def snapshot(*leases):
    return Snapshot("epoch", 7, NOW, leases=HashTrieMap({VIP: leases} if leases else {}))


def test_a_declined_address_is_a_lease_that_notes_the_strangers_mac():
    [opened] = declined(snapshot(lease()), VIP, MAC, NOW).opened

    assert (opened.state, opened.share_group, opened.note, opened.until) == (
        LeaseState.DECLINED,
        "declined",
        MAC,
        None,
    )


def test_the_event_names_the_mac_and_the_node_that_found_it():
    [event] = declined(snapshot(lease()), VIP, MAC, NOW, "compute1").events

    assert (event.action, event.ref, event.reason, event.node) == (
        Action.DECLINED,
        COFFEE,
        "02:00:00:00:00:ff answers for 10.0.42.0",
        "compute1",
    )


def test_everybody_who_shares_the_address_loses_it():
    shared = lease(group="key:lunch"), lease(TEA, group="key:lunch")

    changes = declined(snapshot(*shared), VIP, MAC, NOW)

    assert [closing.lease.ref for closing in changes.closed] == [COFFEE, TEA]
    assert (len(changes.opened), len(changes.events)) == (1, 2)


def test_a_second_report_changes_nothing():
    assert declined(snapshot(lease(state=LeaseState.DECLINED, group="declined")), VIP, MAC, NOW) == Changes()


def test_a_free_address_is_declined_before_anybody_gets_it():
    pools = Configuration(pools=(Pool("default", (parse_range("10.0.42.0/24"),)),))

    changes = declined(replace(snapshot(), configuration=pools), VIP, MAC, NOW, "compute1")

    [opened], [event] = changes.opened, changes.events
    assert (opened.state, opened.ref, opened.note, str(opened.ref)) == (LeaseState.DECLINED, NOBODY, MAC, "")
    assert (event.ref, event.reason) == (None, "02:00:00:00:00:ff answers for 10.0.42.0, before anybody got it")


def test_an_address_that_is_in_no_pool_is_not_declined():
    assert declined(snapshot(), VIP, MAC, NOW) == Changes()


@pytest.mark.parametrize("state", [LeaseState.COOLING, LeaseState.HELD])
def test_an_address_that_was_left_before_the_report_came_is_declined_as_well(state):
    waiting = lease(state=state)

    changes = declined(snapshot(replace(waiting, until=NOW)), VIP, MAC, NOW)

    assert [(each.lease.state, each.reason) for each in changes.closed] == [
        (state, f"declined: {MAC} answers for {VIP}")
    ]
    assert [(each.state, each.until) for each in changes.opened] == [(LeaseState.DECLINED, None)]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["IPv4 first", "IPv6 first"])
def test_strangers_on_both_addresses_of_a_service_that_needs_both_families_have_them_both(order):
    world = World(pool("default", "10.0.42.0/30", "fd00::/126"), cooling=660)
    world.put(load_balancer("coffee", families=(4, 6), family_policy=FamilyPolicy.REQUIRE_DUAL))
    before = world.has("coffee")

    for number in order:
        find_stranger(world, before[number])

    assert [world.state(address) for address in before] == [[("declined", "default/coffee")]] * 2
    assert world.has("coffee") == ["10.0.42.1", "fd00::1"]


def find_stranger(world, address):
    """The report, and the turn that follows it."""
    world.commit(declined(world.snapshot, ip_address(address), MAC, world.now))
    world.restart()
    world.commit(world.planner.turn(Batch(), world.now, look_at_all=True))
