"""A recorded feed of release 0.1: read as it is, with what a newer release may add, and without what an older one lacks.

The digest is about the lines as they were sent, so a line that is changed here gets the digest of what it has become.
"""

import json
from pathlib import Path

import pytest

from suite.model.service import ServiceRef
from suite.store.remote import lines
from suite.store.remote.lines import FeedError
from suite.store.remote.reader import Known, read

FOLDER = Path(__file__).parent / "feed"
SECRET_OR_END = (b'["secrets"', b'["end"')


def recorded(name):
    return (FOLDER / f"{name}.jsonl").read_bytes().splitlines(keepends=True)


def resealed(changed):
    """An answer whose lines were changed, with the digest and the count that its sender would have given it."""
    header, *rest = changed
    weights = [lines.weight(each) for each in rest if not each.startswith(SECRET_OR_END)]
    head = json.loads(header) | {"digest": lines.digest_text(lines.total(weights))}
    return [json.dumps(head).encode() + b"\n", *rest[:-1], lines.end_line(len(rest) - 1)]


def with_more(line, **more):
    """A line whose document has more fields."""
    found = json.loads(line)
    if isinstance(found, dict):
        return json.dumps(found | more).encode() + b"\n"
    table, key, document = found
    if isinstance(document, dict):
        document |= more
    elif isinstance(document, list):
        document = [each | more for each in document]
    return json.dumps([table, key, document]).encode() + b"\n"


def test_the_base_and_then_the_changes_are_read():
    known = read(iter(recorded("base")), Known()).known

    answer = read(iter(recorded("changes")), known)

    assert {str(ref) for ref in answer.known.snapshot.services.keys()}  # noqa: SIM118 - a persistent map == {"default/coffee", "default/cocoa"}
    assert answer.touched == {ServiceRef("default", "tea"), ServiceRef("default", "cocoa")}


def test_fields_and_tables_of_a_newer_release_are_passed_over():
    expected = read(iter(recorded("base")), Known()).known.snapshot
    newer = [with_more(each, colour="green") if not each.startswith(b'["end"') else each for each in recorded("base")]
    newer[-2:-2] = [b'["teapot",["short"],{"stout":true}]\n']

    answer = read(iter(resealed(newer)), Known())

    assert (answer.known.snapshot, answer.left_out) == (expected, ())


def test_a_word_of_a_newer_release_leaves_out_its_document_and_nothing_else():
    newer = [each.replace(b"PoolExhausted", b"PoolOnStrike") for each in recorded("base")]

    answer = read(iter(resealed(newer)), Known())

    assert answer.left_out == ("refusal default/milk",)
    assert len(answer.known.snapshot.services) == 2


@pytest.mark.parametrize("field", ["drained_nodes", "withheld"])
def test_a_small_value_that_an_older_release_lacks_has_its_default(field):
    older = []
    for each in recorded("base"):
        table, key, document = found if isinstance(found := json.loads(each), list) else ("", [], {})
        is_small = table == "small"
        kept = {name: value for name, value in document.items() if name != field} if is_small else {}
        older.append(json.dumps([table, key, kept]).encode() + b"\n" if is_small else each)

    snapshot = read(iter(resealed(older)), Known()).known.snapshot

    assert not getattr(snapshot, field)


def test_another_format_is_refused():
    header = json.loads(recorded("base")[0]) | {"format": 2}

    with pytest.raises(FeedError, match="it is of another format"):
        read(iter([json.dumps(header).encode(), *recorded("base")[1:]]), Known())


def test_what_is_no_feed_is_refused():
    for text in (b"", b"null\n", b"[]\n", b"<html>\n", b'{"format":1}\n', b"\xff\xfe\n"):
        with pytest.raises(FeedError):
            read(iter([text]), Known())
