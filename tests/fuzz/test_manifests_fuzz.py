"""A short run of the manifests' fuzzer with fixed chances; the long one is started by hand."""

import random

import pytest
from fuzz.manifests_any import SEED, changed, damaged_object, one, one_object


@pytest.mark.parametrize("seed", range(4))
def test_a_damaged_manifest_is_told_never_raised(seed):
    chance = random.Random(seed)

    for _ in range(50):
        one(changed(SEED, chance))


@pytest.mark.parametrize("seed", range(4))
def test_an_object_of_any_shape_is_converted_or_told(seed):
    chance = random.Random(seed)

    for _ in range(200):
        one_object(damaged_object(chance))
