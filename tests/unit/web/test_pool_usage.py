"""How much of a pool is used adds up, whatever is excluded, reserved, shared or large."""

from datetime import UTC, datetime
from ipaddress import ip_address

import pytest
from rpds import HashTrieMap

from suite.ipam.usage import Usage, pool_usage
from suite.model.address import parse_range
from suite.model.configuration import Configuration
from suite.model.lease import Lease, LeaseState, Reservation
from suite.model.pool import Pool
from suite.model.service import ServiceRef
from suite.model.snapshot import Snapshot

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
COFFEE, TEA = ServiceRef("default", "coffee"), ServiceRef("default", "tea")


def lease(number, state=LeaseState.BOUND, ref=COFFEE):
    return Lease(ip_address(f"10.0.42.{number}"), ref, "p", state, "key:a|", NOW)


def usage(*leases, reservations=(), configured=(), **pool):
    by_address = {}
    for each in leases:
        by_address.setdefault(each.address, []).append(each)
    ranges = tuple(map(parse_range, pool.pop("ranges", ["10.0.42.0/28"])))
    excluded = tuple(map(parse_range, pool.pop("excluded", [])))
    return pool_usage(
        Snapshot(
            configuration=Configuration(
                (Pool("p", ranges, excluded=excluded, **pool),), reservations=tuple(configured)
            ),
            leases=HashTrieMap({address: tuple(each) for address, each in by_address.items()}),
            reservations=HashTrieMap({each.address: each for each in reservations}),
        )
    )


def block(first, last):
    return Reservation(ip_address(f"10.0.42.{first}"), last=ip_address(f"10.0.42.{last}"))


def test_every_state_is_counted_by_address():
    [found] = usage(lease(1), lease(2, LeaseState.HELD), lease(3, LeaseState.COOLING), lease(4, LeaseState.DECLINED))

    assert found == Usage("p", 4, total=16, bound=1, held=1, cooling=1, declined=1)
    assert found.free == 12


def test_a_shared_address_counts_once_and_as_bound_while_anybody_has_it():
    [found] = usage(lease(1, LeaseState.HELD), lease(1, ref=TEA))

    assert (found.bound, found.held, found.free) == (1, 0, 15)


def test_excluded_addresses_are_no_part_of_the_pool():
    [found] = usage(excluded=["10.0.42.2-10.0.42.5", "10.0.42.4-10.0.42.7", "10.0.42.15-10.0.42.40"])

    assert found.total == 9


@pytest.mark.parametrize(
    ("ranges", "total"),
    [
        pytest.param(["10.0.42.0/24"], 254, id="a-24"),
        pytest.param(["10.0.42.1-10.0.42.254"], 254, id="none-inside"),
        pytest.param(["10.0.0.0/16"], 65536 - 512, id="a-16"),
        pytest.param(["10.0.42.255-10.0.43.0"], 0, id="only-those"),
    ],
)
def test_addresses_that_old_equipment_drops_are_left_out_where_that_is_asked_for(ranges, total):
    [found] = usage(ranges=ranges, avoid_buggy=True)

    assert found.total == total


def test_a_reserved_address_that_is_leased_counts_as_its_lease():
    [found] = usage(lease(1), reservations=[Reservation(lease(1).address, COFFEE), block(4, 7)])

    assert (found.bound, found.reserved, found.free) == (1, 4, 11)


def test_reservations_of_the_configuration_and_of_operators_count_once():
    [found] = usage(configured=[block(4, 7)], reservations=[block(6, 9)])

    assert found.reserved == 6


def test_reservations_outside_the_pool_do_not_count():
    [found] = usage(reservations=[block(200, 210)])

    assert found.reserved == 0


def test_a_slash_64_is_counted_without_walking_it():
    four, six = usage(ranges=["10.0.42.0/28", "fd00::/64"])

    assert (four.total, six.total) == (16, 2**64)
