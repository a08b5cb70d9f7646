"""What the tests about the project itself read: its files, each read and parsed once."""

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@cache
def sources(*folders: str) -> dict[str, str]:
    """Path from the root and text of every Python file below the folders."""
    found = (path for folder in folders for path in sorted((ROOT / folder).rglob("*.py")))
    return {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in found}


@cache
def parsed(path: str) -> ast.Module:
    """One Python file, parsed."""
    return ast.parse(text(path))


@cache
def text(path: str) -> str:
    """One file of the project."""
    return (ROOT / path).read_text(encoding="utf-8")


def imported(tree: ast.Module) -> set[str]:
    """Top-level names of all packages a module imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return {name.split(".")[0] for name in names}


def verbs() -> set[str]:
    """The verbs of suite.sh, from its dispatch table."""
    table = text("suite.sh").split("case $verb in", 1)[1].split("esac", 1)[0]
    return set(re.findall(r"^ +([a-z]+)(?: \||\))", table, re.MULTILINE))
