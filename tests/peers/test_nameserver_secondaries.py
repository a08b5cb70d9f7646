"""Secondaries of the running program: told by NOTIFY, identical after changes, its restart, its crash and their own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import dns.name
import dns.tsig
import pytest
from fix_netns import eventually, require_tools
from suite_running import PATIENCE, RunningSuite, ask, daemon, free_port, running_suite, transfer

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.peer

SECRET = "YSBzZWNyZXQgb2YgdGhpcnR5LXR3byBvY3RldHMgb2s="
KEY = f'key "transfer" {{\n\talgorithm hmac-sha256;\n\tsecret "{SECRET}";\n}};\n'
RING = {dns.name.from_text("transfer."): dns.tsig.Key("transfer.", SECRET, "hmac-sha256")}
ZONES = ("service.", "42.0.10.in-addr.arpa.")

NSD = """
server:
  ip-address: 127.0.0.1@{port}
  username: ""
  zonesdir: "{work}"
  pidfile: "{work}/pid"
  database: ""
  xfrdfile: "{work}/xfrd.state"
  zonelistfile: "{work}/zone.list"
  xfrdir: "{work}"
  xfrd-reload-timeout: 0
remote-control:
  control-enable: no
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

KNOT = """
server:
  listen: 127.0.0.1@{port}
  rundir: "{work}"
database:
  storage: "{work}"
log:
  - target: stderr
    any: info
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
options {{ directory "{work}"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; recursion no;
  pid-file "{work}/pid"; session-keyfile "{work}/session.key"; managed-keys-directory "{work}";
  empty-zones-enable no; dnssec-validation no; notify no; serial-query-rate 1000;
  allow-notify {{ key transfer; }}; allow-transfer {{ key transfer; }}; }};
controls {{ }};
server 127.0.0.1 {{ keys transfer; }};
zone service {{ type secondary; file "service.zone"; primaries port {primary} {{ 127.0.0.1 key transfer; }}; }};
zone 42.0.10.in-addr.arpa {{ type secondary; file "reverse.zone"; primaries port {primary} {{ 127.0.0.1 key transfer; }}; }};
"""

PEERS: dict[str, tuple[str, Callable[[Path], list[str]]]] = {
    "nsd": (NSD, lambda conf: ["nsd", "-d", "-c", str(conf)]),
    "knotd": (KNOT, lambda conf: ["knotd", "-c", str(conf)]),
    "named": (NAMED, lambda conf: ["named", "-g", "-n", "1", "-c", str(conf)]),
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
        conf = work / "conf"
        conf.write_text(text.format(work=work, port=port, primary=suite.port, secret=SECRET))
        yield suite, port, command(conf), work


def settle(suite: RunningSuite, port: int, log: Path) -> None:
    """Wait until the secondary has our zones, record by record; it is told, never asked to hurry."""

    def are_same() -> bool:
        return all(ask(port, zone, "SOA") == ask(suite.port, zone, "SOA") != ("TIMEOUT", []) for zone in ZONES)

    assert eventually(are_same, PATIENCE, 0.1), log.read_text()[-4000:]
    for zone in ZONES:
        assert transfer(port, zone, RING) == transfer(suite.port, zone, RING)


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
        assert "knotd" not in command or "IXFR, incoming" in log.read_text()  # the one that says so


def test_it_stays_identical_over_a_restart_a_crash_and_its_own(
    secondary: tuple[RunningSuite, int, list[str], Path],
) -> None:
    suite, port, command, work = secondary
    with daemon(command, work) as log:
        suite.wait("coffee.default.service", "10.0.42.1", port=port)
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
    change(suite, 30, 9)
    with daemon(command, work) as log:
        suite.put("last", "10.0.42.101")
        suite.wait("last.default.service", "10.0.42.101", port=port)
        settle(suite, port, log)


def test_who_has_no_key_transfers_nothing(tmp_path: Path) -> None:
    with running_suite(tmp_path / "suite", "  transfer-acl: ['192.0.2.0/24', 'key:transfer']\n") as suite:
        with pytest.raises(dns.xfr.TransferError, match="REFUSED"):
            transfer(suite.port, "service.")

        assert "names keys that tsig-keys-file does not hold: transfer" in suite.output
