"""Zone files in and out of the running program, and what it says of a name, as a user types it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from fix_netns import require_tools
from suite_running import ROOT, RunningSuite, ask, eventually, running_suite

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ZONE = """\
$TTL 60
printer A 192.0.2.9
lp CNAME printer
_ipp._tcp SRV 0 0 631 printer
@ MX 10 printer
odd TYPE65280 \\# 2 0a00
sub NS ns.sub
ns.sub A 192.0.2.10
"""


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSuite]:
    with running_suite(tmp_path_factory.mktemp("commands") / "suite", "  addresses: [127.0.0.1]\n") as here:
        yield here


def run(suite: RunningSuite, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "suite", "dns", *arguments, "--state", str(suite.folder / "state")]
    return subprocess.run(command, cwd=ROOT, input=given, capture_output=True, text=True, check=False, timeout=60)


def test_an_imported_zone_is_answered_and_written_out_as_others_read_it(suite: RunningSuite, tmp_path: Path) -> None:
    require_tools("named-checkzone", "ldns-read-zone")
    done = run(suite, "import", "-", given=ZONE)
    assert (done.returncode, done.stdout) == (0, "7 imported, 0 were there already, 0 refused\n"), done.stderr
    suite.wait("lp.service", "192.0.2.9", "printer.service.")

    (tmp_path / "zone").write_text(run(suite, "zone").stdout)

    for checker in (["named-checkzone", "service", "zone"], ["ldns-read-zone", "-c", "zone"]):
        checked = subprocess.run(checker, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert checked.returncode == 0, (checked.stdout, checked.stderr, (tmp_path / "zone").read_text())
    again = run(suite, "import", "-", given=ZONE)
    assert again.stdout == "0 imported, 7 were there already, 0 refused\n"


def test_a_write_that_waits_is_in_the_very_next_answer(suite: RunningSuite) -> None:
    for number in range(1, 3):
        done = run(suite, "import", "-", "--wait", "10", given=f"waited A 192.0.2.{number}\n")
        assert (done.returncode, ask(suite.port, "waited.service")) == (
            0,
            ("NOERROR", sorted(f"192.0.2.{each}" for each in range(1, number + 1))),
        )
    run(suite, "remove", "waited.service", "--wait", "10")

    assert ask(suite.port, "waited.service") == ("NXDOMAIN", [])


def test_one_refused_line_keeps_the_others_out_unless_it_is_to_be_skipped(suite: RunningSuite) -> None:
    text = "\ufeffgood A 192.0.2.1\nbad A 10.0.42.7\nworse A x\n"  # what some editors put first
    refused = run(suite, "import", "-", given=text)
    skipped = run(suite, "import", "-", "--skip-refused", given=text)

    assert (refused.returncode, skipped.returncode) == (5, 1)
    assert "line 3: worse A x" in refused.stderr
    assert "belongs to pool default" in refused.stderr
    assert skipped.stdout == "1 imported, 0 were there already, 2 refused\n"
    assert run(suite, "remove", "good.service").stdout == "1 removed\n"


def test_a_table_of_pointers_is_imported_beside_those_of_leases_and_taken_out_again(suite: RunningSuite) -> None:
    suite.wait("1.42.0.10.in-addr.arpa", "coffee.default.service.", rtype="PTR")
    table = "200 PTR gateway.lan.\n201 PTR nas.service.\n"
    done = run(suite, "import", "-", "--origin", "42.0.10.in-addr.arpa", "--wait", "10", given=table)
    taken = run(suite, "import", "-", "--origin", "42.0.10.in-addr.arpa", given="1 PTR gateway.lan.\n")
    written = run(suite, "zone", "42.0.10.in-addr.arpa").stdout
    explained = run(suite, "query", "200.42.0.10.in-addr.arpa", "PTR", "--explain").stdout
    run(suite, "remove", "200.42.0.10.in-addr.arpa", "--wait", "10")

    assert (done.returncode, taken.returncode) == (0, 5), done.stderr
    assert "the name belongs to service default/coffee" in taken.stderr
    assert written.count("PTR") == 3, written
    assert "static record 200.42.0.10.in-addr.arpa, as an operator wrote it" in explained
    assert ask(suite.port, "200.42.0.10.in-addr.arpa", "PTR") == ("NXDOMAIN", [])
    assert ask(suite.port, "201.42.0.10.in-addr.arpa", "PTR") == ("NOERROR", ["nas.service."])


def test_a_name_is_explained_down_to_a_row_that_sql_finds(suite: RunningSuite) -> None:
    steps = json.loads(run(suite, "query", "coffee.default.service", "--explain", "-o", "json").stdout)

    assert [each["step"] for each in steps] == ["zone", "holder", "row"]
    assert steps[-1]["text"].startswith("lease 1: 10.0.42.1 bound to default/coffee")
    assert steps[-1]["sql"] == "SELECT * FROM lease WHERE id = 1"


def test_an_answer_comes_with_who_holds_the_name_and_the_row_behind_it(suite: RunningSuite) -> None:
    suite.wait("coffee.default.service", "10.0.42.1")

    answer, _, explanation = run(suite, "query", "coffee.default.service").stdout.partition("\n\n")

    assert answer.splitlines()[1].split() == ["coffee.default.service.", "2", "A", "10.0.42.1"]
    assert [line.split()[0] for line in explanation.splitlines()] == ["STEP", "zone", "holder", "row"]
    assert "service default/coffee, by its canonical name" in explanation
    assert "lease 1: 10.0.42.1 bound to default/coffee" in explanation
    assert explanation.endswith("SELECT * FROM lease WHERE id = 1\n")


def test_a_denial_comes_with_the_reason_that_there_is_no_row(suite: RunningSuite) -> None:
    done = run(suite, "query", "nobody.default.service")

    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, "no such record")
    assert "nobody asks for it; the nearest that exists is default.service.: NXDOMAIN" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["--short"], "10.0.42.1\n"),
        (["--no-explain"], "NAME                     TTL  TYPE  DATA\ncoffee.default.service.  2    A     10.0.42.1\n"),
        (["-o", "csv"], "name,ttl,type,data\ncoffee.default.service.,2,A,10.0.42.1\n"),
    ],
    ids=["short", "no-explain", "csv"],
)
def test_the_answer_is_to_be_had_alone(suite: RunningSuite, arguments: list[str], shown: str) -> None:
    suite.wait("coffee.default.service", "10.0.42.1")

    assert run(suite, "query", "coffee.default.service", *arguments).stdout == shown


def test_json_holds_the_reply_and_nothing_else(suite: RunningSuite) -> None:
    suite.wait("coffee.default.service", "10.0.42.1")
    done = run(suite, "query", "coffee.default.service", "-o", "json")

    assert list(json.loads(done.stdout)) == ["rcode", "is_authoritative", "transport", "rows", "is_authentic", "errors"]
    assert done.stderr == ""


def test_a_name_that_another_server_answers_is_shown_without_a_database_to_explain_it(suite: RunningSuite) -> None:
    suite.wait("coffee.default.service", "10.0.42.1")
    place = ["--server", f"127.0.0.1:{suite.port}", "--state", str(suite.folder / "nowhere")]
    command = [sys.executable, "-m", "suite", "dns", "query", "coffee.default.service", *place]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)

    assert (done.returncode, done.stdout.split()[-1]) == (0, "10.0.42.1")
    assert done.stderr.splitlines()[-1].startswith("not explained: ")


def test_the_short_form_takes_no_other_form_beside_it(suite: RunningSuite) -> None:
    assert run(suite, "query", "coffee.default.service", "--short", "-o", "json").returncode == 2


def test_an_unknown_zone_is_refused_with_those_there_are(suite: RunningSuite) -> None:
    done = run(suite, "zone", "example.com")

    assert done.returncode == 4
    assert "42.0.10.in-addr.arpa. service." in done.stderr


def test_answers_are_counted_by_transport_type_and_code(suite: RunningSuite) -> None:
    from suite.web.client import ask as ask_socket

    suite.wait("nobody.default.service", code="NXDOMAIN")

    def counted() -> bool:
        lines = ask_socket(suite.folder / "state/suite.sock", "/metrics")[1].decode().splitlines()
        found = [line for line in lines if line.startswith("suite_dns_queries_total{")]
        return any('rcode="NOERROR",transport="udp",type="A"' in line for line in found) and any(
            'rcode="NXDOMAIN"' in line for line in found
        )

    assert eventually(counted, 5, 0.1)
