"""Whoever waits for a file to be written is told by the kernel, or by a bell, and goes on looking where neither tells."""

import time
from contextlib import closing

from suite.store.stirring import Stirring


def later():
    return time.monotonic() + 20


def test_a_write_in_the_folder_ends_the_wait(tmp_path):
    file = tmp_path / "suite.db-wal"
    file.write_text("a")
    with closing(Stirring(tmp_path)) as stir:
        file.write_text("b")

        assert stir.wait(later())
        assert stir.is_told


def test_what_stirred_once_is_told_once(tmp_path):
    with closing(Stirring(tmp_path)) as stir:
        stir.ring()
        told = [stir.wait(later()), stir.wait(time.monotonic())]

    assert told == [True, False]


def test_a_folder_that_cannot_be_watched_leaves_the_bell(tmp_path):
    with closing(Stirring(tmp_path / "nowhere")) as stir:
        stir.ring()

        assert stir.wait(later())
        assert not stir.is_told
