"""Peers' behaviour as data: every row holds, or stands in ``settled.py`` with its reason."""

import json
from pathlib import Path

import pytest
from vectors.replay_config import replay
from vectors.settled import SETTLED

ROWS = list(replay(json.loads((Path(__file__).parent / "config.json").read_text(encoding="utf-8"))))


@pytest.mark.parametrize(("name", "wanted", "got"), ROWS, ids=[row[0] for row in ROWS])
def test_configurations_are_read_as_the_peers_read_them(name, wanted, got):
    assert (wanted != got) == (("config", name) in SETTLED)
