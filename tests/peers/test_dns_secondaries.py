"""Real secondaries stay identical to us through 1,000 changes, their own restart and ours."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from pathlib import Path

import dns.message
import dns.query
import dns.rdatatype
import dns.tsig
import dns.xfr
import dns.zone
import pytest
from dns_running import Running, running
from name_servers import KNOT, NAMED_OPTIONS, NSD

from suite.dns import rrtype
from suite.dns.catalogue import Zones
from suite.dns.feed import ChangeZone, SetHistory
from suite.dns.name import from_text
from suite.dns.notify import Notifier, Target
from suite.dns.rdata import parse_rdata
from suite.dns.rrset import RRset
from suite.dns.settings import Key, Settings, Transfers
from suite.dns.zone import Zone

pytestmark = pytest.mark.peer

ORIGIN = from_text("service.")
SECRET = b"a secret of thirty-two octets ok"
SECRET_TEXT = "YSBzZWNyZXQgb2YgdGhpcnR5LXR3byBvY3RldHMgb2s="
KEY = Key(from_text("transfer."), "hmac-sha256", SECRET)
SETTINGS = Settings(keys=(KEY,), transfers=Transfers(keys=frozenset({KEY.name})))
RING = {dns.name.from_text("transfer."): dns.tsig.Key("transfer.", SECRET, "hmac-sha256")}
DEADLINE = 40.0


def rrset(name: str, rtype: str, *data: str) -> RRset:
    number = rrtype.type_from_text(rtype)
    return RRset(from_text(name, ORIGIN), number, 30, tuple(parse_rdata(number, text, ORIGIN) for text in data))


def first_zone() -> Zone:
    """A zone with something of everything that travels differently."""
    return Zone.build(ORIGIN, [
        rrset("@", "SOA", "ns1 host 1 3600 1800 86400 5"), rrset("@", "NS", "ns1"), rrset("ns1", "A", "127.0.0.1"),
        rrset("_http._tcp.web.ns3", "SRV", "0 0 80 web.ns3"), rrset("web.ns3", "A", "10.0.0.1", "10.0.0.2"),
        rrset("text", "TXT", '"one" "two words"'), rrset("*.wild", "A", "10.0.0.3"), rrset("alias", "CNAME", "web.ns3"),
        rrset("sub", "NS", "ns.sub"), rrset("ns.sub", "A", "10.0.0.4"), rrset("h3", "HTTPS", "1 . alpn=h2,h3 port=8443"),
        rrset("unknown", "TYPE65280", "\\# 4 0a000001"), rrset("a\\.b", "A", "10.0.0.5"), rrset("mail", "MX", "10 web.ns3"),
    ])  # fmt: skip


def change(number: int) -> tuple[RRset, ...]:
    """The n-th change: addresses come, move and go, TTLs and sets change."""
    name = f"svc{number % 97}.ns{number % 7}"
    if number % 5 == 4:
        return (rrset(name, "A"),)
    return rrset(name, "A", f"10.1.{number >> 8}.{number & 255}"), rrset(f"t{number % 13}", "TXT", f'"{number}"')


class Peer:
    """A secondary: how it is configured and started. Its zone is read back by AXFR."""

    def __init__(self, work: Path, primary: int) -> None:
        self.work, self.primary, self.port = work, primary, free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = self.command()
        with (self.work / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.work)

    def stop(self) -> None:
        assert self.process is not None
        self.process.terminate()
        self.process.wait(10)

    def command(self) -> list[str]:
        raise NotImplementedError

    def serial(self) -> int:
        query = dns.message.make_query("service.", "SOA")
        try:
            reply = dns.query.udp(query, "127.0.0.1", 0.5, self.port)
        except (OSError, dns.exception.Timeout):
            return 0
        return reply.answer[0][0].serial if reply.answer else 0

    def zone(self) -> dns.zone.Zone:
        zone = dns.zone.Zone("service.")
        query, _ = dns.xfr.make_query(zone, keyring=RING if self.signs else None)
        dns.query.inbound_xfr("127.0.0.1", zone, query, port=self.port, timeout=5, lifetime=20)
        return zone

    def begin(self, frame: str) -> str:
        """What keeps the program to itself."""
        return frame.format(port=self.port, work=self.work)

    signs = True
    program = ""


class Nsd(Peer):
    """NSD, which asks for IXFR first."""

    program = "nsd"

    def command(self) -> list[str]:
        (self.work / "nsd.conf").write_text(
            self.begin(NSD)
            + f"""
server:
  zonefiles-write: 1
key:
  name: transfer
  algorithm: hmac-sha256
  secret: "{SECRET_TEXT}"
zone:
  name: service
  zonefile: service.zone
  request-xfr: 127.0.0.1@{self.primary} transfer
  allow-notify: 127.0.0.1 transfer
  provide-xfr: 127.0.0.1 transfer
"""
        )
        return ["nsd", "-d", "-c", str(self.work / "nsd.conf")]


class Knot(Peer):
    """Knot DNS."""

    program = "knotd"

    def command(self) -> list[str]:
        (self.work / "knot.conf").write_text(
            self.begin(KNOT)
            + f"""
key:
  - id: transfer
    algorithm: hmac-sha256
    secret: {SECRET_TEXT}
remote:
  - id: primary
    address: 127.0.0.1@{self.primary}
    key: transfer
acl:
  - id: notify
    address: 127.0.0.1
    key: transfer
    action: [notify, transfer]
zone:
  - domain: service
    storage: "{self.work}"
    master: primary
    acl: notify
    refresh-min-interval: 2
"""
        )
        return ["knotd", "-c", str(self.work / "knot.conf")]


class Named(Peer):
    """BIND."""

    program = "named"

    def command(self) -> list[str]:
        (self.work / "named.conf").write_text(f"""
key transfer {{ algorithm hmac-sha256; secret "{SECRET_TEXT}"; }};
options {{ {self.begin(NAMED_OPTIONS)} recursion no;
  empty-zones-enable no; dnssec-validation no; serial-query-rate 1000; }};
controls {{ }};
server 127.0.0.1 {{ keys transfer; }};
zone service {{ type secondary; file "{self.work}/service.zone"; primaries port {self.primary} {{ 127.0.0.1 key transfer; }};
  allow-notify {{ key transfer; }}; allow-transfer {{ key transfer; }}; notify no; min-refresh-time 1; min-retry-time 1; }};
""")
        return ["named", "-g", "-n", "1", "-c", str(self.work / "named.conf")]


class Pdns(Peer):
    """PowerDNS with SQLite, which asks for AXFR."""

    signs = False
    program = "pdns_server"

    def command(self) -> list[str]:
        database = self.work / "pdns.sqlite3"
        if not database.exists():
            schema = Path("/usr/share/doc/pdns-backend-sqlite3/schema.sqlite3.sql").read_bytes()
            rows = f"""
insert into domains (name, master, type) values ('service', '127.0.0.1:{self.primary}', 'SLAVE');
insert into tsigkeys (name, algorithm, secret) values ('transfer', 'hmac-sha256', '{SECRET_TEXT}');
insert into domainmetadata (domain_id, kind, content) values (1, 'AXFR-MASTER-TSIG', 'transfer');
"""
            subprocess.run(["sqlite3", str(database)], input=schema + rows.encode(), check=True)
        (self.work / "pdns.conf").write_text(
            f"launch=gsqlite3\ngsqlite3-database={database}\nlocal-address=127.0.0.1\nlocal-port={self.port}\n"
            f"socket-dir={self.work}\nsecondary=yes\ncache-ttl=0\nquery-cache-ttl=0\nnegquery-cache-ttl=0\n"
            "zone-cache-refresh-interval=0\nsecurity-poll-suffix=\nguardian=no\ndaemon=no\ndisable-syslog=yes\n"
            "allow-axfr-ips=127.0.0.0/8\nxfr-cycle-interval=1\n"
        )
        return ["pdns_server", f"--config-dir={self.work}"]


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def settle(here: Running, peer: Peer) -> None:
    """Tell the peer about the zone's present version until it has it."""
    zone = here.server.zones.by_origin[ORIGIN]
    notifier = Notifier(lambda *_: None, pauses=(0.5, 1.0, 2.0))

    async def tell() -> None:
        notifier.tell(zone, [Target("127.0.0.1", peer.port, KEY)])

    deadline = time.monotonic() + DEADLINE
    try:
        while peer.serial() != zone.serial:
            assert time.monotonic() < deadline, (peer.work / "log").read_text()[-4000:]
            here.run(tell())
            time.sleep(0.2)
    finally:
        here.run(notifier.stop())


def assert_same(here: Running, peer: Peer) -> None:
    ours = dns.zone.Zone("service.")
    query, _ = dns.xfr.make_query(ours, keyring=RING)
    host, port = here.address()
    dns.query.inbound_xfr(host, ours, query, port=port, timeout=5, lifetime=20)
    assert text_of(peer.zone()) == text_of(ours)


def text_of(zone: dns.zone.Zone) -> list[str]:
    return sorted(line.lower() for line in zone.to_text(relativize=False, want_origin=False).splitlines())


@pytest.mark.parametrize("kind", [Nsd, Knot, Named, Pdns], ids=["nsd", "knot", "bind", "powerdns"])
def test_a_secondary_stays_identical_through_changes_and_restarts(kind, tmp_path):
    if shutil.which(kind.program) is None:
        pytest.skip(f"{kind.program} is not installed")
    tmp_path.chmod(0o777)
    listen = [("127.0.0.1", free_port())]
    with running(Zones.of([first_zone()]), SETTINGS, listen=listen) as here:
        peer = kind(tmp_path, listen[0][1])
        peer.start()
        try:
            settle(here, peer)
            for serial in range(2, 702):
                here.publish(ChangeZone(ORIGIN, change(serial), serial), revision=serial)
                if serial % 50 == 0:
                    settle(here, peer)
            settle(here, peer)
            assert_same(here, peer)
            peer.stop()
            for serial in range(702, 802):
                here.publish(ChangeZone(ORIGIN, change(serial), serial), revision=serial)
            peer.start()
            settle(here, peer)
            assert_same(here, peer)
            zones, history = here.server.zones, here.server.journal.by_origin[ORIGIN]
        finally:
            peer.stop()
    with running(zones, SETTINGS, listen=listen) as here:
        here.publish(SetHistory(ORIGIN, history), revision=801)
        peer.start()
        try:
            for serial in range(802, 1002):
                here.publish(ChangeZone(ORIGIN, change(serial), serial), revision=serial)
            settle(here, peer)
            assert_same(here, peer)
        finally:
            peer.stop()
