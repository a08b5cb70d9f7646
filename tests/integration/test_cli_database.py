"""The log and the database on the command line: verified, exported, pruned, backed up, restored."""

import json
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from click.testing import CliRunner

from suite.cli.program import program
from suite.model.address import parse_range
from suite.model.changes import Changes, Closing
from suite.model.configuration import Configuration
from suite.model.event import Action, Event
from suite.model.lease import Lease, LeaseState
from suite.model.pool import Pool
from suite.model.service import ServiceRef

OLD, NEW = datetime(2040, 1, 1, tzinfo=UTC), datetime(2041, 1, 1, tzinfo=UTC)
"""After the database is made, for no commit's time is before that of the one before it."""
COFFEE = ServiceRef("default", "coffee")
ADDRESS = ip_address("10.0.42.0")


def fill(db):
    """A database whose only lease began in 2040 and ended a day later; coffee has it again since 2041."""
    lease = Lease(ADDRESS, COFFEE, "default", LeaseState.BOUND, f"service:{COFFEE}", OLD)
    configuration = Configuration((Pool("default", (parse_range("10.0.42.0/24"),)),), digest="d")
    given = Event(Action.ALLOCATED, COFFEE, ADDRESS, "default")
    with db.open() as store:
        now = store.commit(
            Changes(opened=(lease,), configuration=configuration, events=(given,)), store.read(), now=OLD
        )
        [held] = now.leases[ADDRESS]
        gone = Changes(
            closed=(Closing(held, "released"),), events=(Event(Action.RELEASED, COFFEE, ADDRESS, "default"),)
        )
        now = store.commit(gone, now, now=OLD + timedelta(days=1))
        store.commit(Changes(opened=(lease,), events=(given,)), now, now=NEW)
    return db


def command_over(filled, tmp_path):
    """What runs a command over that database, or another one."""

    def run(*arguments, database=""):
        places = ("--state", str(tmp_path / "state"), "--database", database or filled.url)
        return CliRunner().invoke(program, [*map(str, arguments), *places], catch_exceptions=False)

    return run


@pytest.fixture
def suite(sqlite_db, tmp_path):
    """Run a command over a filled SQLite database."""
    return command_over(fill(sqlite_db), tmp_path)


@pytest.fixture
def either(db, tmp_path):
    """Run a command over a filled database of either kind."""
    return command_over(fill(db), tmp_path)


def anchor_of(result):
    return next(line for line in result.output.splitlines() if line.startswith("anchor: ")).removeprefix("anchor: ")


def test_the_log_is_read_newest_first_and_chosen_by_time(suite):
    rows = json.loads(suite("audit", "log", "--since", "2040-12-01", "--tz", "UTC", "-o", "json").stdout)

    assert [(each["action"], each["service"]) for each in rows] == [("allocated", "default/coffee")]


def test_the_log_is_chosen_by_action_and_network(either):
    rows = json.loads(either("audit", "log", "--action", "released", "--address", "10.0.42.0/24", "-o", "json").stdout)

    assert [each["at"] for each in rows] == ["2040-01-02T00:00:00Z"]


def test_an_action_that_does_not_exist_is_answered_with_those_that_do(suite):
    result = suite("audit", "log", "--action", "relaesed")

    assert result.exit_code == 2
    assert "there is no action 'relaesed'; there are: adopted, allocated," in result.stderr


def test_a_whole_log_is_told_with_the_anchor_to_write_down(either):
    result = either("audit", "verify")

    assert result.exit_code == 0
    assert result.stdout.startswith("whole: 4 events from ")
    assert either("audit", "verify", "--anchor", anchor_of(result)).exit_code == 0


def test_an_anchor_with_another_hash_shows_a_rewritten_log(suite):
    place = anchor_of(suite("audit", "verify")).partition(":")[0]

    result = suite("audit", "verify", "--anchor", f"{place}:{'0' * 64}")

    assert result.exit_code == 1
    assert "the anchor has another hash; it was rewritten" in result.stderr


def test_what_is_no_anchor_is_wrong_usage(suite):
    assert suite("audit", "verify", "--anchor", "yesterday").exit_code == 2


def test_a_log_that_was_changed_is_told_with_the_place(sqlite_db, tmp_path):
    suite = command_over(fill(sqlite_db), tmp_path)
    sqlite_db.execute("DROP TRIGGER event_no_update")
    sqlite_db.execute("UPDATE event SET reason = 'nothing to see' WHERE action = 'released'")

    result = suite("audit", "verify")

    assert result.exit_code == 1
    assert "its content does not fit its hash; it was changed" in result.stderr
    assert suite("doctor", "-o", "json").exit_code == 2


def test_an_export_is_verified_without_the_database(suite, tmp_path):
    exported = suite("audit", "export", tmp_path / "log.jsonl")

    assert "4 events and 2 leases, SHA-256 " in exported.stderr
    assert suite("audit", "verify", tmp_path / "log.jsonl").stdout.startswith("whole: 4 events")


def test_an_export_goes_to_a_pipe(suite):
    lines = suite("audit", "export", "-").stdout.splitlines()

    assert [json.loads(line)["kind"] for line in lines] == ["begin"] + ["event"] * 4 + ["lease"] * 2 + ["end"]


def test_an_export_does_not_overwrite_a_file(suite, tmp_path):
    (tmp_path / "log.jsonl").write_text("mine")

    result = suite("audit", "export", tmp_path / "log.jsonl")

    assert result.exit_code == 2
    assert (tmp_path / "log.jsonl").read_text() == "mine"


@pytest.mark.parametrize("words", [("audit", "export"), ("db", "backup")], ids=" ".join)
def test_a_file_that_stands_already_is_wrong_usage_whoever_was_to_write_it(suite, tmp_path, words):
    (tmp_path / "mine").write_text("mine")

    there, nowhere = suite(*words, tmp_path / "mine"), suite(*words, tmp_path / "none" / "file")

    assert (there.exit_code, nowhere.exit_code) == (2, 2)
    assert f"{tmp_path / 'mine'} exists" in there.stderr
    assert "cannot be made: No such file or directory" in nowhere.stderr
    assert (tmp_path / "mine").read_text() == "mine"


def test_a_damaged_export_is_told(suite, tmp_path):
    suite("audit", "export", tmp_path / "log.jsonl")
    lines = (tmp_path / "log.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "cut.jsonl").write_text("".join(lines[:-1]))
    (tmp_path / "changed.jsonl").write_text("".join(lines).replace("10.0.42.0", "10.0.42.1"))

    assert "is cut off" in suite("audit", "verify", tmp_path / "cut.jsonl").stderr
    assert suite("audit", "verify", tmp_path / "changed.jsonl").exit_code == 1


def test_a_prune_archives_first_and_the_log_stays_whole(either, tmp_path):
    archive = tmp_path / "2040.jsonl"

    result = either("audit", "prune", "--before", "2040-06-01", "--archive", archive, "--yes", "--reason", "old")

    assert result.exit_code == 0
    assert result.stdout.startswith("3 events and 1 leases are in ")
    assert either("audit", "verify").stdout.startswith("whole: 2 events from ")
    assert either("audit", "verify", archive).stdout.startswith("whole: 3 events")


def test_a_prune_asks_first(suite, tmp_path):
    result = suite("audit", "prune", "--before", "2040-06-01", "--archive", tmp_path / "a.jsonl")

    assert result.exit_code == 1
    assert not (tmp_path / "a.jsonl").exists()
    assert suite("audit", "verify").stdout.startswith("whole: 4 events")


def test_a_healthy_database_is_told_so(either):
    result = either("db", "check")

    assert (result.exit_code, result.stdout) == (0, "nothing is wrong\n")


def test_what_stands_in_a_database_is_told(suite):
    document = json.loads(suite("db", "current", "-o", "json").stdout)

    assert (document["leases"], document["at"], document["schema"]) == (
        1,
        "2041-01-01T00:00:00Z",
        document["release_schema"],
    )


def test_a_backup_restores_in_a_new_epoch(either, tmp_path):
    copy = f"sqlite:///{tmp_path}/copy.db"
    before = json.loads(either("db", "current", "-o", "json").stdout)

    assert either("db", "backup", tmp_path / "backup").exit_code == 0
    assert either("db", "restore", tmp_path / "backup", database=copy).exit_code == 0

    after = json.loads(either("db", "current", "-o", "json", database=copy).stdout)
    assert after["leases"] == 1
    assert after["epoch"] != before["epoch"]
    assert after["revision"] > before["revision"]
    assert either("audit", "verify", database=copy).exit_code == 0


def test_a_backup_is_not_restored_over_a_database(suite, tmp_path):
    suite("db", "backup", tmp_path / "backup")

    result = suite("db", "restore", tmp_path / "backup")

    assert result.exit_code == 5
    assert "a backup is restored into an empty database only" in result.stderr


def test_a_file_that_is_no_backup_is_told(suite, tmp_path):
    (tmp_path / "letter").write_text("to my aunt")

    result = suite("db", "restore", tmp_path / "letter", database=f"sqlite:///{tmp_path}/copy.db")

    assert result.exit_code == 3
    assert "is no backup" in result.stderr


def test_a_restore_that_failed_leaves_nothing_behind(suite, tmp_path):
    (tmp_path / "letter").write_text("to my aunt")

    suite("db", "restore", tmp_path / "letter", database=f"sqlite:///{tmp_path}/copy.db")

    assert list(tmp_path.glob("copy.db*")) == []


def test_a_database_is_made_and_brought_up_to_date(suite, tmp_path):
    result = suite("db", "upgrade", database=f"sqlite:///{tmp_path}/fresh.db")

    assert result.exit_code == 0
    assert "the one of this release" in result.stdout
