"""The recipe of the image: what goes in, and as whom it runs."""

import re
from functools import cache

import yaml
from deploy_files import DEPLOY, chart_values, installed, workloads
from project_files import ROOT, text

from suite import __version__


@cache
def steps() -> list[tuple[str, str]]:
    """Instruction and its arguments, lines joined."""
    joined = re.sub(r"\\\n", " ", text("deploy/Containerfile"))
    lines = [line for line in joined.splitlines() if line and not line.startswith("#")]
    return [(line.split(maxsplit=1)[0], " ".join(line.split()[1:])) for line in lines]


def test_packages_come_from_the_lock_file_with_their_hashes():
    [install] = [what for how, what in steps() if how == "RUN" and "install --no-cache-dir" in what]
    assert "--require-hashes" in install
    assert "--only-binary :all:" in install


def test_everything_copied_is_in_the_checkout_and_let_into_the_build():
    sources = [what.split()[-2] for how, what in steps() if how == "COPY" and not what.startswith("--from")]
    ignored = text("deploy/Containerfile.containerignore").splitlines()
    assert [each for each in sources if not (ROOT / each).exists() or f"!{each}" not in ignored] == []


def test_the_command_in_the_image_finds_what_the_recipe_put_there():
    command, recipe = text("deploy/suite"), text("deploy/Containerfile")
    assert "\nPYTHONPATH=/opt/suite\n" in command
    assert "\nCOPY suite /opt/suite/suite\nCOPY migrations /opt/suite/migrations\n" in recipe
    assert "exec /opt/venv/bin/python " in command
    assert "\nCOPY --from=packages /opt/venv /opt/venv\n" in recipe


def test_it_is_not_root_unless_a_manifest_says_so():
    assert [what for how, what in steps() if how == "USER"] == ["65532:65532"]


def test_the_tag_is_the_version_everywhere():
    images = {each["spec"]["template"]["spec"]["containers"][0]["image"] for each in workloads(installed()).values()}
    chart = yaml.safe_load((DEPLOY / "helm/Chart.yaml").read_text(encoding="utf-8"))
    said = {
        *(image.partition(":")[2] for image in images),
        chart_values()["image"]["tag"],
        chart["version"],
        chart["appVersion"],
    }
    assert said == {__version__}
