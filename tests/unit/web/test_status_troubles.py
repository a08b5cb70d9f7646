"""What an operator should look at is told in sentences, and nothing is told when all is well."""

from suite.model.problem import Problem
from suite.model.status import Instance, Status

READY = Instance("controller", "node1", "0.1.0")
WAITING = Instance("nameserver", "node1", "0.1.0", reasons=("no snapshot yet", "no socket"))


def test_a_suite_in_which_every_role_works_is_ready():
    status = Status((READY,))

    assert status.is_ready
    assert status.troubles() == ()


def test_a_suite_without_any_role_is_not_ready():
    assert not Status().is_ready


def test_every_trouble_is_one_sentence():
    problem = Problem("dns", "no zone", source="suite.yaml", line=3)

    status = Status((READY, WAITING), (problem,), is_stale=True, withheld="0123456789ab", database="it is away")

    assert not status.is_ready
    assert status.troubles() == (
        "nameserver on node1 is not ready: no snapshot yet; no socket",
        "it is away",
        "the newest configuration is bad and kept out; what was in force before stays so",
        "releases wait for an operator: look at `suite plan`, then `suite plan --confirm 0123456789ab`",
        "suite.yaml:3: dns: no zone",
    )
