"""The whole run: fixtures are found, rings are marked, the network is shut where it has no place, skips are named.

A ring is a folder (README.md beside this file). Unit and property tests that open a network socket fail, wherever
in a library it happens. `--no-skips` is for machines that could run everything: a skipped test fails there, unless
its reason starts with `BEYOND`, which a test says when no install could help (no cluster, no such kernel).
"""

from __future__ import annotations

import os
import platform
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import hypothesis
import pytest
from chances import FEW, SOAK

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

TESTS = Path(__file__).parent
BEYOND = "beyond this machine: "
Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)

pytest_plugins = tuple(sorted(path.stem for path in TESTS.glob("fix_*.py")))
pytest.register_assert_rewrite(*pytest_plugins)  # before one of them imports another

# Time decides no test, and a failing example is printed so that it can be pasted into one.
hypothesis.settings.register_profile("suite", deadline=None, print_blob=True, database=None, max_examples=FEW)
hypothesis.settings.register_profile("soak", hypothesis.settings.get_profile("suite"), max_examples=SOAK * FEW)
hypothesis.settings.load_profile("suite")


@dataclass(slots=True)
class Ring:
    """A folder of tests: what it may do, and how long its tests should take, added up (reported, never enforced)."""

    name: str
    budget: float
    is_offline: bool = False
    timeout: float = 0.0
    """Seconds after which one test of it hangs; 0 for the limit in pyproject.toml."""
    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    seconds: float = 0.0


RINGS = {
    ring.name: ring
    for ring in (
        Ring("unit", budget=10, is_offline=True, timeout=10),
        Ring("property", budget=10, is_offline=True),
        Ring("vectors", budget=60),
        Ring("fuzz", budget=30),
        Ring("integration", budget=480),
        Ring("peers", budget=720),
    )
}


def ring_of(path: Path) -> Ring | None:
    """The ring a test file belongs to, by its folder under tests/."""
    parts = path.relative_to(TESTS).parts if path.is_relative_to(TESTS) else ()
    return RINGS.get(parts[0]) if parts else None


# ---- options, order, marks ----------------------------------------------------------------------------------------


noted: dict[str, str] = {}
"""Options that hooks without a configuration need."""


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--soak"):
        hypothesis.settings.load_profile("soak")
    if path := config.getoption("--failures"):
        noted["failures"] = str(path)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("rings")
    group.addoption("--no-skips", action="store_true", help="a skipped test fails: this machine could have run it")
    group.addoption("--soak", action="store_true", help="run the tests marked `soak` too, and laws longer")
    group.addoption("--failures", metavar="FILE", help="write the names of tests that failed there, one a line")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark each test with its ring, run fast rings first, and leave the soak for its own verb."""
    for item in items:
        if ring := ring_of(item.path):
            item.add_marker(ring.name)
            if ring.name == "property" and config.getoption("--soak"):
                item.add_marker("soak")
            if ring.timeout and item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(ring.timeout))
    order = {name: position for position, name in enumerate(RINGS)}
    items.sort(key=lambda item: order.get(ring.name, -1) if (ring := ring_of(item.path)) else -1)
    if not config.getoption("--soak"):
        soaking = [item for item in items if item.get_closest_marker("soak")]
        items[:] = [item for item in items if not item.get_closest_marker("soak")]
        if soaking:
            config.hook.pytest_deselected(items=soaking)


# ---- no network in the offline rings ------------------------------------------------------------------------------


class NetworkForbiddenError(RuntimeError):
    """A test of an offline ring made a network socket."""


class SocketGuard:
    """An audit hook (PEP 578): sees every socket of the interpreter, can be closed and opened, never removed."""

    def __init__(self) -> None:
        self.is_closed = False

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        if self.is_closed and event == "socket.__new__" and arguments[1] != socket.AF_UNIX:
            raise NetworkForbiddenError("tests of this ring open no network socket (tests/README.md)")


guard = SocketGuard()
sys.addaudithook(guard)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    ring = ring_of(item.path)
    guard.is_closed = ring is not None and ring.is_offline
    try:
        return (yield)
    finally:
        guard.is_closed = False


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    from fix_netns import missing_for_networks

    if item.get_closest_marker("net") and (reason := missing_for_networks()):
        pytest.skip(reason)


# ---- skips are named, or forbidden --------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return _judge_skip(item.config, (yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return _judge_skip(collector.config, (yield))


def _judge_skip(config: pytest.Config, report: Report) -> Report:
    reason = skip_reason(report)
    if reason is not None and config.getoption("--no-skips") and not reason.startswith(BEYOND):
        report.outcome = "failed"
        report.longrepr = f"skipped where every test can run: {reason}"
    return report


def skip_reason(report: pytest.TestReport | pytest.CollectReport) -> str | None:
    """Why a test was skipped; None if it was not (an expected failure is no skip)."""
    if not report.skipped or hasattr(report, "wasxfail"):
        return None
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return reason.removeprefix("Skipped: ")


# ---- what is told -------------------------------------------------------------------------------------------------


def pytest_report_header() -> list[str]:
    machine = f"{platform.platform(terse=True)}, {os.cpu_count()} cores, uid {os.geteuid()}"
    return [f"machine: {machine}", f"sqlite {sqlite3.sqlite_version}, " + ", ".join(_peers())]


def _peers() -> Iterator[str]:
    """The versions of what the rings talk to; a missing one is named as such."""
    postgres = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))), Path("postgres"))
    commands = {
        "postgres": (str(postgres), "--version"),
        "bird": ("bird", "--version"),
        "nsd": ("nsd", "-v"),
        "dig": ("dig", "-v"),
    }
    for name, (program, flag) in commands.items():
        path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
        yield f"{name} {_version(path, flag)}" if path else f"no {name}"


def _version(program: str, flag: str) -> str:
    done = subprocess.run([program, flag], capture_output=True, text=True, check=False, timeout=10)
    words = (done.stdout + done.stderr).replace(",", " ").split()
    return next((word for word in words if word[0].isdigit()), "present")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count for the rings, and note a failure where `--failures` says."""
    if report.failed and "failures" in noted:
        with Path(noted["failures"]).open("a", encoding="utf-8") as file:
            file.write(f"{report.nodeid}\n")
    ring = ring_of(TESTS.parent / report.nodeid.split("::")[0])
    if ring is None:
        return
    ring.seconds += report.duration
    if report.when == "call" or report.outcome != "passed":
        ring.counts[report.outcome] += 1


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    used = [ring for ring in RINGS.values() if ring.counts]
    if not used:
        return
    terminalreporter.section("rings")
    for ring in used:
        counts = ", ".join(f"{count} {outcome}" for outcome, count in ring.counts.items())
        over = "   over its budget" if ring.seconds > ring.budget else ""
        terminalreporter.line(f"{ring.name:12} {counts:30} {ring.seconds:7.1f} s of {ring.budget:.0f} s{over}")
    for reason, count in sorted(_skips(terminalreporter).items()):
        terminalreporter.line(f"not run here: {count} tests, {reason}")


def _skips(terminalreporter: pytest.TerminalReporter) -> dict[str, int]:
    counts: dict[str, int] = defaultdict(int)
    for report in terminalreporter.stats.get("skipped", []):
        counts[skip_reason(report) or "expected to fail"] += 1
    return counts
