"""Tokens are made and revoked, keys rotate in two steps, and the audit log learns of all of it but the secrets."""

from datetime import UTC, datetime

from suite.controller.credentials import create_token, introduce_key, promote_key, revoke_token
from suite.controller.operator import Order
from suite.model.event import Action, Actor
from suite.model.refusal import Reason
from suite.model.token import Scope

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
ORDER = Order(Actor("operator", "anna"), "a new machine")


def made(name="compute2"):
    return create_token(("abc", "s3cret"), name, {Scope.SPEAKER}, ORDER, NOON, node="compute2")


def test_the_text_of_a_token_is_told_and_only_its_hash_written():
    changes, text = made()

    assert text == "suite_abc_s3cret"
    assert "s3cret" not in f"{changes}{changes.tokens[0].hash}"


def test_the_log_says_who_made_it_for_what():
    [event] = made()[0].events

    assert (event.action, event.actor.name, event.node) == (Action.TOKEN_CREATED, "anna", "compute2")
    assert event.reason == "token compute2 for speaker: a new machine"


def test_a_token_is_revoked_by_its_name_or_its_id():
    [token] = made()[0].tokens

    assert revoke_token([token], "compute2", ORDER).tokens_revoked == ("abc",)
    assert revoke_token([token], "abc", ORDER).tokens_revoked == ("abc",)


def test_a_token_that_is_not_there_is_refused():
    assert revoke_token([], "compute2", ORDER).reason is Reason.NOT_FOUND


def test_a_new_key_is_believed_before_it_signs():
    first = introduce_key(("old", "older"), "new", ORDER).heartbeat_keys
    second = promote_key(first, ORDER).heartbeat_keys

    assert (first, second) == (("old", "new"), ("new", "old"))


def test_without_a_second_key_there_is_nothing_to_promote():
    assert not promote_key(("old",), ORDER)


def test_no_key_stands_in_the_log_or_a_repr():
    changes = introduce_key(("old-key",), "new-key", ORDER)

    assert "new-key" not in f"{changes}{changes.events}"
