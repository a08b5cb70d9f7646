"""The page says how much our answers amplify, and says it of today's answers."""

import runpy

from project_files import ROOT

TOOL = runpy.run_path(str(ROOT / "tests/bench/dns/amplification.py"))


def test_the_table_of_amplification_is_of_today() -> None:
    assert TOOL["table"]() in (ROOT / "docs/dns.md").read_text(encoding="utf-8")


def test_no_answer_is_longer_than_a_path_without_fragments_takes() -> None:
    longest = max(TOOL["sizes"](row, has_edns=True)[1] for row in TOOL["ROWS"])

    assert longest <= 1232


def test_a_network_above_its_rate_gets_no_more_than_it_sent() -> None:
    asked, answered = TOOL["above_the_rate"](has_edns=True)

    assert answered <= asked
