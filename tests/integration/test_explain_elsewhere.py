"""What the command line knows of other machines from the database, where no suite runs: who lives, and who announces."""

import json
from datetime import UTC, datetime
from ipaddress import ip_address

import pytest
from click.testing import CliRunner

from suite.cli.program import program
from suite.model.address import parse_range
from suite.model.advertisement import L2Advertisement
from suite.model.announcement import Announcement
from suite.model.changes import Changes
from suite.model.configuration import Configuration
from suite.model.lease import Lease, LeaseState
from suite.model.pool import Pool
from suite.model.service import Service, ServiceRef, ServiceType
from suite.model.status import Instance

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
COFFEE, ADDRESS = ServiceRef("default", "coffee"), ip_address("10.0.42.0")


@pytest.fixture
def speaker(db):
    """A store through which a speaker on node-b told that it lives and announces coffee's address."""
    store = db.open()
    configuration = Configuration(
        (Pool("default", (parse_range("10.0.42.0/24"),)),), l2_advertisements=(L2Advertisement(),), digest="d"
    )
    lease = Lease(ADDRESS, COFFEE, "default", LeaseState.BOUND, f"service:{COFFEE}", NOON)
    service = Service(COFFEE, type=ServiceType.LOAD_BALANCER)
    changes = Changes(configuration=configuration, opened=(lease,), services=(service,))
    store.commit(changes, store.read(), now=NOON)
    store.meet([Instance("speaker", "node-b", "1.0")], now=NOON, uptime=0.0)
    store.announce("node-b", frozenset({Announcement(ADDRESS, "node-b", "layer2", "eth0")}), now=NOON)
    return store


def announcement(db, folder):
    answer = CliRunner().invoke(
        program, ["explain", "coffee", "-o", "json", "--database", db.url, "--state", str(folder)]
    )
    chain = {each["stage"]: (each["verdict"], each["text"]) for each in json.loads(answer.stdout)["chain"]}
    return chain["announcement"]


@pytest.mark.usefixtures("speaker")
def test_a_speaker_elsewhere_that_lives_is_believed(db, tmp_path):
    assert announcement(db, tmp_path) == ("ok", "announced by node-b (layer2, eth0)")


def test_a_speaker_elsewhere_that_ended_is_not_believed(db, speaker, tmp_path):
    speaker.close()

    assert announcement(db, tmp_path)[0] == "unknown"


def status(db, folder):
    answer = CliRunner().invoke(program, ["status", "-o", "json", "--database", db.url, "--state", str(folder)])
    return answer.exit_code, [
        (each["role"], each["node"], each["here"]) for each in json.loads(answer.stdout)["instances"]
    ]


@pytest.mark.usefixtures("speaker")
def test_status_lists_what_lives_on_the_database(db, tmp_path):
    assert status(db, tmp_path) == (0, [("speaker", "node-b", False)])


def test_status_of_a_database_that_nobody_runs_on_is_not_well(db, speaker, tmp_path):
    speaker.close()

    assert status(db, tmp_path) == (1, [])
