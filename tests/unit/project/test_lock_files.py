"""The lock files hold what pyproject.toml asks for, exactly, with hashes, and name no place it comes from."""

import re
import tomllib
from functools import cache

import pytest
from project_files import text

LOCKS = ("deploy/requirements.lock", "tests/requirements.lock")


@cache
def pins(lock: str) -> dict[str, str]:
    """Package and exact version of every entry."""
    return dict(re.findall(r"^([a-z0-9.-]+)==(\S+)", text(lock), re.MULTILINE))


def wanted(*, tests: bool) -> set[str]:
    project = tomllib.loads(text("pyproject.toml"))["project"]
    requirements = project["dependencies"] + (project["optional-dependencies"]["dev"] if tests else [])
    return {re.split(r"[\[<>=;~! ]", requirement)[0].lower().replace("_", "-") for requirement in requirements}


@pytest.mark.parametrize(("lock", "tests"), [(LOCKS[0], False), (LOCKS[1], True)], ids=["run", "test"])
def test_every_requirement_is_locked(lock: str, tests: bool) -> None:
    assert wanted(tests=tests) - pins(lock).keys() == set()


def test_tests_run_with_what_users_run_with() -> None:
    assert pins(LOCKS[0]).items() - pins(LOCKS[1]).items() == set()


@pytest.mark.parametrize("lock", LOCKS)
def test_every_entry_carries_hashes(lock: str) -> None:
    entries = re.split(r"\n(?=\S)", text(lock).strip())

    assert len(entries) == len(pins(lock))
    assert [entry.split()[0] for entry in entries if not re.search(r"--hash=sha256:[0-9a-f]{64}\b", entry)] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_no_lock_names_a_registry(lock: str) -> None:
    assert re.findall(r"://|-url|find-links|@ ", text(lock)) == []


def test_runtime_lock_holds_no_test_tools() -> None:
    assert pins(LOCKS[0]).keys() & {"pytest", "hypothesis", "ruff", "mypy", "dnspython"} == set()
