"""Tokens at the door: who is let in, for how long, and who cannot be checked."""

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from suite.model.token import Reviewed, Scope, Token, hash_of, is_its_secret, read_token, write_token
from suite.store.errors import Unavailable
from suite.web.access import MOST_TOKEN, REMEMBERED, Caller, Denied, Doorkeeper

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
TOKEN = Token("abc", "compute2", frozenset({Scope.SPEAKER}), hash_of("s3cret"), NOON, node="compute2")
BEARER = "Bearer suite_abc_s3cret"
ACCOUNT = "suite-system/suite-follower"


@dataclass
class Gate:
    """A doorkeeper with a database, an API server and clocks that a test turns."""

    token: Token | None = TOKEN
    reviewed: Reviewed | None = None
    is_away: bool = False
    asked: int = 0
    now: datetime = NOON
    monotonic: float = 0.0
    kept: dict[str, Reviewed] = field(default_factory=dict)
    """What outlives a doorkeeper."""
    keeper: Doorkeeper = field(init=False)

    def __post_init__(self):
        accounts = {ACCOUNT: frozenset({Scope.SPEAKER})}
        self.keeper = Doorkeeper(
            self.look_up, lambda: self.now, lambda: accounts, self.api_review, lambda: self.monotonic, self
        )

    def review(self, digest):
        return self.kept.get(digest)

    def keep_review(self, digest, reviewed, _now):
        self.kept[digest] = reviewed

    def look_up(self, token_id):
        self.asked += 1
        if self.is_away:
            raise Unavailable("the database is away")
        return self.token if token_id == "abc" else None

    async def api_review(self, _text):
        self.asked += 1
        if self.is_away:
            raise ConnectionError("the API server is away")
        return self.reviewed

    def who(self, authorization=BEARER):
        return asyncio.run(self.keeper.who(authorization))


def test_the_owner_of_a_token_is_let_in_with_its_scopes_and_node():
    assert Gate().who() == Caller("token compute2", frozenset({Scope.SPEAKER}), "compute2")


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        ("", 401),
        ("Basic abc", 401),
        ("Bearer", 401),
        ("Bearer suite_abc_wrong", 401),
        ("Bearer suite_other_s3cret", 401),
        ("Bearer nonsense", 401),
        ("Bearer " + "x" * (MOST_TOKEN + 1), 401),
    ],
)
def test_who_is_not_known_is_denied(authorization, status):
    denied = Gate().who(authorization)

    assert (type(denied), denied.status) == (Denied, status)


def test_an_expired_token_is_denied():
    gate = Gate(replace(TOKEN, expires=NOON))

    assert gate.who().error == "the token has expired"


def test_a_revoked_token_counts_for_some_seconds_at_most():
    gate = Gate()
    gate.who()
    gate.token = replace(TOKEN, revoked=NOON)

    at_once = gate.who()
    gate.monotonic = REMEMBERED
    later = gate.who()

    assert isinstance(at_once, Caller)
    assert later.error == "the token was revoked"


def test_a_database_that_is_away_locks_nobody_out_whom_it_knew():
    gate = Gate()
    gate.who()

    gate.is_away, gate.monotonic = True, REMEMBERED

    assert isinstance(gate.who(), Caller)


def test_whom_nobody_knew_has_to_wait_for_the_database():
    assert Gate(is_away=True).who().status == 503


def test_a_serviceaccount_has_the_scopes_of_the_configuration():
    gate = Gate(reviewed=Reviewed(ACCOUNT, 0, "node1"))

    assert gate.who("Bearer e30.e30.x") == Caller(f"serviceaccount {ACCOUNT}", frozenset({Scope.SPEAKER}), "node1")


def test_another_serviceaccount_is_denied():
    gate = Gate(reviewed=Reviewed("default/other", 0))

    assert gate.who("Bearer e30.e30.x").status == 403


def test_a_good_review_counts_until_the_token_ends():
    gate = Gate(reviewed=Reviewed(ACCOUNT, (NOON + timedelta(hours=1)).timestamp()))
    gate.who("Bearer e30.e30.x")
    gate.is_away, gate.monotonic = True, 3500.0

    gate.now = NOON + timedelta(minutes=59)
    before = gate.who("Bearer e30.e30.x")
    gate.now = NOON + timedelta(minutes=61)
    after = gate.who("Bearer e30.e30.x")

    assert (type(before), gate.asked, after.status) == (Caller, 2, 503)


JWT = "Bearer e30.e30.x"
IN_AN_HOUR = Reviewed(ACCOUNT, (NOON + timedelta(hours=1)).timestamp(), "node1")


def test_a_good_review_outlives_the_controller_while_the_api_server_is_away():
    before = Gate(reviewed=IN_AN_HOUR)
    before.who(JWT)

    after = Gate(kept=before.kept, is_away=True)

    assert after.who(JWT) == Caller(f"serviceaccount {ACCOUNT}", frozenset({Scope.SPEAKER}), "node1")


def test_a_review_that_outlived_its_token_lets_nobody_in():
    before = Gate(reviewed=IN_AN_HOUR)
    before.who(JWT)

    after = Gate(kept=before.kept, is_away=True, now=NOON + timedelta(hours=1))

    assert after.who(JWT).status == 503


def test_an_api_server_that_answers_counts_more_than_what_it_said_before():
    before = Gate(reviewed=IN_AN_HOUR)
    before.who(JWT)

    after = Gate(kept=before.kept)

    assert after.who(JWT).error == "the token is not known"


def test_nothing_is_kept_of_accounts_that_may_not_ask():
    gate = Gate(reviewed=replace(IN_AN_HOUR, account="default/other"))
    gate.who(JWT)

    assert gate.kept == {}


def test_a_token_is_read_as_it_was_written():
    assert read_token(write_token("abc", "a_b-c")) == ("abc", "a_b-c")


@pytest.mark.parametrize("text", ["", "suite_", "suite_abc", "suite_abc_", "other_abc_s", "e30.e30.x"])
def test_other_text_is_no_token(text):
    assert read_token(text) is None


def test_the_database_has_only_the_hash_and_a_repr_not_even_that():
    assert is_its_secret(TOKEN, "s3cret")
    assert TOKEN.hash not in repr(TOKEN)
