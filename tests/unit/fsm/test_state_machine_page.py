"""docs/bgp-fsm.md shows the table that runs."""

from pathlib import Path

from suite.bgp.fsm import draw

PAGE = Path(__file__).parents[3] / "docs" / "bgp-fsm.md"


def test_the_page_shows_the_table_that_runs() -> None:
    shown = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("|")]

    assert shown == list(draw())
