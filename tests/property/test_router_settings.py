"""A router takes exactly the addresses of our pools, and a merged file stays what it is when it is merged again."""

from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as st

from suite.model.address import Range
from suite.speaker.router_config import entries_of
from suite.speaker.router_vyatta import merge

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
