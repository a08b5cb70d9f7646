"""A nameserver that follows a controller: its answers end with the stale limit, a restart from its disk included."""

import json
import subprocess
import sys
from contextlib import contextmanager

import dns.message
import dns.query
import dns.rdatatype
import dns.rrset
import pytest
from fix_netns import eventually
from suite_running import ROOT, ask, free_port, running_suite

PATIENCE = 30.0
NAME = "coffee.default.service"
STALE = "  stale-limit: 3s\n  transfer-acl: [127.0.0.0/8]\nweb:\n  feed-listen: 127.0.0.1:{port}\n"


def command(suite, *words):
    line = (sys.executable, "-m", "suite", *words, "--state", str(suite.folder / "state"))
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout


@contextmanager
def follower(folder, url, port, name="follower"):
    """A nameserver without a database or a configuration of its own."""
    where = ("--follow", url, "--token-file", str(folder / "token"), "--authority", str(folder / "authority.pem"))
    line = (sys.executable, "-m", "suite", "run", "--role", "nameserver", "--state", str(folder / name))
    with (folder / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            [*line, *where, "--dns-listen", f"127.0.0.1:{port}"], cwd=ROOT, stdout=log, stderr=log
        )
    try:
        yield
    finally:
        process.terminate()
        process.wait(15)


@pytest.fixture
def told(tmp_path):
    """A controller, and what a follower needs: its address, and a port for its names."""
    feed = free_port()
    with running_suite(tmp_path / "ctl", STALE.format(port=feed)) as suite:
        assert eventually((suite.folder / "state" / "controller.pem").exists, PATIENCE, 0.05), suite.output
        (tmp_path / "authority.pem").write_text(command(suite, "token", "authority"))
        (tmp_path / "token").write_text(command(suite, "token", "create", "--role", "nameserver"))
        yield suite, f"https://127.0.0.1:{feed}", free_port()


def test_names_are_answered_until_the_stale_limit_and_not_again_after_a_restart(told, tmp_path):
    suite, url, port = told

    with follower(tmp_path, url, port):
        assert eventually(lambda: ask(port, NAME) == ("NOERROR", ["10.0.42.1"]), PATIENCE, 0.05)
        assert eventually((tmp_path / "follower" / "snapshot.last").exists, PATIENCE, 0.05)
        suite.stop()
        assert eventually(lambda: ask(port, NAME)[0] == "SERVFAIL", PATIENCE, 0.05)
    answers = ["TIMEOUT"]
    with follower(tmp_path, url, port):
        assert eventually(lambda: answers.append(ask(port, NAME)[0]) or answers[-1] == "SERVFAIL", PATIENCE, 0.05)

    assert set(answers) == {"TIMEOUT", "SERVFAIL"}


def test_secondaries_go_on_by_differences_after_a_restart_and_at_another_follower(told, tmp_path):
    suite, url, port = told
    zone_file = tmp_path / "more.zone"
    zone_file.write_text("printer A 192.0.2.9\n")
    with follower(tmp_path, url, port):
        assert eventually(lambda: ask(port, NAME)[0] == "NOERROR", PATIENCE, 0.05)
        before = transferred(port, "AXFR")[0][0].serial
        command(suite, "dns", "import", str(zone_file))
        assert eventually(lambda: ask(port, "printer.service") == ("NOERROR", ["192.0.2.9"]), PATIENCE, 0.05)
    with follower(tmp_path, url, port), follower(tmp_path, url, other := free_port(), "other"):
        for each in (port, other):
            assert eventually(
                lambda at=each: addresses(transferred(at, "IXFR", before)) == ["192.0.2.9"], PATIENCE, 0.05
            )
        assert transferred(port, "AXFR") == transferred(other, "AXFR")


def addresses(answer):
    """The A records of a transfer; a whole zone has others too."""
    return [each.address for rrset in answer for each in rrset if rrset.rdtype == dns.rdatatype.A]


def transferred(port, kind, serial=0):
    """The record sets of a transfer that fits one message, in their order."""
    query = dns.message.make_query("service.", kind)
    if serial:
        query.authority.append(dns.rrset.from_text("service.", 0, "IN", "SOA", f". . {serial} 0 0 0 0"))
    try:
        return dns.query.tcp(query, "127.0.0.1", 5, port, one_rr_per_rrset=True).answer
    except OSError:  # it is only just starting
        return []


def test_the_controllers_status_tells_of_its_followers_until_they_end(told, tmp_path):
    suite, url, port = told

    with follower(tmp_path, url, port):
        assert eventually(lambda: following(suite) == [("nameserver", True)], PATIENCE, 0.2)

    assert eventually(lambda: following(suite) == [], PATIENCE, 0.2)


def following(suite):
    """The roles that ``suite status`` of the controller knows from elsewhere, with whether they are ready."""
    line = (sys.executable, "-m", "suite", "status", "-o", "json", "--state", str(suite.folder / "state"))
    said = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60).stdout
    return [(each["role"], each["ready"]) for each in json.loads(said)["instances"] if not each["here"]]
