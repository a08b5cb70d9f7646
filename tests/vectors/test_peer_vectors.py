"""Peers' behaviour as data: every row holds, or stands in ``settled.py`` with its reason."""

import json
from pathlib import Path

import pytest
from vectors.replay import format_of, main
from vectors.replay_announce import replay as replay_announce
from vectors.replay_config import replay as replay_config
from vectors.settled import SETTLED

HERE = Path(__file__).parent


def rows(name, replay):
    data = json.loads((HERE / f"{name}.json").read_text(encoding="utf-8"))
    return [pytest.param(name, *row, id=f"{name}/{row[0]}") for row in replay(data)]


@pytest.mark.parametrize(
    ("kind", "name", "wanted", "got"), rows("config", replay_config) + rows("announce", replay_announce)
)
def test_we_decide_as_the_peers_do(kind, name, wanted, got):
    assert (wanted != got) == ((kind, name) in SETTLED)


@pytest.mark.parametrize("name", ["config", "announce", "allocator"])
def test_a_file_is_recognised_by_its_shape(name):
    assert format_of(json.loads((HERE / f"{name}.json").read_text(encoding="utf-8"))) == name


def test_a_row_that_differs_is_printed_and_fails(tmp_path, capsys):
    path = tmp_path / "rows.json"
    row = {"id": "wrong", "input": "0:1234", "expect": {"text": "0:4321"}}
    path.write_text(json.dumps({"sections": {"parse": [], "community_text": [row]}}))

    assert main([str(path)]) == 1
    assert capsys.readouterr().out == (
        f"differs: wrong\n    wanted {{'text': '0:4321'}}\n    got    {{'text': '0:1234'}}\n{path}: 1 rows, 1 differ\n"
    )


def test_a_file_of_another_shape_is_refused(tmp_path):
    path = tmp_path / "other.json"
    path.write_text("[]")

    assert main([str(path)]) == 2
