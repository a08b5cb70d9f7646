"""Whatever a document says, reading it ends in a configuration or in problems that name their place, never in a fault."""

import json
from functools import cache

from chances import chances
from hypothesis import given, settings
from hypothesis import strategies as st

from suite.config.convert import to_native, to_resources
from suite.config.document import RESOURCES, from_object, from_settings, read_text
from suite.config.loading import load
from suite.config.resources import SPECS
from suite.config.schema import settings as every_setting
from suite.config.shape import Dialect
from suite.config.tree import from_plain, to_plain
from suite.config.values import duration_text, parse_duration
from suite.model.address import parse_range

WORDS = (
    "layer2", "bgp", "none", "a", "b", "default/coffee", "10.0.0.0/24", "10.0.0.5", "10.0.0.9-10.0.0.3", "2001:db8::/64",
    "64512:1", "large:1:2:3", "90s", "0", "-1", "3m0s", "127.0.0.1:53", "service", "x.local", "In", "Exists", "TXT", "*", "no", "",
)  # fmt: skip


@cache
def keys():
    native = {part for each in every_setting() for part in each.path.replace("[]", "").split(".")}
    resource = {
        part
        for group in SPECS.values()
        for each in every_setting(group, Dialect.RESOURCE)
        for part in each.path.replace("[]", "").split(".")
    }
    return tuple(sorted((native | resource) - {"*"}))


PRINTABLE = st.characters(max_codepoint=0x2FFF, exclude_categories=("Cc", "Cs", "Cn", "Zl", "Zp"))
leaves = st.none() | st.booleans() | st.integers(-2, 2**33) | st.sampled_from(WORDS) | st.text(PRINTABLE, max_size=5)
trees = st.deferred(
    lambda: st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(keys()), inner, max_size=6),
        max_leaves=25,
    )
)


def all_problems_name_their_place(problems):
    return all(problem.code and problem.message for problem in problems)


@given(st.text())
def test_any_text_is_read_or_told(text):
    outcome = load(read_text(text, "x"))

    assert all_problems_name_their_place(outcome.problems)
    assert (outcome.configuration is None) == bool(outcome.errors)


@given(trees)
@settings(max_examples=chances(80))
def test_any_settings_are_read_or_told(tree):
    outcome = load([from_settings(tree)])

    assert all_problems_name_their_place(outcome.problems)


@given(trees, st.sampled_from(RESOURCES))
@settings(max_examples=chances(80))
def test_any_resource_is_read_or_told(tree, kind):
    given_object = {"apiVersion": "metallb.io/v1beta1", "kind": kind, "metadata": {"name": "x"}, "spec": tree}
    outcome = load(from_object(given_object), strict=False)

    assert all_problems_name_their_place(outcome.problems)


@given(trees)
def test_conversion_goes_on_where_it_can(tree):
    objects = to_resources([from_settings(tree)]).objects

    assert json.loads(json.dumps(objects)) == objects
    to_native([document for each in objects for document in from_object(each)])


@given(trees)
def test_yaml_and_objects_say_the_same(tree):
    """JSON is YAML, so what a cluster gives and what a file says must come to the same problems."""
    text = json.dumps({"dns": tree, "address-pools": [tree]}, ensure_ascii=False)
    (from_text,) = read_text(text)

    assert to_plain(from_text.at.node) == to_plain(from_plain(json.loads(text)))
    assert [each.code for each in load([from_text]).problems] == [
        each.code for each in load([from_settings(json.loads(text))]).problems
    ]


@given(st.integers(0, 10**9))
def test_durations_survive_being_written(milliseconds):
    assert parse_duration(duration_text(milliseconds / 1000)) == milliseconds / 1000


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 8)), min_size=1, max_size=8))
def test_overlap_is_told_exactly_when_an_address_stands_twice(spans):
    written = [f"10.0.0.{first}-10.0.0.{first + more}" for first, more in spans]
    pools = [{"name": f"p{number}", "protocol": "none", "addresses": [each]} for number, each in enumerate(written)]
    addresses = [
        number for each in written for number in range(int(parse_range(each).first), int(parse_range(each).last) + 1)
    ]

    told = {problem.code for problem in load([from_settings({"address-pools": pools})]).problems}

    assert ("pool.overlap" in told) == (len(set(addresses)) < len(addresses))
