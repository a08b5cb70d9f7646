"""A short run of the layer 2 fuzzer with fixed chances; the long one is started by hand."""

from __future__ import annotations

import random

import pytest
from fuzz.l2_frames import SEEDS, changed, one
from hypothesis import given, settings
from hypothesis import strategies as st


@pytest.mark.parametrize("seed", range(4))
def test_a_damaged_frame_is_answered_or_dropped_never_raised(seed: int) -> None:
    chance = random.Random(seed)

    for _ in range(250):
        one(changed(chance.choice(SEEDS), chance))


@settings(max_examples=100)
@given(st.binary(max_size=200))
def test_any_octets_are_dropped_for_a_reason(octets: bytes) -> None:
    one(octets)
