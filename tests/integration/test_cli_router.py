"""``suite router-config`` and ``suite hosts`` on the command line: files that are written, merged, compared and refused."""

import json
import socket
from datetime import UTC, datetime
from ipaddress import ip_address

import pytest
from click.testing import CliRunner

from suite.cli.program import program
from suite.model.changes import Changes
from suite.model.configuration import Configuration, DnsSettings, StaticHost

CONFIGURATION = """\
address-pools:
  - {name: bgp, protocol: bgp, addresses: [10.10.10.10-10.10.10.250]}
peers:
  - {peer-address: 192.168.1.1, peer-asn: 64512, my-asn: 64512}
nodes:
  - {name: master, addresses: [10.10.0.200]}
  - {name: node1, addresses: [10.10.0.101]}
"""
LACKING = "set protocols bgp 64512 neighbor 10.10.0.101 remote-as 64999\n"


@pytest.fixture
def ask(tmp_path):
    """Ask for a router's configuration, with the story's configuration and no database."""
    path = tmp_path / "suite.yaml"
    path.write_text(CONFIGURATION)

    def run(*arguments, configuration=CONFIGURATION):
        path.write_text(configuration)
        where = ("--config", str(path), "--state", str(tmp_path / "state"))
        command = ["router-config", *map(str, arguments), *where]
        return CliRunner().invoke(program, command, catch_exceptions=False)

    return run


def test_the_file_goes_to_stdout_and_what_to_do_with_it_to_stderr(ask):
    result = ask("--vendor", "frr", "--part", "bgp")

    assert result.stdout.startswith("! The nodes of the suite")
    assert [line.split(":")[0] for line in result.stderr.splitlines()[:4]] == ["place", "apply", "check", "undo"]


def test_the_gateway_s_file_is_one_json_document(ask):
    neighbors = json.loads(ask("--vendor", "usg").stdout)["protocols"]["bgp"]["64512"]["neighbor"]

    assert sorted(neighbors) == ["10.10.0.101", "10.10.0.200"]


def test_an_invalid_file_is_refused_and_nothing_is_written(ask, tmp_path):
    (tmp_path / "config.gateway.json").write_text('{"protocols": ')

    result = ask("--vendor", "usg", "--merge", tmp_path / "config.gateway.json")

    assert (result.exit_code, result.stdout) == (5, "")
    assert "no valid JSON, line 1" in str(result.exception or "") + result.stderr


def test_a_table_that_is_taken_over_is_a_configuration_without_problems(tmp_path):
    path, table = tmp_path / "suite.yaml", tmp_path / "hosts"
    path.write_text(CONFIGURATION)
    table.write_text("127.0.0.1 localhost\n10.10.10.30 old-box\n192.168.1.9 nas nas.lan\n")
    where = ("--config", str(path), "--state", str(tmp_path / "state"))

    imported = CliRunner().invoke(program, ["hosts", "import", str(table), *where], catch_exceptions=False)
    taken = imported.stdout

    assert imported.stderr.startswith(
        "not taken over: nas.lan (192.168.1.9): in none of the zones served here (service.)"
    )
    assert [line.split("#")[0].strip() for line in taken.splitlines()] == [
        "dns:", "hosts:",
        "- {name: old-box, addresses: [10.10.10.30], aliases: [old-box]}",
        "- {name: nas, addresses: [192.168.1.9], aliases: [nas]}",
        "reservations:", '- {address: 10.10.10.30, note: "old-box"}',
    ]  # fmt: skip
    path.write_text(CONFIGURATION + taken)
    checked = CliRunner().invoke(program, ["config", "check", str(path)], catch_exceptions=False)
    assert checked.exit_code == 0, checked.stdout + checked.stderr


def test_a_name_whose_address_has_changed_leads_to_the_new_one_alone(sqlite_db, tmp_path):
    table = {"printer.service": {"alias": ["lp"], "inet": ["192.168.1.9"]}, "nas.local": {"inet": ["192.168.1.8"]}}
    path = tmp_path / "config.gateway.json"
    path.write_text(json.dumps({"system": {"static-host-mapping": {"host-name": table}}}))
    host = StaticHost("printer.service.", (ip_address("192.168.1.10"),))
    with sqlite_db.open() as store:
        configuration = Configuration(dns=DnsSettings(hosts=(host,)), digest="d")
        store.commit(Changes(configuration=configuration), store.read(), now=datetime.now(UTC))
    where = ("--database", sqlite_db.url, "--state", str(tmp_path / "state"))

    words = ["hosts", "export", "--format", "usg", "--merge", str(path), *where]
    merged = json.loads(CliRunner().invoke(program, words, catch_exceptions=False).stdout)

    assert merged["system"]["static-host-mapping"]["host-name"] == {
        "printer.service": {"alias": ["lp"], "inet": ["192.168.1.10"]},
        "nas.local": {"inet": ["192.168.1.8"]},
    }


def doctor(folder, *arguments):
    """The findings of `suite doctor` about BGP."""
    (folder / "suite.yaml").write_text(CONFIGURATION)
    where = ("--config", str(folder / "suite.yaml"), "--state", str(folder / "state"), "-o", "json")
    result = CliRunner().invoke(program, ["doctor", *map(str, arguments), *where], catch_exceptions=False)
    return [each for each in json.loads(result.stdout or "[]") if each["check"] in {"router", "reach"}]


def test_the_doctor_names_the_same_faults_of_the_router(tmp_path):
    (tmp_path / "router").write_text(LACKING)

    found = doctor(tmp_path, "--router", f"peer1={tmp_path / 'router'}")

    assert [each["severity"] for each in found] == ["error", "error"]
    assert "expected with AS number 64999" in found[0]["text"]
    assert "master (10.10.0.200) is no neighbor" in found[1]["text"]


def test_the_doctor_asks_an_address_whether_it_answers(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]

    (found,) = doctor(tmp_path, "--reach", f"127.0.0.1:{port}")

    assert (found["severity"], found["text"]) == ("ok", f"127.0.0.1 port {port} refuses")


def test_what_the_router_lacks_and_has_wrong_is_named_and_ends_with_1(ask, tmp_path):
    (tmp_path / "router").write_text(LACKING)

    result = ask("--vendor", "edgeos", "--diff", tmp_path / "router")

    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "node node1 (10.10.0.101) is expected with AS number 64999; the suite has 64512",
        "node master (10.10.0.200) is no neighbor of the router",
    ]


def test_what_was_written_for_it_lacks_nothing(ask, tmp_path):
    (tmp_path / "router").write_text(ask("--vendor", "bird", "--part", "bgp").stdout)

    assert ask("--vendor", "bird", "--diff", tmp_path / "router").exit_code == 0


def test_merging_is_for_the_vendor_whose_configuration_is_a_document(ask, tmp_path):
    result = ask("--vendor", "frr", "--merge", tmp_path / "none")

    assert (result.exit_code, "--merge is for --vendor usg" in result.stderr) == (2, True)


def test_one_of_several_peers_has_to_be_chosen(ask):
    two = CONFIGURATION.replace("nodes:", "  - {peer-address: 192.168.1.2, peer-asn: 64512, my-asn: 64512}\nnodes:")

    result = ask("--vendor", "frr", configuration=two)

    assert (result.exit_code, "choose one with --peer: peer1, peer2" in result.stderr) == (2, True)


def test_without_a_peer_there_is_no_router(ask):
    result = ask(
        "--vendor", "frr", configuration=CONFIGURATION.replace("peers:", "l2: {}\n#").replace("  - {peer", "#")
    )

    assert result.exit_code == 4
