"""Two operators at once: each order is decided by what the other one left, on either database."""

import threading
from datetime import UTC, datetime
from ipaddress import ip_address

import pytest

from suite.cli.desk import carry_out
from suite.cli.fault import Fault
from suite.cli.target import Target
from suite.controller.operator import Order, drain, reserve, undrain, unreserve
from suite.model.address import parse_range
from suite.model.changes import Changes
from suite.model.configuration import Configuration
from suite.model.event import Actor
from suite.model.lease import Reservation
from suite.model.pool import Pool
from suite.model.service import ServiceRef
from suite.store.errors import Conflict

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
ORDER = Order(Actor("operator", "ada"))
CONFIGURATION = Configuration((Pool("default", (parse_range("10.0.42.0/24"),)),), digest="d")
NUMBERS = range(1, 11)


@pytest.fixture
def store(db):
    store = db.open()
    store.commit(Changes(configuration=CONFIGURATION), store.read(), now=NOON)
    return store


def wish(number, name):
    return Reservation(ip_address(f"10.0.42.{number}"), ServiceRef("default", name))


def stale_order(snapshot, what):
    return {
        "reserve": lambda: reserve(snapshot, [wish(1, "tea")], ORDER).changes,
        "unreserve": lambda: unreserve(snapshot, ip_address("10.0.42.9"), ORDER),
        "drain": lambda: drain(snapshot, "default", ORDER),
        "undrain": lambda: undrain(snapshot, "default", ORDER),
    }[what]()


@pytest.mark.parametrize("what", ["reserve", "unreserve", "drain", "undrain"])
def test_an_order_that_was_decided_before_another_commit_is_decided_again(store, what):
    first = store.commit(reserve(store.read(), [wish(9, "milk")], ORDER).changes, store.read(), now=NOON)
    if what == "undrain":
        first = store.commit(drain(first, "default", ORDER), first, now=NOON)
    order = stale_order(first, what)
    store.commit(Changes(configuration=CONFIGURATION), first, now=NOON)

    with pytest.raises(Conflict):
        store.commit(order, first, now=NOON)


def test_of_two_operators_who_want_the_same_addresses_each_address_goes_to_one(db, store, tmp_path):
    refused = {"coffee": 0, "tea": 0}

    def work(name):
        for number in NUMBERS:

            def decide(snapshot, number=number):
                booking = reserve(snapshot, [wish(number, name)], ORDER)
                return booking.refused[0][1] if booking.refused else booking.changes

            try:
                carry_out(Target(tmp_path, database=db.url), decide)
            except Fault:
                refused[name] += 1

    threads = [threading.Thread(target=work, args=(name,)) for name in refused]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)

    assert sum(refused.values()) == len(NUMBERS)
    assert len(store.read().reservations) == len(NUMBERS)
    assert db.rows("SELECT count(*), count(DISTINCT address) FROM event WHERE action = 'reserved'") == [(10, 10)]
    assert store.verify().is_good
