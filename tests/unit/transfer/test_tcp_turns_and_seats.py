"""Who may be connected over TCP, and whose turn it is: one machine neither shuts the others out nor holds them up."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from suite.dns.seats import Seats
from suite.dns.tcp import network_of
from suite.dns.turns import Turns

ONE, TWO, THREE = b"one", b"two", b"three"


def turns(*waiting: tuple[bytes, str]) -> Turns[str]:
    made: Turns[str] = Turns()
    for network, connection in waiting:
        made.add(network, connection)
    return made


def seats(most: int, per_network: int, *seated: tuple[str, bytes, bytes]) -> Seats[str]:
    """Seats that connections took in this order: each its name, network and address."""
    made: Seats[str] = Seats(most, per_network)
    for connection, network, address in seated:
        assert made.admit(connection, network, address) is None
    return made


def test_networks_take_turns_however_many_connections_one_of_them_has():
    line = turns((ONE, "a"), (ONE, "b"), (ONE, "c"), (TWO, "x"), (THREE, "y"))

    assert [line.take() for _ in range(5)] == ["a", "x", "y", "b", "c"]


def test_who_lines_up_again_waits_for_all_others():
    line = turns((ONE, "a"), (TWO, "x"))

    line.add(ONE, line.take())

    assert [line.take(), line.take(), bool(line)] == ["x", "a", False]


def test_while_there_is_room_nobody_must_go():
    assert seats(3, 2, ("a", ONE, ONE), ("b", ONE, ONE)).admit("x", TWO, TWO) is None


def test_where_all_seats_are_taken_the_one_that_idles_longest_goes_of_the_network_that_has_most():
    full = seats(4, 3, ("x", TWO, TWO), ("a", ONE, ONE), ("b", ONE, ONE), ("c", ONE, ONE))
    full.note("a", ONE)

    assert (full.admit("new", THREE, THREE), len(full)) == ("b", 4)


def test_among_networks_with_as_many_the_one_that_idles_longest_loses():
    full = seats(3, 3, ("a", ONE, ONE), ("b", TWO, TWO), ("c", THREE, THREE))
    full.note("a", ONE)

    assert full.admit("new", b"fourth", b"fourth") == "b"


def test_who_has_most_finds_no_room():
    full = seats(3, 3, ("a", ONE, ONE), ("b", ONE, ONE), ("x", TWO, TWO))

    assert (full.admit("c", ONE, ONE), list(full)) == ("c", ["a", "b", "x"])


def test_one_address_has_no_more_than_its_share_and_keeps_what_it_has():
    full = seats(9, 2, ("a", ONE, ONE), ("b", ONE, ONE))

    assert (full.admit("c", ONE, ONE), list(full)) == ("c", ["a", "b"])


def test_a_neighbour_in_a_network_that_has_its_share_takes_the_seat_of_who_has_most_there():
    full = seats(9, 3, ("n", ONE, b"quiet"), ("a", ONE, b"greedy"), ("b", ONE, b"greedy"))

    assert full.admit("new", ONE, b"other") == "a"


def test_a_machine_with_many_addresses_of_one_network_loses_the_seat_that_idles_longest():
    full = seats(9, 2, ("a", ONE, b"1"), ("b", ONE, b"2"))

    assert (full.admit("c", ONE, b"3"), full.admit("d", ONE, b"4")) == ("a", "b")


def test_a_seat_that_is_left_is_free_and_leaving_twice_frees_no_other():
    room = seats(2, 2, ("a", ONE, ONE), ("x", TWO, TWO))
    room.leave("a", ONE)
    room.leave("a", ONE)

    assert (len(room), room.admit("y", TWO, TWO), len(room)) == (1, None, 2)


@pytest.mark.parametrize(
    ("client", "network"),
    [
        ("192.0.2.77", "192.0.2.77"),
        ("2001:db8:1:2ff:3:4:5:6", "2001:db8:1:200::"),
        ("2001:db8:1:200::1", "2001:db8:1:200::"),
    ],
)
def test_a_client_is_an_ipv4_address_or_an_ipv6_network(client, network):
    assert network_of(ip_address(client).packed, 56) == ip_address(network).packed
