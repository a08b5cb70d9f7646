"""A short run of the configuration's fuzzer with fixed chances; the long one is started by hand."""

import random

import pytest
from fuzz.config_documents import SEED, changed, one


@pytest.mark.parametrize("seed", range(4))
def test_a_damaged_configuration_is_told_never_raised(seed):
    chance = random.Random(seed)

    for _ in range(5):
        one(changed(SEED, chance))
