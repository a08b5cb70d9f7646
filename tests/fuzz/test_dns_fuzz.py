"""The DNS fuzzer: its corpus replayed and damaged with fixed chances; with `--soak` atheris searches for ten minutes."""

from __future__ import annotations

import importlib.util
import random
import subprocess
import sys
from pathlib import Path

import pytest
from fuzz.dns_packets import SEEDS, changed, one
from hypothesis import given, settings
from hypothesis import strategies as st

TOOL = Path(__file__).parent / "dns_packets.py"


def test_the_corpus_takes_the_server_through_every_kind_of_reply():
    kinds = {outcome for seed in SEEDS for outcome in one(seed)}

    assert {"silence", "NOERROR", "FORMERR", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "NOTAUTH"} <= kinds


@pytest.mark.soak
@pytest.mark.timeout(700)
@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="no wheel of atheris for this Python")
def test_atheris_finds_no_packet_that_raises_in_ten_minutes(tmp_path):
    line = (sys.executable, str(TOOL), "-max_total_time=600", "-max_len=700", "-rss_limit_mb=250", str(tmp_path))

    run = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=690)

    assert run.returncode == 0, run.stderr[-4_000:]
    assert "Done " in run.stderr


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
