"""What happens to a command whose standard output takes no more: it says so, and blames nobody else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FULL = Path("/dev/full")
"""A device whose disk is always full."""


def run(*arguments, stdout):
    return subprocess.run(
        [sys.executable, "-m", "suite", *map(str, arguments)],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )


def commands(db, folder):
    place = ("--database", db.url, "--state", folder)
    return {
        "short": ("version",),
        "long": ("config", "schema"),
        "export": ("audit", "export", "-", *place),
        "list": ("audit", "log", *place),
    }


@pytest.mark.parametrize("which", ["short", "long", "export", "list"])
def test_a_full_disk_behind_the_output_is_named(sqlite_db, tmp_path, which):
    sqlite_db.open().close()
    with FULL.open("wb") as full:
        done = run(*commands(sqlite_db, tmp_path)[which], stdout=full)

    assert (done.returncode, done.stderr.splitlines()[-2:]) == (
        74,
        [
            "error: cannot write to standard output: no space left on device",
            "fix:   make room where the output goes, or send it elsewhere",
        ],
    )


@pytest.mark.parametrize("which", ["long", "export"])
def test_a_reader_that_went_away_is_no_error(sqlite_db, tmp_path, which):
    sqlite_db.open().close()
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as pipe:
        done = run(*commands(sqlite_db, tmp_path)[which], stdout=pipe)

    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize("option", ["--since", "--until"])
def test_a_time_that_cannot_be_read_is_blamed_on_its_option(sqlite_db, option):
    done = run("audit", "log", option, "tomorrow", "--database", sqlite_db.url, stdout=subprocess.PIPE)

    assert f"where: {option}" in done.stderr
