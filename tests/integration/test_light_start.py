"""`suite --help` and its like are instant because nothing heavy is imported to say so."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {"sqlalchemy", "alembic", "kubernetes", "scapy", "fastapi", "uvicorn", "pydantic", "yaml", "dnslib", "asyncio"}
PROBE = """\
import sys
from suite.cli.program import main
sys.argv = ["suite", *sys.argv[1:]]
try:
    main()
except SystemExit:
    pass
print("loaded:", *sorted(set(sys.modules)))
"""


@pytest.mark.parametrize("arguments", [["--help"], ["version"], ["lease", "--help"]], ids=" ".join)
def test_nothing_heavy_is_imported(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments], cwd=ROOT, capture_output=True, text=True, check=True
    )

    loaded = set(done.stdout.rpartition("loaded:")[2].split())

    assert loaded & HEAVY == set()


def test_who_follows_a_feed_loads_nothing_of_databases() -> None:
    code = "import sys, suite.run, suite.speaker.loop, suite.store.remote.follower; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert set(done.stdout.split()) & {"sqlalchemy", "alembic", "psycopg", "sqlite3"} == set()
