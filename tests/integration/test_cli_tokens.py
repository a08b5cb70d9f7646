"""`suite token` and `suite l2 rotate-key`: what is shown once, what is listed, and what never is."""

import json

import pytest
from click.testing import CliRunner

from suite.cli.program import program
from suite.store import open_store


@pytest.fixture
def state(tmp_path):
    """A state directory with a database in it."""
    open_store(f"sqlite:///{tmp_path / 'suite.db'}").close()
    return tmp_path


def run(state, *words):
    return CliRunner().invoke(program, [*words, "--state", str(state)])


def listed(state):
    return json.loads(run(state, "token", "list", "-o", "json").stdout)


def test_a_token_is_printed_alone_and_only_its_name_is_listed(state):
    made = run(state, "token", "create", "--role", "speaker", "--node", "compute2")

    [row] = listed(state)
    assert made.stdout.startswith(f"suite_{row['id']}_")
    assert (row["name"], row["for"], row["node"], row["state"]) == ("speaker-compute2", "speaker", "compute2", "counts")
    assert made.stdout.strip().rpartition("_")[2] not in json.dumps(row)


def test_a_revoked_token_says_so(state):
    run(state, "token", "create", "--scope", "read", "--name", "grafana")

    ended = run(state, "token", "revoke", "grafana")

    assert (ended.stdout, listed(state)[0]["state"]) == ("1 revoked\n", "was revoked")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("token", "create"), 2),
        (("token", "create", "--scope", "read", "--expires", "soon"), 2),
        (("token", "create", "--scope", "read", "--expires", "0"), 2),
    ],
)
def test_what_is_no_order_is_refused_in_words(state, words, code):
    result = run(state, *words)

    assert (result.exit_code, listed(state)) == (code, [])


def test_an_authority_that_is_not_made_yet_is_told(state):
    result = CliRunner().invoke(program, ["token", "authority", "--state", str(state)])

    assert (result.exit_code, "there is no authority yet" in result.output) == (4, True)


def test_a_key_is_rotated_in_two_steps_that_the_log_names(state):
    with open_store(f"sqlite:///{state / 'suite.db'}") as store:
        [before] = store.read().heartbeat_keys

    done = run(state, "l2", "rotate-key", "--settle", "0", "--reason", "a machine was sold")

    with open_store(f"sqlite:///{state / 'suite.db'}") as store:
        keys, log = store.read().heartbeat_keys, [each.event.reason for each in store.events(limit=2)]
    assert (done.exit_code, keys[1], len(keys)) == (0, before, 2)
    assert log == [
        "the new heartbeat key signs: a machine was sold",
        "a new heartbeat key is believed: a machine was sold",
    ]
    assert keys[0] not in run(state, "audit", "log", "-o", "json").output
