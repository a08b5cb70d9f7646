"""Rules of the source that no linter brings along: words, headers, and budgets that may not grow."""

import ast
import re
import tokenize
from collections.abc import Iterator
from io import StringIO

import pytest
from project_files import imported, sources, trees

PRODUCT = ("suite", "migrations")
BANNED = {"utils", "util", "common", "helpers", "helper", "manager", "handler", "base", "misc", "core", "data", "info"}
HOMES = {
    "dnslib": ("suite/dns/",),
    "kubernetes": ("suite/cluster/",),
    "scapy": ("suite/l2/",),
    "sqlalchemy": ("suite/store/", "migrations/"),
    "alembic": ("suite/store/", "migrations/"),
}


def comments() -> Iterator[tuple[str, str]]:
    for path, source in sources(*PRODUCT).items():
        for token in tokenize.generate_tokens(StringIO(source).readline):
            if token.type == tokenize.COMMENT:
                yield f"{path}:{token.start[0]}", token.string


@pytest.mark.parametrize("package", HOMES)
def test_given_package_is_imported_where_it_belongs_and_only_there(package: str) -> None:
    importers = [path for path, tree in trees(*PRODUCT).items() if package in imported(tree)]

    assert importers
    assert [path for path in importers if not path.startswith(HOMES[package])] == []


def test_every_module_explains_itself() -> None:
    assert [path for path, tree in trees(*PRODUCT).items() if not ast.get_docstring(tree)] == []


def test_every_package_says_what_belongs_in_it() -> None:
    packages = {path: tree for path, tree in trees("suite").items() if path.count("/") > 1 and "__init__" in path}

    short = [path for path, tree in packages.items() if len((ast.get_docstring(tree) or "").splitlines()) < 2]

    assert short == []


def test_no_module_has_a_name_that_says_nothing() -> None:
    words = {path: set(path.removesuffix(".py").replace("/", "_").split("_")) for path in sources("suite")}

    assert [path for path, parts in words.items() if parts & BANNED] == []


def test_no_class_has_a_name_that_says_nothing() -> None:
    classes = [
        (path, node.name)
        for path, tree in trees("suite").items()
        for node in ast.walk(tree)
        if type(node) is ast.ClassDef
    ]

    vague = [(path, name) for path, name in classes if {w.lower() for w in re.findall("[A-Z][a-z]*", name)} & BANNED]

    assert vague == []


def test_only_the_command_line_prints() -> None:
    printing = [
        f"{path}:{node.lineno}"
        for path, tree in trees(*PRODUCT).items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]

    assert [place for place in printing if not place.startswith("suite/cli/")] == []


def test_at_most_one_broad_except_and_that_in_run() -> None:
    broad = [
        path
        for path, tree in trees(*PRODUCT).items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) in {"Exception", "BaseException"})
    ]

    assert broad in ([], ["suite/run.py"])


def test_at_most_five_places_are_kept_from_coverage() -> None:
    assert len([place for place, comment in comments() if "no cover" in comment]) <= 5


def test_at_most_ten_types_are_ignored_each_with_its_code() -> None:
    ignores = [(place, comment) for place, comment in comments() if "type: ignore" in comment]

    assert len(ignores) <= 10
    assert [place for place, comment in ignores if not re.search(r"type: ignore\[[a-z-]+", comment)] == []


def test_a_file_over_500_lines_gives_its_reason_in_its_header() -> None:
    long = [path for path, source in sources(*PRODUCT, "tests").items() if source.count("\n") > 500]

    unexplained = [
        path for path in long if "500 lines" not in (ast.get_docstring(trees(*PRODUCT, "tests")[path]) or "")
    ]

    assert unexplained == []


def test_no_two_test_files_share_a_name() -> None:
    names = [path.rsplit("/", 1)[-1] for path in sources("tests") if "/test_" in path]

    assert sorted({name for name in names if names.count(name) > 1}) == []


def test_tests_use_no_mocks() -> None:
    forbidden = re.compile(r"\b(Mock|MagicMock|monkeypatch|mocker)\b")

    users = [path for path, source in sources("tests").items() if forbidden.search(source)]

    assert users == ["tests/unit/project/test_source_rules.py"]
