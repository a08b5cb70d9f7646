"""Leases, pools and reservations on the command line, over a real database."""

import csv
import io
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
from suite.model.lease import Lease, LeaseState, Reservation
from suite.model.pool import Pool
from suite.model.service import Port, Service, ServiceRef, ServiceType

START = datetime(2039, 11, 15, 9, 0, tzinfo=UTC)
"""A Tuesday after the database is made, for no commit's time is before that of the one before it."""
COFFEE, TEA = ServiceRef("default", "coffee"), ServiceRef("default", "tea")


def lease(number, ref, state=LeaseState.BOUND):
    address = ip_address(f"10.0.42.{number}")
    return Lease(address, ref, "default", state, f"service:{ref}", START, ports=(Port(8080),))


def fill(db):
    """A database: coffee had 10.0.42.7 from 9:00 to 14:00, tea has it since; milk's 10.0.42.8 is held."""
    configuration = Configuration(
        (Pool("default", (parse_range("10.0.42.0/24"),)),),
        reservations=(Reservation(ip_address("10.0.42.99"), TEA, source="config"),),
        digest="d",
    )
    with db.open() as store:
        tea = Service(TEA, type=ServiceType.LOAD_BALANCER, ports=(Port(8080),))
        first = Changes(
            opened=(lease(7, COFFEE), lease(8, ServiceRef("default", "milk"), LeaseState.HELD)),
            services=(tea,),
            configuration=configuration,
            events=(Event(Action.ALLOCATED, COFFEE, ip_address("10.0.42.7"), "default"),),
        )
        before = store.commit(first, store.read(), now=START)
        old = before.leases[ip_address("10.0.42.7")]
        swap = Changes(closed=tuple(Closing(each, "released") for each in old), opened=(lease(7, TEA),))
        store.commit(swap, before, now=START + timedelta(hours=5))
    return db


def command_over(filled, folder):
    """What runs a command over that database."""
    places = ("--state", str(folder), "--database", filled.url)

    def run(*arguments, stdin=None):
        return CliRunner().invoke(program, [*arguments, *places], input=stdin, catch_exceptions=False)

    return run


@pytest.fixture
def suite(sqlite_db, tmp_path):
    """Run a command over a filled database."""
    return command_over(fill(sqlite_db), tmp_path)


def test_leases_are_read_and_orders_given_on_either_database(db, tmp_path):
    suite = command_over(fill(db), tmp_path)

    assert suite("lease", "reserve", "10.0.42.20", "default/juice").exit_code == 0
    assert suite("lease", "release", "10.0.42.8").exit_code == 0
    assert addresses(suite("lease", "list", "--status", "cooling", "-o", "json")) == ["10.0.42.8"]
    assert "10.0.42.20,default/juice," in suite("lease", "reserve", "-o", "csv").stdout
    assert addresses(suite("lease", "history", "10.0.42.0/29", "-o", "json")) == ["10.0.42.7", "10.0.42.7"]


def addresses(result):
    return [each["address"] for each in json.loads(result.stdout)]


def test_leases_are_listed_in_the_order_of_addresses(suite):
    result = suite("lease", "list")

    assert result.exit_code == 0
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["ADDRESS", "STATE", "SERVICE", "POOL", "PORTS", "SINCE", "UNTIL"],
        ["10.0.42.7", "bound", "default/tea", "default", "8080/tcp", "2039-11-15T14:00:00Z"],
        ["10.0.42.8", "held", "default/milk", "default", "8080/tcp", "2039-11-15T09:00:00Z"],
    ]


def test_leases_are_chosen_by_state_and_service(suite):
    assert addresses(suite("lease", "list", "--status", "held", "-o", "json")) == ["10.0.42.8"]
    assert addresses(suite("lease", "list", "--service", "tea", "-o", "json")) == ["10.0.42.7"]


def test_a_list_as_of_then_shows_who_was_there(suite):
    result = suite("lease", "list", "--at", "2039-11-15 10:00", "--tz", "UTC", "-o", "json")

    assert [each["service"] for each in json.loads(result.stdout)] == ["default/coffee", "default/milk"]


def test_who_has_an_address_now(suite):
    result = suite("lease", "who", "10.0.42.7")

    assert result.stdout.splitlines()[1].split()[2] == "default/tea"


def test_who_had_an_address_then_and_which_instant_was_understood(suite):
    result = suite("lease", "who", "10.0.42.7", "--at", "2039-11-15 14:03", "--tz", "Europe/Berlin")

    assert result.stdout.splitlines()[1].split()[2] == "default/coffee"
    assert result.stderr == "as of 2039-11-15 13:03:00 UTC (Tue 2039-11-15 14:03:00 CET)\n"


def test_an_address_that_nobody_had_is_exit_code_4(suite):
    result = suite("lease", "who", "10.0.42.7", "--at", "2039-11-15 08:00", "--tz", "UTC")

    assert result.exit_code == 4
    assert "nobody had 10.0.42.7 at that time" in result.stderr


def test_a_time_that_cannot_be_read_is_wrong_usage(suite):
    result = suite("lease", "who", "10.0.42.7", "--at", "teatime")

    assert result.exit_code == 2
    assert "'teatime' is no time; write" in result.stderr


def test_history_shows_what_ended_too(suite):
    rows = json.loads(suite("lease", "history", "10.0.42.7", "-o", "json").stdout)

    assert [(each["service"], each["end_reason"]) for each in rows] == [
        ("default/tea", ""),
        ("default/coffee", "released"),
    ]


def test_history_follows_a_service_and_covers_a_network(suite):
    assert addresses(suite("lease", "history", "default/coffee", "-o", "json")) == ["10.0.42.7"]
    assert addresses(suite("lease", "history", "10.0.42.8/31", "-o", "json")) == ["10.0.42.8"]


def test_the_open_leases_of_a_range_are_shown(suite):
    assert addresses(suite("lease", "show", "10.0.42.0-10.0.42.7", "-o", "json")) == ["10.0.42.7"]


def test_what_has_no_open_lease_is_pointed_to_its_history(suite):
    result = suite("lease", "show", "coffee")

    assert result.exit_code == 4
    assert "`suite lease history coffee` shows those that ended" in result.stderr


def test_a_held_address_is_released_by_somebody_for_a_reason(suite):
    result = suite("lease", "release", "10.0.42.8", "--reason", "milk is gone")

    assert (result.exit_code, result.stdout[:36]) == (0, "10.0.42.8 is released and cools unti")
    [row] = json.loads(suite("lease", "show", "10.0.42.8", "-o", "json").stdout)
    assert row["state"] == "cooling"


def test_a_service_that_wants_its_address_keeps_it_and_nothing_changes(suite):
    before = suite("lease", "list").stdout

    result = suite("lease", "release", "10.0.42.7")

    assert result.exit_code == 5
    assert result.stderr == (
        "error: default/tea uses 10.0.42.7 and would get an address again at once\nfix:   nothing was changed\n"
    )
    assert suite("lease", "list").stdout == before


def test_an_address_is_reserved_and_given_back(suite):
    assert suite("lease", "reserve", "10.0.42.20", "default/juice", "--note", "soon").exit_code == 0
    assert "10.0.42.20,default/juice,soon" in suite("lease", "reserve", "-o", "csv").stdout

    assert suite("lease", "unreserve", "10.0.42.20").exit_code == 0
    assert suite("lease", "reserve", "-o", "csv").stdout == "address,name,note\n"


def test_reserving_twice_says_that_nothing_had_to_change(suite):
    suite("lease", "reserve", "10.0.42.20")

    assert suite("lease", "reserve", "10.0.42.20").stdout == "nothing to change\n"


def test_an_import_round_trips_through_csv(suite):
    written = 'address,name,note\n10.0.42.20,default/juice,"soon, maybe"\n10.0.42.30-10.0.42.40,,printers\n'

    assert suite("lease", "reserve", "--import", "-", stdin=written).stdout == "2 reserved, 0 were already, 0 refused\n"
    assert suite("lease", "reserve", "-o", "csv").stdout == written
    assert suite("lease", "reserve", "--import", "-", stdin=written).stdout == "0 reserved, 2 were already, 0 refused\n"


REFUSED = (
    "10.0.42.20,default/juice,\nten,default/juice,\n10.0.42.7,default/juice,\n10.0.42.99,-,\n10.0.42.1-10.0.42.5,a/b,\n"
)
REFUSALS = [
    "line 2: ten,default/juice,: 'ten' does not appear to be an IPv4 or IPv6 address",
    "line 3: 10.0.42.7,default/juice,: 10.0.42.7 belongs to default/tea",
    "line 4: 10.0.42.99,-,: 10.0.42.99 is reserved for default/tea by the configuration",
    "line 5: 10.0.42.1-10.0.42.5,a/b,: a block is reserved for nobody; reserve one address for a/b",
]


def test_an_import_names_every_refused_line_and_changes_nothing(suite):
    result = suite("lease", "reserve", "--import", "-", stdin=REFUSED)

    assert result.exit_code == 5
    assert [line.strip() for line in result.stderr.splitlines()[1:5]] == REFUSALS
    assert suite("lease", "reserve", "-o", "csv").stdout == "address,name,note\n"


def test_an_import_may_go_on_without_the_refused_lines(suite):
    result = suite("lease", "reserve", "--import", "-", "--skip-refused", stdin=REFUSED)

    assert (result.exit_code, result.stdout) == (1, "1 reserved, 0 were already, 4 refused\n")
    assert result.stderr.splitlines() == REFUSALS


def test_a_file_that_is_not_there_is_told(suite):
    result = suite("lease", "reserve", "--import", "missing.csv")

    assert result.exit_code == 2
    assert result.stderr.startswith("error: the file cannot be read: No such file or directory\nwhere: missing.csv")


def test_orders_are_in_the_log_under_the_name_of_who_gave_them(sqlite_db, tmp_path):
    suite = command_over(fill(sqlite_db), tmp_path)
    suite("lease", "reserve", "10.0.42.20", "--reason", "spare")

    with sqlite_db.open() as store:
        newest = store.events(limit=1)[0].event
    assert (newest.action, newest.actor.kind, newest.reason) == (Action.RESERVED, "operator", "spare")


def test_pools_tell_how_much_is_used(suite):
    [row] = csv.DictReader(io.StringIO(suite("pool", "list", "-o", "csv").stdout))

    assert (row["total"], row["free"], row["bound"], row["held"], row["reserved"]) == ("256", "253", "1", "1", "1")


def test_a_pool_is_drained_and_shown_so(suite):
    assert suite("pool", "drain", "default").exit_code == 0

    assert "draining:    yes" in suite("pool", "show", "default").stdout
    assert suite("pool", "undrain", "default").stdout == "pool default gives leases again\n"


def test_a_pool_that_does_not_exist_is_refused_with_those_that_do(suite):
    result = suite("pool", "drain", "defualt")

    assert result.exit_code == 4
    assert "there is no pool 'defualt'; there are: default" in result.stderr


def test_a_service_is_explained_from_the_database_when_no_suite_runs(suite):
    result = suite("explain", "tea")

    assert result.exit_code == 1
    assert "announcement  broken   no advertisement is for pool default and this Service" in result.stdout


def test_without_a_database_there_is_a_fix(tmp_path):
    result = CliRunner().invoke(program, ["lease", "list", "--state", str(tmp_path)])

    assert result.exit_code == 3
    assert "error: there is no database yet" in result.stderr
    assert "fix:   start the suite with `suite run`" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_new_configuration_is_planned_against_what_is_leased(suite, tmp_path):
    moved = tmp_path / "moved.yaml"
    moved.write_text("address-pools:\n- name: default\n  protocol: layer2\n  addresses: [10.0.43.0/24]\n")
    before = suite("lease", "list").stdout

    result = suite("plan", "--config", str(moved), "-o", "json")

    actions = {(each["action"], each["service"], each["address"]) for each in json.loads(result.stdout)["actions"]}
    assert {("released", "default/tea", "10.0.42.7"), ("allocated", "default/tea", "10.0.43.0")} <= actions
    assert suite("lease", "list").stdout == before
