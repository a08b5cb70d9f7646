"""What programs tell each other beside the tables is bounded, and nothing that arrives can do harm."""

from ipaddress import ip_address

import pytest

from suite.store.hearsay import CHANNEL, MOST, Hearsay

ADDRESS = ip_address("10.0.42.1")


def test_what_was_heard_is_taken_once():
    hearsay = Hearsay()
    hearsay.hear(CHANNEL, "10.0.42.1")

    assert (hearsay.take(), hearsay.take()) == ((ADDRESS,), ())


@pytest.mark.parametrize(
    ("channel", "payload"),
    [("suite_head", "10.0.42.1"), (CHANNEL, ""), (CHANNEL, "10.0.42.300"), (CHANNEL, "fe80::1%eth0")],
    ids=["another-channel", "nothing", "no-address", "zone"],
)
def test_anything_else_is_not_heard(channel, payload):
    hearsay = Hearsay()

    hearsay.hear(channel, payload)

    assert hearsay.take() == ()


def test_a_flood_of_words_is_kept_only_so_far():
    hearsay = Hearsay()

    for number in range(MOST + 100):
        hearsay.hear(CHANNEL, str(ADDRESS + number))

    assert len(hearsay.take()) == MOST
