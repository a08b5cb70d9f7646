"""The top of the checkout stays a table of contents."""

import re
from fnmatch import fnmatch

from project_files import ROOT, text

FOLDERS = {"suite", "migrations", "tests", "deploy", "docs", ".ci"}
FILES = {"pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE", "suite.sh", ".gitignore", ".editorconfig"}


def test_top_level_holds_these_and_nothing_else() -> None:
    ignored = [line.strip("/") for line in text(".gitignore").splitlines()]

    present = {path.name for path in ROOT.iterdir() if not any(fnmatch(path.name, name) for name in [*ignored, ".git"])}

    assert present == FOLDERS | FILES


def test_license_is_the_full_apache_2() -> None:
    licence = text("LICENSE")

    assert re.search(r"Apache License\s+Version 2\.0, January 2004", licence)
    assert "END OF TERMS AND CONDITIONS" in licence


def test_changelog_names_the_version_of_the_package() -> None:
    version = re.search(r'^version = "(.+)"', text("pyproject.toml"), re.MULTILINE)

    assert version
    assert f'__version__ = "{version[1]}"' in text("suite/__init__.py")
    assert re.search(rf"^## \[?(Unreleased|{re.escape(version[1])})\b", text("CHANGELOG.md"), re.MULTILINE)
