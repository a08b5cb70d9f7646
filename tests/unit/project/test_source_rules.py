"""Rules of the source that no linter brings along: words, headers, and budgets that may not grow."""

import ast
import re
import tokenize
from collections.abc import Iterator
from io import StringIO
from typing import TypeVar

import pytest
from project_files import imported, parsed, sources

Node = TypeVar("Node", bound=ast.AST)

PRODUCT = ("suite", "migrations")
BANNED = {"utils", "util", "common", "helpers", "helper", "manager", "handler", "base", "misc", "core", "data", "info"}
HOMES = {
    "dnslib": ("suite/dns/",),
    "kubernetes": ("suite/cluster/",),
    "scapy": ("suite/l2/",),
    "sqlalchemy": ("suite/store/", "migrations/"),
    "alembic": ("suite/store/", "migrations/"),
}


def comments(words: str) -> Iterator[tuple[str, str]]:
    """Comments with these words, and where they stand."""
    for path, source in sources(*PRODUCT).items():
        for token in tokenize.generate_tokens(StringIO(source).readline) if words in source else ():
            if token.type == tokenize.COMMENT and words in token.string:
                yield f"{path}:{token.start[0]}", token.string


def nodes(words: str, kind: type[Node]) -> Iterator[tuple[str, Node]]:
    """Nodes of this kind in modules in which these words stand, and the path of each."""
    for path, source in sources(*PRODUCT).items():
        for node in ast.walk(parsed(path)) if words in source else ():
            if isinstance(node, kind):
                yield path, node


@pytest.mark.parametrize("package", HOMES)
def test_given_package_is_imported_where_it_belongs_and_only_there(package: str) -> None:
    importers = [
        path for path, source in sources(*PRODUCT).items() if package in source and package in imported(parsed(path))
    ]

    assert importers
    assert [path for path in importers if not path.startswith(HOMES[package])] == []


def test_every_module_explains_itself() -> None:
    begins_with_a_docstring = re.compile(r'(#.*\n)*\s*r?"""\S')

    assert [path for path, source in sources(*PRODUCT).items() if not begins_with_a_docstring.match(source)] == []


def test_every_package_says_what_belongs_in_it() -> None:
    packages = [path for path in sources("suite") if path.count("/") > 1 and "__init__" in path]

    short = [path for path in packages if len((ast.get_docstring(parsed(path)) or "").splitlines()) < 2]

    assert short == []


def test_no_module_has_a_name_that_says_nothing() -> None:
    words = {path: set(path.removesuffix(".py").replace("/", "_").split("_")) for path in sources("suite")}

    assert [path for path, parts in words.items() if parts & BANNED] == []


def test_no_class_has_a_name_that_says_nothing() -> None:
    classes = [
        (path, name)
        for path, source in sources(*PRODUCT).items()
        for name in re.findall(r"^ *class (\w+)", source, re.MULTILINE)
    ]

    vague = [(path, name) for path, name in classes if {w.lower() for w in re.findall("[A-Z][a-z]*", name)} & BANNED]

    assert vague == []


def test_only_the_command_line_prints() -> None:
    printing = [
        f"{path}:{node.lineno}"
        for path, node in nodes("print(", ast.Call)
        if isinstance(node.func, ast.Name) and node.func.id == "print"
    ]

    assert [place for place in printing if not place.startswith("suite/cli/")] == []


def test_at_most_one_broad_except_and_that_in_run() -> None:
    broad = [
        path
        for path, node in nodes("except", ast.ExceptHandler)
        if node.type is None or ast.unparse(node.type) in {"Exception", "BaseException"}
    ]

    assert broad in ([], ["suite/run.py"])


def test_at_most_five_places_are_kept_from_coverage() -> None:
    assert len(list(comments("no cover"))) <= 5


def test_at_most_ten_types_are_ignored_each_with_its_code() -> None:
    ignores = list(comments("type: ignore"))

    assert len(ignores) <= 10
    assert [place for place, comment in ignores if not re.search(r"type: ignore\[[a-z-]+", comment)] == []


def test_a_file_over_500_lines_gives_its_reason_in_its_header() -> None:
    long = [path for path, source in sources(*PRODUCT, "tests").items() if source.count("\n") > 500]

    unexplained = [path for path in long if "500 lines" not in (ast.get_docstring(parsed(path)) or "")]

    assert unexplained == []


def test_no_two_test_files_share_a_name() -> None:
    names = [path.rsplit("/", 1)[-1] for path in sources("tests") if "/test_" in path]

    assert sorted({name for name in names if names.count(name) > 1}) == []


def test_tests_use_no_mocks() -> None:
    forbidden = re.compile(r"\b(Mock|MagicMock|monkeypatch|mocker)\b")

    users = [path for path, source in sources("tests").items() if forbidden.search(source)]

    assert users == ["tests/unit/project/test_source_rules.py"]
