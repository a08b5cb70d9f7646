"""A short run of the DNS fuzzer with fixed chances; the long one is started by hand."""

from __future__ import annotations

import random

import pytest
from fuzz.dns_packets import SEEDS, changed, one
from hypothesis import given, settings
from hypothesis import strategies as st


@pytest.mark.parametrize("seed", range(4))
def test_a_damaged_packet_is_answered_or_dropped_never_raised(seed):
    chance = random.Random(seed)

    for _ in range(500):
        one(changed(chance.choice(SEEDS), chance))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=600))
def test_any_octets_are_answered_or_dropped(octets):
    one(octets)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400), st.integers(0, 3), st.integers(0, 3))
def test_a_header_with_anything_behind_it_is_answered_or_dropped(octets, counts, more):
    one(b"\x12\x34\0\0" + bytes([0, counts & 1, 0, 0, 0, more & 1, 0, more]) + octets)
