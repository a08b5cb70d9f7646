"""What interfaces own and have counted is told whole once, then by what has changed; both ends agree all the time."""

from collections import Counter
from dataclasses import dataclass, field, replace
from ipaddress import ip_address

import pytest

from suite.l2.rtnetlink import Interface
from suite.speaker.accounts import Listener, Teller

ONE, OTHER = ip_address("10.0.42.0"), ip_address("10.0.42.1")


@dataclass
class Wire:
    """An interface as an account needs it, without its sockets."""

    interface: Interface
    owned: frozenset
    announced: Counter = field(default_factory=Counter)
    answerers: tuple = ()


@pytest.fixture
def eth0():
    return Wire(Interface(2, "eth0", b"\x02\0\0\0\x10\x01", flags=1), frozenset({ONE}), Counter({ONE: 8}))


@pytest.fixture
def teller(eth0):
    """One that has told of the interface."""
    teller = Teller()
    teller.tell([eth0])
    return teller


def test_the_first_account_is_whole(eth0):
    (account,) = Teller().tell([eth0])

    assert (account["owned"], account["announced"]) == (["10.0.42.0"], {"10.0.42.0": 8})


def test_what_has_not_changed_is_not_told_again(teller, eth0):
    (account,) = teller.tell([eth0])

    assert (account["owned"], account["answered"], account["announced"]) == (None, {}, {})


def test_a_counter_that_rose_is_told_as_its_total(teller, eth0):
    eth0.announced[ONE] += 1

    (account,) = teller.tell([eth0])

    assert (account["owned"], account["announced"]) == (None, {"10.0.42.0": 9})


def test_one_address_more_is_told_with_all_others(teller, eth0):
    eth0.owned = frozenset({ONE, OTHER})

    (account,) = teller.tell([eth0])

    assert (account["owned"], account["announced"]) == (["10.0.42.0", "10.0.42.1"], {"10.0.42.0": 8})


def test_a_new_mac_is_told_with_everything(teller, eth0):
    eth0.interface = replace(eth0.interface, mac=b"\x02\0\0\0\x10\x02")

    (account,) = teller.tell([eth0])

    assert (account["mac"], account["owned"]) == ("02:00:00:00:10:02", ["10.0.42.0"])


def test_after_something_was_missed_the_account_is_whole(teller, eth0):
    teller.forget()

    (account,) = teller.tell([eth0])

    assert account["owned"] == ["10.0.42.0"]


def test_an_interface_that_came_back_is_told_whole(teller, eth0):
    teller.tell([])

    (account,) = teller.tell([eth0])

    assert account["owned"] == ["10.0.42.0"]


def test_the_listener_knows_as_much_as_if_everything_had_been_told(eth0):
    teller, listener = Teller(), Listener()
    listener.take(teller.tell([eth0]))
    eth0.announced[ONE] += 1

    is_owned_anew = listener.take(teller.tell([eth0]))

    assert not is_owned_anew
    assert list(listener.links.values()) == Teller().tell([eth0])


def test_an_interface_that_is_gone_owns_nothing(teller, eth0):
    listener = Listener()
    listener.take(Teller().tell([eth0]))

    assert listener.take(teller.tell([]))
    assert listener.links == {}
