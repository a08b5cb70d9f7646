"""Secondaries of the running program: told by NOTIFY, identical after changes, its restart, its crash and their own."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import dns.name
import dns.tsig
import pytest
from fix_netns import eventually, require_tools
from name_servers import KNOT, NAMED_OPTIONS, NSD
from suite_running import PATIENCE, RunningSuite, ask, daemon, free_port, running_suite, transfer

from suite.web.client import ask as ask_socket

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.peer

SECRET = "YSBzZWNyZXQgb2YgdGhpcnR5LXR3byBvY3RldHMgb2s="
KEY = f'key "transfer" {{\n\talgorithm hmac-sha256;\n\tsecret "{SECRET}";\n}};\n'
RING = {dns.name.from_text("transfer."): dns.tsig.Key("transfer.", SECRET, "hmac-sha256")}
ZONES = ("service.", "42.0.10.in-addr.arpa.")
READ_BACK = len(ZONES)
"""Whole zones that :func:`settle` itself asks the suite for."""

NSD_ZONES = """
key:
  name: transfer
  algorithm: hmac-sha256
  secret: "{secret}"
pattern:
  name: ours
  zonefile: %s.zone
  request-xfr: 127.0.0.1@{primary} transfer
  allow-notify: 127.0.0.1 transfer
  provide-xfr: 127.0.0.1 transfer
zone:
  name: service
  include-pattern: ours
zone:
  name: 42.0.10.in-addr.arpa
  include-pattern: ours
"""

KNOT_ZONES = """
key:
  - id: transfer
    algorithm: hmac-sha256
    secret: {secret}
remote:
  - id: primary
    address: 127.0.0.1@{primary}
    key: transfer
acl:
  - id: ours
    address: 127.0.0.1
    key: transfer
    action: [notify, transfer]
template:
  - id: default
    storage: "{work}"
    master: primary
    acl: ours
zone:
  - domain: service
  - domain: 42.0.10.in-addr.arpa
"""

NAMED = """
key transfer {{ algorithm hmac-sha256; secret "{secret}"; }};
options {{ %s recursion no;
  empty-zones-enable no; dnssec-validation no; notify no; serial-query-rate 1000;
  allow-notify {{ key transfer; }}; allow-transfer {{ key transfer; }}; }};
controls {{ }};
server 127.0.0.1 {{ keys transfer; }};
zone service {{ type secondary; file "service.zone"; primaries port {primary} {{ 127.0.0.1 key transfer; }}; }};
zone 42.0.10.in-addr.arpa {{ type secondary; file "reverse.zone"; primaries port {primary} {{ 127.0.0.1 key transfer; }}; }};
"""

PDNS = """
launch=gsqlite3
gsqlite3-database={work}/pdns.sqlite3
local-address=127.0.0.1
local-port={port}
socket-dir={work}
secondary=yes
cache-ttl=0
query-cache-ttl=0
negquery-cache-ttl=0
zone-cache-refresh-interval=0
security-poll-suffix=
guardian=no
daemon=no
disable-syslog=yes
loglevel=5
xfr-cycle-interval=1
retrieval-threads=1
"""

PDNS_ROWS = """
insert into domains (name, master, type) values ('service', '127.0.0.1:{primary}', 'SLAVE');
insert into domains (name, master, type) values ('42.0.10.in-addr.arpa', '127.0.0.1:{primary}', 'SLAVE');
insert into tsigkeys (name, algorithm, secret) values ('transfer', 'hmac-sha256', '{secret}');
insert into domainmetadata (domain_id, kind, content) select id, 'AXFR-MASTER-TSIG', 'transfer' from domains;
insert into domainmetadata (domain_id, kind, content) select id, 'TSIG-ALLOW-AXFR', 'transfer' from domains;
insert into domainmetadata (domain_id, kind, content) select id, 'IXFR', '1' from domains;
"""


def _powerdns(conf: Path) -> list[str]:
    """It keeps its zones in a database, and wants the name of its configuration to be its own."""
    return ["pdns_server", f"--config-dir={conf.parent}", f"--config-name={conf.name}"]


PEERS: dict[str, tuple[str, Callable[[Path], list[str]]]] = {
    "nsd": (NSD + NSD_ZONES, lambda conf: ["nsd", "-d", "-c", str(conf)]),
    "knotd": (KNOT + KNOT_ZONES, lambda conf: ["knotd", "-c", str(conf)]),
    "named": (NAMED % NAMED_OPTIONS, lambda conf: ["named", "-g", "-n", "1", "-c", str(conf)]),
    "pdns_server": (PDNS, _powerdns),
}


@pytest.fixture(params=sorted(PEERS))
def secondary(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[RunningSuite, int, list[str], Path]:
    """A running suite that knows its secondary, and how that one is started."""
    require_tools(request.param)
    text, command = PEERS[request.param]
    work, port = tmp_path / "peer", free_port()
    work.mkdir()
    for folder in (tmp_path, work):
        folder.chmod(0o777)
    (tmp_path / "keys").write_text(KEY)
    more = f"  transfer-acl: ['key:transfer']\n  notify: ['127.0.0.1:{port}']\n  tsig-keys-file: {tmp_path}/keys\n"
    with running_suite(tmp_path / "suite", more) as suite:
        conf = work / ("pdns-conf.conf" if request.param == "pdns_server" else "conf")
        conf.write_text(text.format(work=work, port=port, primary=suite.port, secret=SECRET))
        if request.param == "pdns_server":
            conf = work / "conf"
            fill(work, suite.port)
        yield suite, port, command(conf), work


def fill(work: Path, primary: int) -> None:
    """PowerDNS's database."""
    schema = Path("/usr/share/doc/pdns-backend-sqlite3/schema.sqlite3.sql")
    if not schema.exists():
        pytest.skip("needs pdns-backend-sqlite3 (see tests/apt-packages.txt)")
    rows = schema.read_text() + PDNS_ROWS.format(primary=primary, secret=SECRET)
    with closing(sqlite3.connect(work / "pdns.sqlite3")) as database:
        database.executescript(rows)


def settle(suite: RunningSuite, port: int, log: Path) -> None:
    """Wait until the secondary has our zones, record by record; it is told, never asked to hurry."""

    def are_same() -> bool:
        return all(ask(port, zone, "SOA") == ask(suite.port, zone, "SOA") != ("TIMEOUT", []) for zone in ZONES)

    assert eventually(are_same, PATIENCE, 0.1), log.read_text()[-4000:]
    for zone in ZONES:
        assert transfer(port, zone, RING) == transfer(suite.port, zone, RING)


def sent(suite: RunningSuite) -> dict[str, int]:
    """How many transfers of each kind the running suite has sent, once its counters, read every second, stand still."""
    before: dict[str, int] = {}
    while (now := _sent(suite)) != before:
        before = now
        time.sleep(1.1)
    return now


def _sent(suite: RunningSuite) -> dict[str, int]:
    lines = ask_socket(suite.folder / "state/suite.sock", "/metrics")[1].decode().splitlines()
    counted = [line for line in lines if line.startswith("suite_dns_queries_total{") and 'rcode="NOERROR"' in line]
    kinds = ("AXFR", "IXFR")
    return {kind: sum(int(float(line.split()[-1])) for line in counted if f'type="{kind}"' in line) for kind in kinds}


def change(suite: RunningSuite, first: int, count: int) -> None:
    """Names come, and every third goes again."""
    for number in range(first, first + count):
        suite.put(f"s{number}", f"10.0.42.{number}")
        if number % 3 == 0:
            suite.wait(f"s{number}.default.service", f"10.0.42.{number}")
            suite.remove(f"s{number}")
    suite.wait(f"s{first + 1}.default.service", f"10.0.42.{first + 1}")
    suite.wait(f"s{first}.default.service", *([] if first % 3 == 0 else [f"10.0.42.{first}"]), code="NXDOMAIN")


def test_a_secondary_is_told_and_stays_identical(secondary: tuple[RunningSuite, int, list[str], Path]) -> None:
    suite, port, command, work = secondary
    with daemon(command, work) as log:
        suite.put("first", "10.0.42.2")
        suite.wait("first.default.service", "10.0.42.2", port=port)
        settle(suite, port, log)

        change(suite, 3, 30)
        settle(suite, port, log)

        transfers = sent(suite)
        assert transfers["AXFR"] <= 2 * len(ZONES) + 2 * READ_BACK  # the first copy, and what this test read itself
        assert transfers["IXFR"] > 0


@pytest.mark.timeout(180)
def test_it_stays_identical_over_a_restart_a_crash_and_its_own(
    secondary: tuple[RunningSuite, int, list[str], Path],
) -> None:
    suite, port, command, work = secondary
    with daemon(command, work) as log:
        suite.wait("coffee.default.service", "10.0.42.1", port=port)
        settle(suite, port, log)
        serial = ask(suite.port, "service.", "SOA")
        suite.stop()
        suite.start()
        suite.wait("coffee.default.service", "10.0.42.1")
        assert ask(suite.port, "service.", "SOA") == serial  # equal content keeps its serial

        change(suite, 3, 9)
        suite.stop(kill=True)
        suite.put("meanwhile", "10.0.42.99")
        suite.start()
        suite.wait("meanwhile.default.service", "10.0.42.99", port=port)
        settle(suite, port, log)
        transfers = sent(suite)
        assert transfers["AXFR"] == READ_BACK  # also what changed over the crash came as a difference
        assert transfers["IXFR"] > 0
    change(suite, 30, 9)
    with daemon(command, work) as log:
        suite.put("last", "10.0.42.101")
        suite.wait("last.default.service", "10.0.42.101", port=port)
        settle(suite, port, log)


def step(suite: RunningSuite, number: int) -> None:
    """One change, seen in the answers: a name comes, gets another address, or goes."""
    name, address = f"s{number % 97}", f"10.0.42.{2 + number % 97 * 2 + number // 97 % 2}"
    if number % 5 == 4 and (suite.folder / "manifests" / f"{name}.yaml").exists():
        suite.remove(name)
        suite.wait(f"{name}.default.service", code="NXDOMAIN")
    else:
        suite.put(name, address)
        suite.wait(f"{name}.default.service", address)


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_a_thousand_changes_and_a_restart_in_between(secondary: tuple[RunningSuite, int, list[str], Path]) -> None:
    suite, port, command, work = secondary
    with daemon(command, work) as log:
        suite.wait("coffee.default.service", "10.0.42.1", port=port)
        settle(suite, port, log)
        whole = sent(suite)["AXFR"]
        for number in range(500):
            step(suite, number)
        settle(suite, port, log)
        assert sent(suite)["AXFR"] == whole + READ_BACK
        suite.stop()
        suite.start()
        suite.wait("coffee.default.service", "10.0.42.1")
        for number in range(500, 1000):
            step(suite, number)
        settle(suite, port, log)
        assert sent(suite)["AXFR"] == READ_BACK


def test_who_has_no_key_transfers_nothing(tmp_path: Path) -> None:
    with running_suite(tmp_path / "suite", "  transfer-acl: ['192.0.2.0/24', 'key:transfer']\n") as suite:
        with pytest.raises(dns.xfr.TransferError, match="REFUSED"):
            transfer(suite.port, "service.")

        assert "names keys that tsig-keys-file does not hold: transfer" in suite.output
