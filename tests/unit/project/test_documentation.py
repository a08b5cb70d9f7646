"""What the documents tell people to type exists."""

import re

import pytest
from project_files import ROOT, text, verbs

from suite.config.document import read_text
from suite.config.loading import load

DOCUMENTS = sorted(str(path.relative_to(ROOT)) for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


def commands(document: str) -> list[str]:
    """The lines of a document's shell blocks, without prompts, comments and continuations."""
    blocks = re.findall(r"```(?:sh|console|bash)\n(.*?)```", text(document), re.DOTALL)
    lines = [line.strip().removeprefix("$ ") for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def test_readme_starts_with_two_commands() -> None:
    assert [command.split("#")[0].strip() for command in commands("README.md")[:2]] == [
        "./suite.sh run",
        "./suite.sh test",
    ]


def test_every_verb_is_told_by_help_and_by_a_document() -> None:
    told = {verb for document in DOCUMENTS for verb in re.findall(r"\./suite\.sh ([a-z]+)", text(document))}
    helped = set(re.findall(r"^  ([a-z]+) ", text("suite.sh"), re.MULTILINE))

    assert verbs() - told == set()
    assert verbs() - helped == set()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_command_told_exists(document: str) -> None:
    from suite.cli.program import PLACES

    typed = [re.match(r"(\./suite\.sh|suite) ([a-z-]+)", command) for command in commands(document)]

    unknown = [match[0] for match in typed if match and match[2] not in (verbs() | PLACES.keys())]

    assert unknown == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_leads_somewhere(document: str) -> None:
    targets = re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", text(document))

    assert [target for target in targets if not (ROOT / document).parent.joinpath(target).exists()] == []


def test_documents_speak_of_no_place_on_one_machine() -> None:
    assert [document for document in DOCUMENTS if re.search(r"/(work|root|home)/", text(document))] == []


def yaml_blocks() -> list[tuple[str, str]]:
    """Every configuration shown in a document, with the document's name."""
    shown = [
        (document, block)
        for document in DOCUMENTS
        for block in re.findall(r"```yaml\n(.*?)```", text(document), re.DOTALL)
    ]
    return [(document, block) for document, block in shown if re.search("address-pools|kind: IPAddressPool", block)]


@pytest.mark.parametrize(("document", "block"), yaml_blocks(), ids=lambda value: value.split("\n")[0][:20])
def test_every_configuration_shown_is_valid(document: str, block: str) -> None:
    assert load(read_text(block, document)).problems == ()


def test_sample_configuration_is_valid() -> None:
    assert load(read_text(text("deploy/examples/suite.yaml"), "suite.yaml")).problems == ()


def test_every_document_is_found_from_the_readme() -> None:
    found, new = set(), {"README.md"}
    while new:
        found |= new
        links = {
            (document, target)
            for document in new
            for target in re.findall(r"\]\((?!https?:)([^)#]+\.md)", text(document))
        }
        targets = {
            str((ROOT / document).parent.joinpath(target).resolve().relative_to(ROOT)) for document, target in links
        }
        new = {target for target in targets if (ROOT / target).exists()} - found

    assert set(DOCUMENTS) - found == set()
