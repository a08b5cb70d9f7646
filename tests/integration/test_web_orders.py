"""Orders over HTTP: with a reason, against what is so, by whom a token names, and each in the audit log."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
import pytest
from fix_db import EVERYTHING

from suite.controller.credentials import create_token
from suite.controller.operator import Order
from suite.controller.orders import Orders
from suite.metrics.names import new_registry
from suite.model.event import SYSTEM
from suite.model.status import Status
from suite.model.token import Scope
from suite.web.access import Doorkeeper
from suite.web.application import application
from suite.web.backend import Backend

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
PRINTER = "/v1/reservations/10.0.42.50"
POOL = "/v1/pools/pool/draining"
NEW = {"If-None-Match": "*"}
WHY = {"reason": "printed on the label"}


@dataclass
class Desk:
    """The API over a database, as one token sees it."""

    store: object
    snapshot: object

    def __post_init__(self):
        backend = Backend(
            self.store.read, Status, new_registry(), store=self.store,
            doorkeeper=Doorkeeper(self.store.token, lambda: NOON), orders=Orders(self.store, self, lambda: NOON),
        )  # fmt: skip
        self.app = application(backend)

    def ask(self, method, path, *, scope=Scope.WRITE, **request):
        identity = ("id" + scope.value, "s3cret")
        changes, token = create_token(identity, scope.value, (scope,), Order(SYSTEM), NOON)
        if self.store.token(identity[0]) is None:
            self.store.commit(changes, self.snapshot, now=NOON)
        headers = {"Authorization": f"Bearer {token}", **request.pop("headers", {})}

        async def asked():
            transport = httpx.ASGITransport(app=self.app)
            async with httpx.AsyncClient(transport=transport, base_url="https://suite") as client:
                return await client.request(method, path, headers=headers, **request)

        return asyncio.run(asked())

    def reserved(self):
        return sorted(str(address) for address in self.store.read().reservations.keys())  # noqa: SIM118


@pytest.fixture
def desk(sqlite_db):
    store = sqlite_db.open()
    return Desk(store, store.commit(EVERYTHING, store.read(), now=NOON))


def test_an_address_is_reserved_and_the_log_names_the_token_and_the_reason(desk):
    answer = desk.ask("PUT", PRINTER, headers=NEW, json={"name": "default/printer", **WHY})
    [logged] = desk.store.events(limit=1)
    event = logged.event

    assert (answer.status_code, answer.json()["name"]) == (200, "default/printer")
    assert (event.actor.kind, event.actor.name, event.reason) == ("token", "token write", "printed on the label")


def test_an_order_without_a_reason_is_refused(desk):
    assert desk.ask("PUT", PRINTER, headers=NEW, json={"reason": ""}).status_code == 422
    assert desk.ask("DELETE", PRINTER, headers=NEW).status_code == 422


def test_an_order_that_does_not_say_what_it_believes_is_refused(desk):
    assert desk.ask("PUT", PRINTER, json=WHY).status_code == 428


def test_what_is_there_already_is_not_made_anew(desk):
    desk.ask("PUT", PRINTER, headers=NEW, json=WHY)

    again = desk.ask("PUT", PRINTER, headers=NEW, json={"name": "default/other", **WHY})

    assert again.status_code == 412


def test_the_tag_of_an_answer_is_good_for_the_next_order(desk):
    tag = desk.ask("PUT", PRINTER, headers=NEW, json=WHY).headers["ETag"]

    assert desk.ask("GET", PRINTER, scope=Scope.READ).headers["ETag"] == tag
    assert desk.ask("DELETE", PRINTER, headers={"If-Match": tag}, params=WHY).status_code == 204
    assert "10.0.42.50" not in desk.reserved()


def test_an_old_tag_changes_nothing(desk):
    old = desk.ask("PUT", PRINTER, headers=NEW, json=WHY).headers["ETag"]
    desk.ask("PUT", PRINTER, headers={"If-Match": old}, json={"note": "moved", **WHY})

    answer = desk.ask("DELETE", PRINTER, headers={"If-Match": old}, params=WHY)

    assert (answer.status_code, "10.0.42.50" in desk.reserved()) == (412, True)


@pytest.mark.parametrize("scope", [Scope.READ, Scope.SPEAKER, Scope.WEB])
def test_a_token_for_something_else_orders_nothing(desk, scope):
    assert desk.ask("PUT", PRINTER, scope=scope, headers=NEW, json=WHY).status_code == 403


def test_what_an_operator_may_not_do_is_told_like_on_the_command_line(desk):
    answer = desk.ask("PUT", "/v1/reservations/10.0.42.0", headers=NEW, json={"name": "default/other", **WHY})

    assert answer.status_code == 409
    assert "default/coffee" in answer.json()["error"]


@pytest.mark.parametrize(("is_draining", "expected"), [(True, True), (False, False)])
def test_a_pool_is_drained_and_gives_leases_again(desk, is_draining, expected):
    tag = desk.ask("GET", POOL).headers["ETag"]
    tag = desk.ask("PUT", POOL, headers={"If-Match": tag}, json={"draining": True, **WHY}).headers["ETag"]

    desk.ask("PUT", POOL, headers={"If-Match": tag}, json={"draining": is_draining, **WHY})

    assert ("pool" in desk.store.read().drained) == expected


def test_a_pool_that_is_not_there_is_not_found(desk):
    answer = desk.ask("PUT", "/v1/pools/none/draining", headers={"If-Match": "*"}, json={"draining": True, **WHY})

    assert answer.status_code == 404
