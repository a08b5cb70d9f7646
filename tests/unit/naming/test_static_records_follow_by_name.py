"""An imported record that comes or goes costs its own name, not a plan of all."""

from dataclasses import replace

from rpds import HashTrieMap

from suite.model.configuration import StaticRecord
from suite.model.remembering import STEPS, Remembering
from suite.nameserver.written import Written, source_of

PRINTER = StaticRecord("printer", "A", "192.0.2.1")
MANY = {replace(PRINTER, name=f"name-{number}"): True for number in range(STEPS + 1)}


def test_one_record_that_goes_leaves_one_name_to_plan_anew():
    before = Remembering({**MANY, PRINTER: True})

    assert Written((), before).follow(before, before.discard(PRINTER)) == {source_of(PRINTER)}


def test_records_of_one_name_are_planned_together():
    text = replace(PRINTER, name="PRINTER.", type="TXT", value="there")
    before = Remembering({PRINTER: True})
    written = Written((), before)

    written.follow(before, before.update({text: True}))

    assert set(written.at(source_of(PRINTER))) == {PRINTER, text}


def test_all_keys_of_one_step_are_remembered():
    before = Remembering({PRINTER: True})
    first, second, *_ = MANY

    assert before.update({first: True, second: True}).discard(PRINTER).changed_since(before) == {first, second, PRINTER}


def test_a_large_import_is_planned_whole():
    before = Remembering()

    assert Written().follow(before, before.update(MANY)) is None


def test_records_that_were_read_anew_are_planned_whole():
    assert Written((), [PRINTER]).follow(HashTrieMap({PRINTER: True}), HashTrieMap()) is None


def test_another_branch_of_the_same_past_is_no_past():
    before = Remembering({PRINTER: True})

    assert before.discard(PRINTER).changed_since(before.update(MANY)) is None
