"""What a controller does about the Lease that guards against a second one."""

import pytest

from suite.cluster.guard import Record, Step, holder_of, read, step

OURS, THEIRS = "database a", "database b"


@pytest.mark.parametrize(
    ("record", "unchanged", "expected"),
    [
        pytest.param(None, 0.0, Step.CREATE, id="there is none"),
        pytest.param(Record(OURS), 99.0, Step.RENEW, id="ours, of an earlier life too"),
        pytest.param(Record(THEIRS), 14.9, Step.WAIT, id="another's"),
        pytest.param(Record(THEIRS), 15.1, Step.TAKE, id="another's that did not renew it"),
        pytest.param(Record(THEIRS, duration=60.0), 15.1, Step.WAIT, id="another's that lasts longer"),
        pytest.param(Record(""), 0.0, Step.TAKE, id="given up"),
    ],
)
def test_a_lease_is_taken_only_from_somebody_silent(record: Record | None, unchanged: float, expected: Step) -> None:
    assert step(record, OURS, unchanged) is expected


def test_rubbish_in_a_lease_is_read_as_nobodys() -> None:
    assert read({"spec": {"holderIdentity": None, "leaseDurationSeconds": "x"}}) == Record()


def test_two_databases_have_two_names_and_neither_tells_its_epoch() -> None:
    assert holder_of("one") != holder_of("two")
    assert "one" not in holder_of("one")
