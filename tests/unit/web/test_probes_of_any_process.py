"""The listener for a kubelet and Prometheus: three paths, and nothing that anybody could want to hide."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from suite.metrics.names import new_registry
from suite.model.configuration import Configuration
from suite.model.snapshot import Snapshot
from suite.model.status import Instance, Status
from suite.web.backend import Backend
from suite.web.probes import Probes

SNAPSHOT = Snapshot("epoch-1", 7, datetime(2026, 1, 1, tzinfo=UTC), Configuration((), digest="d"))


async def _never() -> Any:
    """No request has a body."""
    raise AssertionError("it was asked for")


def asked(path: str, method: str = "GET", reasons: tuple[str, ...] = ()) -> tuple[int, str]:
    """The status and the body of an answer."""
    status = Status((Instance("speaker", "node1", "0.1.0", "epoch-1", 7, reasons),))
    app = Probes(Backend(lambda: SNAPSHOT, lambda: status, new_registry()))
    sent: list[Any] = []

    async def request() -> None:
        async def send(message: Any) -> None:
            sent.append(message)

        await app({"type": "http", "method": method, "path": path}, _never, send)

    asyncio.run(request())
    head, body = sent
    return head["status"], body["body"].decode()


def test_a_process_that_answers_lives():
    assert asked("/healthz") == (200, '{"status":"ok"}')


def test_one_whose_roles_all_work_is_ready():
    status, text = asked("/readyz")

    assert (status, json.loads(text)) == (200, {"ready": True, "reasons": {}})


def test_one_whose_role_lacks_something_is_not_and_says_what():
    status, text = asked("/readyz", reasons=("the controller is not heard",))

    assert (status, json.loads(text)["reasons"]) == (503, {"speaker@node1": ["the controller is not heard"]})


def test_what_it_counts_is_in_the_format_of_prometheus():
    status, text = asked("/metrics")

    assert (status, 'suite_revision{role="speaker"} 7.0' in text.splitlines()) == (200, True)


@pytest.mark.parametrize("path", ["/", "/v1/status", "/v1/leases", "/v1/snapshot", "/v1/openapi.json"])
def test_nothing_of_the_api_is_there(path: str):
    assert asked(path)[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_it_takes_no_orders(method: str):
    assert asked("/metrics", method)[0] == 405


def test_a_question_for_the_head_alone_has_no_body():
    assert asked("/healthz", "HEAD") == (200, "")
