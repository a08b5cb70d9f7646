"""A folded map unfolds what is asked for, once, and never tells its ancestors what happened to its descendants."""

from rpds import HashTrieMap

from suite.model.persistent import Folded, differing, parted


def number(_: str, folded: bytes) -> int:
    return int(folded)


def octets(value: int) -> bytes:
    return str(value).encode()


def numbers(**folded: bytes | int) -> Folded[str, int]:
    return Folded(dict(folded), int, number, octets)


def test_a_value_is_unfolded_when_it_is_asked_for() -> None:
    assert numbers(a=b"1", b=b"2")["b"] == 2


def test_the_same_value_comes_twice_to_whoever_asks_twice() -> None:
    unfolded = Folded({"a": b"1"}, list, lambda _, folded: [folded])

    assert unfolded.get("a") is unfolded.update({"b": [b"2"]}).get("a")


def test_what_is_not_there_is_none_or_what_the_asker_says() -> None:
    assert (numbers().get("a"), numbers().get("a", 7)) == (None, 7)


def test_an_update_leaves_the_map_before_it_alone() -> None:
    before = numbers(a=b"1")

    after = before.update({"a": 5, "b": 6})

    assert (dict(before), dict(after)) == ({"a": 1}, {"a": 5, "b": 6})


def test_a_discarded_key_is_gone_from_every_view_and_may_come_back() -> None:
    without = numbers(a=b"1", b=b"2").discard("a")

    assert (dict(without), len(without), "a" in without, without.get("a")) == ({"b": 2}, 1, False, None)
    assert dict(without.update({"a": 3})) == {"a": 3, "b": 2}


def test_it_equals_any_map_with_the_same_entries() -> None:
    assert numbers(a=b"1") == HashTrieMap({"a": 1})
    assert numbers(a=b"1").update({"a": 2}) == numbers(a=2)
    assert numbers(a=b"1") != numbers(a=b"2")


def test_parted_are_what_nobody_has_asked_for_and_the_rest() -> None:
    mixed = numbers(a=b"1", b=b"2", c=3, d=b"4").discard("d").update({"e": 5})
    assert mixed["b"] == 2

    folded, rest = parted(mixed)

    assert (folded, sorted(rest)) == (["a"], [("b", 2), ("c", 3), ("e", 5)])


def test_what_differs_is_found_without_unfolding_what_does_not() -> None:
    asked: list[str] = []
    here = Folded({"a": b"1", "b": b"2", "c": b"3"}, int, lambda key, folded: asked.append(key) or int(folded), octets)

    assert list(differing(here, {"a": 1, "b": 9, "d": 4})) == [9, 4]
    assert asked == ["b"]


def test_a_value_folded_by_an_older_release_is_compared_unfolded() -> None:
    assert list(differing(numbers(a=b"01"), {"a": 1})) == []


def test_a_value_that_cannot_be_folded_is_compared_unfolded() -> None:
    here = Folded({"a": b"1"}, int, number, lambda _: int("no number"))

    assert list(differing(here, {"a": 1})) == []


def test_what_changed_since_is_what_counts_for_a_difference() -> None:
    here = numbers(a=b"1", b=b"2").update({"a": 5}).discard("b")

    assert list(differing(here, {"a": 1, "b": 2})) == [1, 2]
