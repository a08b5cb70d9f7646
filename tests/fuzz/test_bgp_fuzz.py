"""A short run of the BGP fuzzer with fixed chances; the long one is started by hand."""

from __future__ import annotations

import random

import pytest
from fuzz.bgp_streams import SEEDS, changed, one


@pytest.mark.parametrize("seed", range(4))
def test_a_damaged_recording_of_a_router_never_raises(seed):
    chance = random.Random(seed)

    for _ in range(250):
        one(changed(chance.choice(SEEDS), chance))
