"""Which nameservers elsewhere answer for what this process knows."""

from datetime import UTC, datetime

import pytest

from suite.model.configuration import Configuration
from suite.model.snapshot import Snapshot
from suite.model.status import Fellow, Instance
from suite.web.elsewhere import nameservers_at

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SNAPSHOT = Snapshot("e", 7, NOW, Configuration((), digest="d"))


def fellow(
    node: str,
    revision: int = 7,
    role: str = "nameserver",
    epoch: str = "e",
    why: str = "",
    gone: datetime | None = None,
) -> Fellow:
    return Fellow(Instance(role, node, "0.1.0", epoch, revision, (why,) if why else ()), 0, 0, NOW, gone)


def test_nameservers_at_this_revision_or_a_later_one_act_on_it():
    assert nameservers_at(SNAPSHOT, [fellow("b"), fellow("a", revision=8)]) == ("a", "b")


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(fellow("a", revision=6), id="an older revision"),
        pytest.param(fellow("a", role="speaker"), id="a speaker"),
        pytest.param(fellow("a", epoch="f"), id="another database"),
        pytest.param(fellow("a", why="it does not listen"), id="not ready"),
        pytest.param(fellow("a", gone=NOW), id="gone"),
    ],
)
def test_others_do_not(other: Fellow):
    assert nameservers_at(SNAPSHOT, [other]) == ()
