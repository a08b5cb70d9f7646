"""Whoever waits for a file to be written is told by the kernel, or by a bell, and goes on looking where neither tells."""

import os
import select
import time

import pytest

from suite.store.stirring import stirring


@pytest.fixture
def alarm():
    descriptor = os.eventfd(0, os.EFD_NONBLOCK)
    yield descriptor
    os.close(descriptor)


def later():
    return time.monotonic() + 20


def test_a_write_in_the_folder_ends_the_wait(tmp_path, alarm):
    file = tmp_path / "suite.db-wal"
    file.write_text("a")
    with stirring(tmp_path, alarm) as stir:
        file.write_text("b")
        stir.wait(later())

        assert stir.is_told


def test_a_bell_ends_the_wait_once(tmp_path, alarm):
    with stirring(tmp_path, alarm) as stir:
        os.eventfd_write(alarm, 1)
        stir.wait(later())

        assert select.select([alarm], [], [], 0)[0] == []


def test_a_folder_that_cannot_be_watched_leaves_the_bell(tmp_path, alarm):
    with stirring(tmp_path / "nowhere", alarm) as stir:
        os.eventfd_write(alarm, 1)
        stir.wait(later())

        assert not stir.is_told
