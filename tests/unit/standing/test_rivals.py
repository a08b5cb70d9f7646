"""Which pods of another load balancer count as speaking."""

from typing import Any

import pytest

from suite.cluster.rivals import is_speaking

ENDED = [{"state": {"terminated": {"exitCode": 0}}}]
RUNS = [{"state": {"running": {}}}]
CRASHED = [{"state": {"waiting": {"reason": "CrashLoopBackOff"}}}]
OURS = {"component": "speaker"}


def pod(
    labels: dict[str, str], *, node: str = "a", phase: str = "Running", containers: Any = (), leaves: bool = False
) -> dict[str, Any]:
    metadata = {"name": "p", "labels": labels, **({"deletionTimestamp": "2026-01-01T00:00:00Z"} if leaves else {})}
    return {
        "metadata": metadata,
        "spec": {"nodeName": node},
        "status": {"phase": phase, "containerStatuses": containers},
    }


@pytest.mark.parametrize(
    ("given", "speaks"),
    [
        pytest.param(pod(OURS, containers=RUNS), True, id="runs"),
        pytest.param(pod({"app.kubernetes.io/component": "speaker"}), True, id="of the Helm chart"),
        pytest.param(pod({"component": "controller"}), False, id="no speaker"),
        pytest.param(pod(OURS, node=""), False, id="has no node yet"),
        pytest.param(pod(OURS, containers=CRASHED), True, id="crashed and will come back"),
        pytest.param(pod(OURS, containers=RUNS, leaves=True), True, id="is being deleted and still runs"),
        pytest.param(pod(OURS, containers=ENDED, leaves=True), False, id="is being deleted and has ended"),
        pytest.param(pod(OURS, phase="Failed"), False, id="failed"),
        pytest.param({}, False, id="nothing"),
    ],
)
def test_a_pod_speaks_until_it_has_ended(given: dict[str, Any], speaks: bool) -> None:
    assert is_speaking(given) is speaks
