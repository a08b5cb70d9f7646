"""A router takes exactly the addresses of our pools, and a merged file stays what it is when it is merged again."""

import contextlib
import json
import re
from ipaddress import ip_address
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from suite.model.address import Range
from suite.speaker.router_config import entries_of
from suite.speaker.router_read import Known, Unreadable, read
from suite.speaker.router_vyatta import merge, way_back

BASE = int(ip_address("10.10.10.0"))
ends = st.tuples(st.integers(0, 600), st.integers(0, 600)).map(sorted)
texts = st.text("abc", min_size=1, max_size=2)
trees = st.recursive(
    st.dictionaries(texts, texts, max_size=3),
    lambda inner: st.dictionaries(texts, inner | st.lists(texts, max_size=3), max_size=3),
    max_leaves=12,
)


@given(st.lists(ends, min_size=1, max_size=4), st.integers(0, 700))
def test_an_address_is_accepted_exactly_when_a_pool_has_it(spans: list[list[int]], offset: int) -> None:
    ranges = [Range(ip_address(BASE + first), ip_address(BASE + last)) for first, last in spans]
    address = ip_address(BASE + offset)

    is_accepted = any(address in entry.network for entry in entries_of(32, ranges))

    assert is_accepted == any(address in span for span in ranges)


@given(st.lists(ends, min_size=1, max_size=4), st.integers(16, 31))
def test_aggregates_are_accepted_whole_and_every_address_lies_in_one(spans: list[list[int]], length: int) -> None:
    ranges = [Range(ip_address(BASE + first), ip_address(BASE + last)) for first, last in spans]

    entries = entries_of(length, ranges)

    assert all(entry.network.prefixlen <= length for entry in entries)
    assert all(any(span.first in entry.network for entry in entries) for span in ranges)


@given(trees, trees)
def test_merging_twice_is_merging_once(known: dict[str, object], ours: dict[str, object]) -> None:
    try:
        once = merge(known, ours)
    except ValueError:
        return

    assert merge(once, ours) == once


@given(trees, trees)
def test_what_is_not_ours_stays(known: dict[str, object], ours: dict[str, object]) -> None:
    try:
        merged = merge(known, ours)
    except ValueError:
        return

    assert {name: merged[name] for name in known.keys() - ours.keys()} == {
        name: known[name] for name in known.keys() - ours.keys()
    }


def put_back(merged: object, lines: list[str]) -> object:
    """What a person does with the way back of a merged file, line by line."""
    tree = json.loads(json.dumps(merged))
    for line in lines:
        removal = re.fullmatch(r"remove (.*)", line)
        change = re.fullmatch(r"(.*) was (.*)", line)
        if removal and (entry := re.fullmatch(r'("\w*") from (.*)', removal[1])):
            at(tree, entry[2].split()).remove(json.loads(entry[1]))
        elif removal:
            *above, name = removal[1].split()
            del at(tree, above)[name]
        elif change:
            *above, name = change[1].split()
            at(tree, above)[name] = json.loads(change[2])
    return tree


def at(tree: Any, path: list[str]) -> Any:
    for name in path:
        tree = tree[name]
    return tree


@given(trees, trees)
def test_the_way_back_of_a_merged_file_is_the_file_there_was(known: dict[str, Any], ours: dict[str, Any]) -> None:
    try:
        merged = merge(known, ours)
    except ValueError:
        return

    assert put_back(merged, list(way_back(known, merged))) == known


@given(st.text())
def test_whatever_a_router_s_file_holds_reading_it_ends_with_sentences(text: str) -> None:
    for start in (
        "",
        "router bgp 1\n",
        "set protocols bgp 1 neighbor ",
        "/routing bgp connection\nadd ",
        "protocol bgp x {",
        "{",
    ):
        with contextlib.suppress(Unreadable):
            assert isinstance(read(start + text), Known)
