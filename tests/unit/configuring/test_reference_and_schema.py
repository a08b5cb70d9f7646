import dataclasses
from pathlib import Path

import jsonschema
import pytest

import suite.config
from suite.config.document import read_file, read_text
from suite.config.handbook import rewrite, table
from suite.config.loading import load
from suite.config.schema import json_schema, settings
from suite.config.tree import ListNode, MapNode, to_plain
from suite.model.configuration import Configuration, DnsSettings, L2Settings

REFERENCE = Path(suite.config.__file__).parent / "reference.yaml"
EXAMPLES = sorted((Path(__file__).parents[3] / "deploy" / "examples").glob("*.yaml"))
DOCUMENTATION = Path(__file__).parents[3] / "docs" / "configuration.md"
VALIDATOR = jsonschema.Draft202012Validator(json_schema())
NOTHING = (None, "", ())


def reference():
    (document,) = read_file(REFERENCE)
    return document


def paths(node, path=""):
    match node:
        case MapNode():
            for key, value in node.entries:
                here = f"{path}.{key}" if path else key
                yield here
                yield from paths(value, here)
        case ListNode():
            for item in node.items:
                yield from paths(item, f"{path}[]")


FREE = (".match-labels.", ".labels.", "communities.", ".service-accounts.")


def without_free_names(found):
    return {path for path in found if not any(part in path for part in FREE)}


def test_the_reference_is_a_valid_configuration():
    assert load([reference()]).problems == ()


def test_every_setting_of_the_parser_stands_in_the_reference():
    assert {each.path for each in settings()} - set(paths(reference().at.node)) == set()


def test_every_setting_of_the_reference_is_one_of_the_parser():
    known = {each.path for each in settings()}

    assert without_free_names(paths(reference().at.node)) - known == set()


@pytest.mark.parametrize("name", ["hold_time", "roles"])
def test_single_values_of_the_reference_are_the_defaults(name):
    assert getattr(load([reference()]).configuration, name) == getattr(Configuration(), name)


@pytest.mark.parametrize(
    ("group", "defaults", "examples"),
    [("dns", DnsSettings(), {"zones", "rate_limit"}), ("l2", L2Settings(), set())],
    ids=["dns", "l2"],
)
def test_groups_of_the_reference_have_the_defaults_or_an_example(group, defaults, examples):
    read = getattr(load([reference()]).configuration, group)
    names = [each.name for each in dataclasses.fields(defaults) if getattr(defaults, each.name) not in NOTHING]

    assert [name for name in names if getattr(read, name) != getattr(defaults, name) and name not in examples] == []


@pytest.mark.parametrize("name", ["auto_assign", "avoid_buggy", "draining"])
def test_pools_of_the_reference_have_the_defaults(name):
    pool = load([reference()]).configuration.pools[0]
    (default,) = load(
        read_text("address-pools: [{name: a, protocol: none, addresses: [10.0.0.0/24]}]")
    ).configuration.pools

    assert getattr(pool, name) == getattr(default, name)


@pytest.mark.parametrize("model", [Configuration, DnsSettings, L2Settings])
def test_every_field_of_the_model_can_be_set(model):
    made_by_other_means = {"digest", "l2_advertisements", "bgp_advertisements", "pools", "communities"}
    keys = {each.path.split(".")[-1] for each in settings()}

    assert {
        each.name.replace("_", "-") for each in dataclasses.fields(model) if each.name not in made_by_other_means
    } <= keys


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize("path", [REFERENCE, *EXAMPLES], ids=lambda path: path.name)
def test_the_schema_accepts_the_reference_and_the_examples(path):
    for document in read_file(path):
        VALIDATOR.validate(to_plain(document.at.node))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_the_examples_load_without_a_word(path):
    assert load(read_file(path)).problems == ()


@pytest.mark.parametrize(
    "text",
    [
        "adress-pools: []",
        "dns: {ttl: never}",
        "address-pools: [{protocol: bgp, addresses: [10.0.0.0/8]}]",
        "{apiVersion: metallb.io/v1beta1, kind: IPAddressPool, metadata: {name: a}, spec: {addresses: 10.0.0.0/8}}",
    ],
    ids=["unknown key", "no duration", "no name", "no list"],
)
def test_the_schema_refuses_what_the_parser_refuses(text):
    (document,) = read_text(text)

    assert load([document]).configuration is None
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate(to_plain(document.at.node))


def test_the_table_in_the_documentation_is_of_today():
    assert DOCUMENTATION.read_text(encoding="utf-8").endswith(table())


def test_the_table_is_written_behind_the_prose(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# Prose\n" + table().replace("required", "outdated"))

    rewrite(page)

    assert page.read_text() == "# Prose\n" + table()


def test_the_examples_in_the_documentation_load_without_a_word():
    text = DOCUMENTATION.read_text(encoding="utf-8")
    examples = [block.partition("```")[0] for block in text.split("```yaml\n")[1:]]

    assert [load(read_text(example)).problems for example in examples] == [()] * len(examples) != []
