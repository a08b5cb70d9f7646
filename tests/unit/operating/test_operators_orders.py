"""What operators order becomes changes, or a refusal that names what stands in the way."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from rpds import HashTrieMap

from suite.controller.operator import (
    Order,
    confirm,
    drain,
    drain_node,
    release,
    reserve,
    undrain,
    undrain_node,
    unreserve,
)
from suite.model.address import parse_range
from suite.model.changes import Changes
from suite.model.configuration import Configuration
from suite.model.event import Action, Actor
from suite.model.lease import Lease, LeaseState, Reservation
from suite.model.node import Node
from suite.model.pool import Pool
from suite.model.refusal import Reason
from suite.model.service import Service, ServiceRef, ServiceType
from suite.model.snapshot import Snapshot

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
COFFEE, TEA = ServiceRef("default", "coffee"), ServiceRef("default", "tea")
ANNA = Order(Actor("operator", "anna"), "spring cleaning")
CONFIGURATION = Configuration(
    pools=(Pool("default", (parse_range("10.0.42.0/24"),)), Pool("old", (parse_range("10.0.43.0/24"),), draining=True)),
    reservations=(Reservation(ip_address("10.0.42.99"), TEA, source="config"),),
    digest="d",
)


def lease(number, state=LeaseState.BOUND, ref=COFFEE):
    return Lease(ip_address(f"10.0.42.{number}"), ref, "default", state, f"service:{ref}", NOW, id=number)


def snapshot(*leases, services=(), **fields):
    by_address = {}
    for each in leases:
        by_address.setdefault(each.address, []).append(each)
    return Snapshot(
        "epoch",
        7,
        NOW,
        CONFIGURATION,
        services=HashTrieMap({ref: Service(ref, type=ServiceType.LOAD_BALANCER) for ref in services}),
        leases=HashTrieMap({address: tuple(each) for address, each in by_address.items()}),
        **fields,
    )


def pin(number, ref=None, note="", last=None):
    return Reservation(ip_address(f"10.0.42.{number}"), ref, note, last=ip_address(f"10.0.42.{last}") if last else None)


def reserved(*reservations):
    return snapshot(reservations=HashTrieMap({each.address: each for each in reservations}))


def refusal_of(booking):
    [(_, refusal)] = booking.refused
    return refusal.reason, refusal.message


def test_an_address_is_reserved_for_a_name_that_does_not_exist_yet():
    booking = reserve(snapshot(), [pin(7, TEA, "front door")], ANNA)

    [event] = booking.changes.events
    assert booking.changes.reserved == (pin(7, TEA, "front door"),)
    assert (event.action, event.ref, event.pool, event.reason) == (Action.RESERVED, TEA, "default", "spring cleaning")
    assert event.after == '{"for":"default/tea","note":"front door"}'
    assert event.actor == Actor("operator", "anna")


def test_reserving_what_is_reserved_already_changes_nothing():
    booking = reserve(reserved(pin(7, TEA)), [pin(7, TEA)], ANNA)

    assert not booking.changes
    assert booking.refused == ()


def test_a_new_note_is_a_change_that_tells_the_old_one():
    booking = reserve(reserved(pin(7, TEA, "old")), [pin(7, TEA, "new")], ANNA)

    assert booking.changes.events[0].before == '{"for":"default/tea","note":"old"}'


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        pytest.param(
            pin(7, COFFEE), (Reason.ADDRESS_RESERVED, "10.0.42.7 is reserved for default/tea"), id="other-name"
        ),
        pytest.param(
            pin(15), (Reason.ADDRESS_RESERVED, "10.0.42.10-10.0.42.20 is reserved for nobody"), id="inside-a-block"
        ),
        pytest.param(
            pin(5, last=12), (Reason.ADDRESS_RESERVED, "10.0.42.7 is reserved for default/tea"), id="block-over-a-pin"
        ),
        pytest.param(
            pin(18, last=22),
            (Reason.ADDRESS_RESERVED, "10.0.42.10-10.0.42.20 is reserved for nobody"),
            id="blocks-overlap",
        ),
        pytest.param(
            pin(99, TEA),
            (Reason.ADDRESS_RESERVED, "10.0.42.99 is reserved for default/tea by the configuration"),
            id="configured",
        ),
        pytest.param(
            Reservation(ip_address("192.0.2.1")),
            (Reason.ADDRESS_NOT_IN_POOL, "192.0.2.1 lies in no pool"),
            id="no-pool",
        ),
        pytest.param(
            pin(30, TEA, last=40),
            (Reason.INVALID_REQUEST, "10.0.42.30-10.0.42.40: a block is reserved for nobody, a name needs one address"),
            id="block-for-a-name",
        ),
    ],
)
def test_what_cannot_be_reserved_is_refused_with_what_stands_there(wanted, expected):
    booking = reserve(reserved(pin(7, TEA), pin(10, last=20)), [wanted], ANNA)

    assert refusal_of(booking) == expected
    assert not booking.changes


def test_an_address_in_use_is_reserved_for_its_holder_only():
    now = snapshot(lease(7))

    assert reserve(now, [pin(7, COFFEE)], ANNA).refused == ()
    assert refusal_of(reserve(now, [pin(7, TEA)], ANNA)) == (
        Reason.ADDRESS_IN_USE,
        "10.0.42.7 belongs to default/coffee",
    )
    assert refusal_of(reserve(now, [pin(1, last=9)], ANNA))[0] is Reason.ADDRESS_IN_USE


def test_lines_of_one_import_are_judged_after_those_before():
    booking = reserve(snapshot(), [pin(1, COFFEE), pin(1, TEA), pin(2, TEA)], ANNA)

    assert booking.changes.reserved == (pin(1, COFFEE), pin(2, TEA))
    assert [index for index, _ in booking.refused] == [1]


def test_hundreds_of_reservations_are_judged_at_once():
    pool = Pool("big", (parse_range("10.8.0.0/16"),))
    wanted = [Reservation(ip_address(0x0A080000 + number), TEA) for number in range(300)]

    booking = reserve(Snapshot(configuration=Configuration((pool,))), wanted, ANNA)

    assert len(booking.changes.reserved) == 300


def test_a_reservation_is_given_back():
    changes = unreserve(reserved(pin(7, TEA)), ip_address("10.0.42.7"), ANNA)

    assert changes.unreserved == (pin(7, TEA),)
    assert changes.events[0].action is Action.UNRESERVED


@pytest.mark.parametrize(
    ("number", "message"),
    [
        pytest.param(8, "10.0.42.8 is not reserved", id="nothing-there"),
        pytest.param(99, "10.0.42.99 is reserved by the configuration; change it there", id="configured"),
        pytest.param(
            12,
            "10.0.42.12 lies in the reserved block 10.0.42.10-10.0.42.20; name the block's first address",
            id="block",
        ),
    ],
)
def test_what_is_not_reserved_by_an_operator_is_not_given_back(number, message):
    assert unreserve(reserved(pin(10, last=20)), ip_address(f"10.0.42.{number}"), ANNA).message == message


def test_a_released_held_address_cools_before_it_is_free():
    changes = release(snapshot(lease(7, LeaseState.HELD)), ip_address("10.0.42.7"), NOW, ANNA)

    [opened] = changes.opened
    assert (opened.state, opened.until) == (LeaseState.COOLING, NOW + timedelta(seconds=660))
    assert [event.action for event in changes.events] == [Action.RELEASED, Action.COOLING]


def test_an_address_is_freed_at_once_when_that_is_meant():
    changes = release(snapshot(lease(7, LeaseState.COOLING)), ip_address("10.0.42.7"), NOW, ANNA, at_once=True)

    assert changes.opened == ()
    assert [event.action for event in changes.events] == [Action.RELEASED, Action.FREED]


def test_a_cooling_address_is_not_freed_by_the_way():
    cooling = Lease(ip_address("10.0.42.7"), COFFEE, "default", LeaseState.COOLING, "g", NOW, until=NOW)

    refusal = release(snapshot(cooling), ip_address("10.0.42.7"), NOW, ANNA)

    assert refusal.message == (
        "10.0.42.7 cools until 2026-11-22 12:00:00 UTC, because caches may still lead to default/coffee"
    )


def test_a_declined_address_is_free_again():
    changes = release(snapshot(lease(7, LeaseState.DECLINED)), ip_address("10.0.42.7"), NOW, ANNA)

    assert changes.opened == ()


def test_a_service_that_wants_its_address_keeps_it():
    refusal = release(snapshot(lease(7), services=(COFFEE,)), ip_address("10.0.42.7"), NOW, ANNA)

    assert refusal.reason is Reason.ADDRESS_IN_USE


def test_of_a_shared_address_only_the_last_lease_cools():
    both = snapshot(lease(7, LeaseState.HELD), lease(7, LeaseState.HELD, TEA))

    changes = release(both, ip_address("10.0.42.7"), NOW, ANNA)

    assert [each.ref for each in changes.opened] == [TEA]


def test_one_of_two_leases_on_an_address_just_goes():
    both = snapshot(lease(7, LeaseState.HELD), lease(7, ref=TEA), services=(TEA,))

    changes = release(both, ip_address("10.0.42.7"), NOW, ANNA, ref=COFFEE)

    assert [closing.lease.ref for closing in changes.closed] == [COFFEE]
    assert changes.opened == ()


def test_there_must_be_a_lease_to_release():
    refusal = release(snapshot(), ip_address("10.0.42.7"), NOW, ANNA, ref=TEA)

    assert refusal.message == "there is no open lease of default/tea on 10.0.42.7"


def test_a_pool_is_drained_and_used_again():
    assert drain(snapshot(), "default", ANNA).drained == ("default",)
    assert undrain(snapshot(drained=frozenset({"default"})), "default", ANNA).undrained == ("default",)


def test_draining_twice_and_using_what_is_in_use_change_nothing():
    assert drain(snapshot(drained=frozenset({"default"})), "default", ANNA) == Changes()
    assert undrain(snapshot(), "default", ANNA) == Changes()


def test_a_pool_that_does_not_exist_is_named_with_those_that_do():
    assert drain(snapshot(), "defualt", ANNA).message == "there is no pool 'defualt'; there are: default, old"
    assert undrain(snapshot(), "defualt", ANNA).reason is Reason.POOL_UNKNOWN


def test_a_pool_drained_by_the_configuration_is_changed_there():
    assert undrain(snapshot(), "old", ANNA).reason is Reason.POOL_DRAINING


def test_exactly_the_releases_that_were_shown_are_confirmed():
    changes = confirm(snapshot(withheld="0123456789ab"), "0123456789ab", ANNA)

    assert changes.confirmed == "0123456789ab"
    assert changes.events[0].action is Action.CONFIRMED


@pytest.mark.parametrize(
    ("withheld", "message"),
    [
        pytest.param("", "no releases wait to be confirmed", id="nothing-waits"),
        pytest.param(
            "fedcba987654",
            "the releases that wait now have the digest fedcba987654, not 0123456789ab; look at them again first",
            id="others-wait",
        ),
    ],
)
def test_other_releases_than_those_that_wait_are_not_confirmed(withheld, message):
    assert confirm(snapshot(withheld=withheld), "0123456789ab", ANNA).message == message


def test_confirming_twice_changes_nothing():
    waiting = snapshot(withheld="0123456789ab", confirmed="0123456789ab")

    assert confirm(waiting, "0123456789ab", ANNA) == Changes()


def test_a_node_is_drained_and_announces_again():
    drained = drain_node(snapshot(), "compute1", ANNA)
    undrained = undrain_node(snapshot(drained_nodes=frozenset({"compute1"})), "compute1", ANNA)

    assert (drained.nodes_drained, drained.events[0].action) == (("compute1",), Action.NODE_DRAINED)
    assert (undrained.nodes_undrained, undrained.events[0].node) == (("compute1",), "compute1")


def test_draining_a_node_twice_changes_nothing():
    assert drain_node(snapshot(drained_nodes=frozenset({"compute1"})), "compute1", ANNA) == Changes()
    assert undrain_node(snapshot(), "compute1", ANNA) == Changes()


def test_a_node_that_does_not_exist_is_named_with_those_that_do():
    nodes = HashTrieMap({"compute1": Node("compute1"), "compute2": Node("compute2")})

    refusal = drain_node(snapshot(nodes=nodes), "compute3", ANNA)

    assert refusal.message == "no node is called 'compute3'; there are: compute1, compute2"


def test_a_drained_node_that_is_gone_can_still_be_undrained():
    gone = snapshot(nodes=HashTrieMap({"compute2": Node("compute2")}), drained_nodes=frozenset({"compute1"}))

    assert undrain_node(gone, "compute1", ANNA).nodes_undrained == ("compute1",)


def test_a_cordoned_node_is_uncordoned_in_the_cluster():
    cordoned = snapshot(nodes=HashTrieMap({"compute1": Node("compute1", is_cordoned=True)}))
    heeded = replace(cordoned, configuration=replace(cordoned.configuration, drain_cordoned=True))

    assert undrain_node(heeded, "compute1", ANNA).reason is Reason.NODE_DRAINED
    assert undrain_node(cordoned, "compute1", ANNA) == Changes()


def test_a_node_that_the_cluster_removes_cannot_be_undrained_here():
    given = snapshot(nodes=HashTrieMap({"compute1": Node("compute1", is_being_removed=True)}))

    assert "the cluster is removing node compute1" in undrain_node(given, "compute1", ANNA).message
