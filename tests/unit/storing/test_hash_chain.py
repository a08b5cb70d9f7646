"""The text an event is hashed as, and the hashes, are the ones that docs/audit.md promises for ever."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from suite.store import chain
from suite.store.audit import Anchor, parse_anchor
from suite.store.database import time_of, time_text
from suite.store.errors import StoreError

VALUES = (
    "allocated", "controller", "system", "10.0.42.0", "", "2026-11-22 14:03:00.000000Z", None, 4, 1, "default", "",
    "pool", "first free, on »Ötzi«", 1795347336, "coffee",
)  # fmt: skip

TEXT = (
    '{"action":"allocated","actor":"controller","actor_kind":"system","address":"10.0.42.0",'
    '"at":"2026-11-22 14:03:00.000000Z","family":4,"n":1,"namespace":"default","pool":"pool",'
    '"reason":"first free, on »Ötzi«","revision":1795347336,"service":"coffee"}'
)


def test_event_is_hashed_as_one_json_object_without_what_is_empty():
    assert chain.canonical(VALUES) == TEXT


def test_names_are_sorted_so_that_any_language_can_do_the_same():
    assert list(chain.FIELDS) == sorted(chain.FIELDS)


def test_first_hash_is_sha256_of_the_text_alone():
    assert chain.link("", "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_hash_covers_the_one_before_it():
    assert chain.link("ab", "c") == chain.link("", "abc") != chain.link("", "c")


def test_seal_is_hmac_sha256_of_the_hash():
    """RFC 4231 section 4.3, test case 2."""
    expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert chain.seal(b"Jefe", "what do ya want for nothing?") == expected


def test_without_a_key_there_is_no_seal():
    assert chain.seal(b"", "hash") == ""


def test_anchor_reads_back_from_its_text():
    anchor = Anchor(1795347336, 2, "9f" * 32)

    assert parse_anchor(f" {anchor}\n") == anchor


@pytest.mark.parametrize("text", ["", "1.1", "1.1:ab", "x.1:" + "0" * 64, "1:" + "0" * 64])
def test_text_that_is_no_anchor_is_refused(text):
    with pytest.raises(ValueError, match="no anchor"):
        parse_anchor(text)


def test_time_is_written_in_utc_with_microseconds():
    berlin = timezone(timedelta(hours=1))

    assert time_text(datetime(2026, 11, 22, 15, 3, 0, 7, berlin)) == "2026-11-22 14:03:00.000007Z"


def test_time_reads_back_aware():
    noon = datetime(2026, 11, 22, 12, tzinfo=UTC)

    assert time_of(time_text(noon)) == noon
    assert time_of(time_text(noon)).tzinfo == UTC


def test_time_that_would_not_sort_is_refused():
    with pytest.raises(StoreError, match="year 1000"):
        time_text(datetime(999, 1, 1, tzinfo=UTC))
