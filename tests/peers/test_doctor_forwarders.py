"""`suite doctor` finds out what is wrong with real forwarders: each is set up with one mistake people make."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest
from dns_running import Running, running
from fix_netns import eventually, require_tools
from forwarder_mistakes import CASES, FRAMES, PRODUCTS, REMEMBERING, SILENT, with_lines
from name_servers import DNSMASQ, NSD
from suite_running import ROOT, ask, daemon, free_port, running_suite

from suite.cli.forwarder import Remark, Subject, judge
from suite.cli.forwarder_probes import hear
from suite.dns.catalogue import Zones
from suite.dns.feed import ChangeZone
from suite.dns.name import from_text
from suite.dns.rdata import parse_rdata
from suite.dns.rrset import RRset
from suite.dns.rrtype import type_from_text
from suite.dns.zone import Zone
from suite.model.configuration import Listen

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.peer

ORIGIN, REVERSE = from_text("service."), from_text("42.0.10.in-addr.arpa.")
LOOPBACK = ip_address("127.0.0.1")

ROOT_SERVER = NSD + "zone:\n  name: .\n  zonefile: root.zone.signed\n"

ROOT_ZONE = """\
. 86400 IN SOA a.root-servers.net. nobody.example. 1 1800 900 604800 86400
. 86400 IN NS a.root-servers.net.
a.root-servers.net. 86400 IN A 127.0.0.1
aaa. 86400 IN NS a.root-servers.net.
zw. 86400 IN NS a.root-servers.net.
arpa. 86400 IN NS a.root-servers.net.
"""


def rrset(name: str, rtype: str, data: str, origin: bytes = ORIGIN, ttl: int = 2) -> RRset:
    number = type_from_text(rtype)
    return RRset(from_text(name, origin), number, ttl, (parse_rdata(number, data, origin),))


def zones(negative: int = 2) -> Zones:
    soa, ns = f"ns.service. host.service. 1 60 10 80 {negative}", "ns.service."
    ours = [rrset("@", "SOA", soa, ttl=negative), rrset("@", "NS", ns), rrset("coffee.default", "A", "10.0.42.1")]
    reverse = [rrset("@", "SOA", soa, REVERSE), rrset("@", "NS", ns, REVERSE)]
    reverse += [rrset("1", "PTR", "coffee.default.service.", REVERSE)]
    return Zones.of([Zone.build(ORIGIN, ours), Zone.build(REVERSE, reverse)])


@pytest.fixture(scope="module")
def primary() -> Iterator[Running]:
    with running(zones(), processes=False, listen=[("127.0.0.1", 0)]) as here:
        yield here


@pytest.fixture(scope="module")
def signed_root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    """A signed root without our zones, as the Internet has one: its port, and the trust anchor."""
    require_tools("nsd", "ldns-keygen", "ldns-signzone")
    work, port = tmp_path_factory.mktemp("root"), free_port()
    for folder in (work.parent, work):
        folder.chmod(0o777)
    (work / "root.zone").write_text(ROOT_ZONE)
    made = ["ldns-keygen", "-a", "ECDSAP256SHA256", "-k", "."]
    key = subprocess.run(made, cwd=work, check=True, capture_output=True, text=True).stdout.strip()
    subprocess.run(["ldns-signzone", "root.zone", key], cwd=work, check=True)
    (work / "conf").write_text(ROOT_SERVER.format(port=port, work=work))
    with daemon(["nsd", "-d", "-c", str(work / "conf")], work):
        assert eventually(lambda: ask(port, ".", "SOA")[0] == "NOERROR", 10, 0.1)
        yield port, work / f"{key}.ds"


def subject(primary: Running) -> Subject:
    server = Listen(LOOPBACK, primary.address()[1])
    reverse = "1.42.0.10.in-addr.arpa.", "42.0.10.in-addr.arpa."
    return Subject("coffee.default.service.", "service.", "A", ("10.0.42.1",), server, *reverse)


def keys(path: Path) -> dict[str, str]:
    """A DS record as each program wants its trust anchor written."""
    text = path.read_text().strip()
    owner, *_, tag, algorithm, kind, digest = text.split()
    return {
        "{ds}": text,
        "{static}": f'{owner} static-ds {tag} {algorithm} {kind} "{digest}";',
        "{key}": f"{owner},{tag},{algorithm},{kind},{digest}",
        "{pdns}": f'clearDS(".") addDS(".", "{tag} {algorithm} {kind} {digest}")\n',
    }


@dataclass(slots=True)
class Mistaken:
    """A forwarder in a folder of its own, started anew with each configuration."""

    program: str
    work: Path
    configuration: str
    more: str
    """The file of PowerDNS's lua-config-file."""
    port: int = field(default_factory=free_port)

    @classmethod
    def with_mistake(cls, program: str, lines: str, work: Path, primary: Running, root: tuple[int, Path]) -> Mistaken:
        require_tools(program)
        work.chmod(0o777)
        shutil.copy(root[1], work / "anchor")
        put = {"{primary}": str(primary.address()[1]), "{root}": str(root[0]), "{anchor}": str(work / "anchor")}
        words = keys(root[1])
        for place, text in (put | words).items():
            lines = lines.replace(place, text)
        frame, port, control = FRAMES[program][0], free_port(), free_port()
        configuration = frame.format(port=port, work=work, root=root[0], lines=lines, control=control)
        return cls(program, work, configuration, words["{pdns}"], port)

    @contextmanager
    def running(self) -> Iterator[None]:
        conf = self.work / "recursor.conf"
        conf.write_text(self.configuration)
        (self.work / "more").write_text(self.more)
        with daemon([part.format(conf=conf, work=self.work) for part in FRAMES[self.program][1]], self.work) as log:
            is_up = eventually(lambda: ask(self.port, ".", "SOA")[0] != "TIMEOUT", 10, 0.05)
            assert is_up, log.read_text()[-3000:]
            yield

    def remarks(self, about: Subject) -> list[Remark]:
        """What the doctor says of it, which knows the program unless it cannot."""
        product = PRODUCTS[self.program]
        (heard,) = hear([Listen(LOOPBACK, self.port)], about, product if self.program in SILENT else None)
        assert heard.product is product
        return judge(heard, about)

    def add(self, remark: Remark) -> None:
        """Do what the remark says."""
        lines = remark.fix.partition(f"{PRODUCTS[self.program].value}: ")[2]
        assert lines, remark
        if lines.startswith("in the file of lua-config-file: "):
            self.more += lines.partition(": ")[2]
        else:
            self.configuration = with_lines(self.program, self.configuration, lines)


@pytest.mark.parametrize("case", sorted(CASES))
def test_one_mistake_is_found_and_gone_when_the_lines_that_are_printed_are_added(
    case: str, primary: Running, signed_root: tuple[int, Path], tmp_path: Path
) -> None:
    program, lines, expected = CASES[case]
    forwarder, about = Mistaken.with_mistake(program, lines, tmp_path, primary, signed_root), subject(primary)
    with forwarder.running():
        first = remarks = forwarder.remarks(about)
    rounds = 0
    while remarks and rounds < 2:  # the reverse zone is judged when the zone comes through
        rounds += 1
        for remark in remarks:
            forwarder.add(remark)
        with forwarder.running():
            remarks = forwarder.remarks(about)

    assert [expected in each.text for each in first] == [True], first
    assert remarks == []


def run(forwarder: Mistaken, command: str) -> None:
    """Give the command that the doctor prints to this one forwarder; those with a console have no command."""
    work, configuration = forwarder.work, forwarder.configuration
    if forwarder.program == "dnsmasq":  # `killall` would reach others too
        os.kill(int((work / "pid").read_text()), signal.SIGHUP)
        return
    if forwarder.program == "kresd":
        with socket.socket(socket.AF_UNIX) as console:
            console.connect(str(next((work / "control").iterdir())))
            console.settimeout(10)
            console.sendall(f"{command}\n".encode())
            said = ""
            while "count" not in said:  # how many it forgot; a prompt comes before
                said += console.recv(4096).decode()
        return
    (work / "rndc.conf").write_text('key "k" { algorithm hmac-sha256; secret "c2VjcmV0"; };\n')
    conf = str(work / "recursor.conf")
    control = re.search(r"(?:inet 127.0.0.1 port |controlSocket\(.127.0.0.1:)(\d+)", configuration)
    own = {
        "unbound": ["unbound-control", "-c", conf],
        "named": ["rndc", "-s", "127.0.0.1", "-p", control[1] if control else "", "-k", str(work / "rndc.conf")],
        "pdns_recursor": ["rec_control", f"--socket-dir={work}"],
        "dnsdist": ["dnsdist", "-C", conf, "-e", command],
    }[forwarder.program]
    words = command.split()[1:] if forwarder.program != "dnsdist" else []
    subprocess.run([*own, *words], check=True, capture_output=True, timeout=20)


@pytest.fixture(scope="module")
def slow_to_forget() -> Iterator[Running]:
    """Our server with denials that last ten minutes, so that no forwarder asks again by itself."""
    with running(zones(negative=600), processes=False, listen=[("127.0.0.1", 0)]) as here:
        yield here


@pytest.mark.parametrize("program", sorted(REMEMBERING))
def test_a_name_that_is_remembered_as_missing_is_found_and_forgotten_by_what_is_printed(
    program: str, slow_to_forget: Running, signed_root: tuple[int, Path], tmp_path: Path
) -> None:
    here, late = slow_to_forget, f"late.{program.replace('_', '-')}"
    about = Subject(f"{late}.service.", "service.", "A", ("10.0.42.7",), Listen(LOOPBACK, here.address()[1]))
    forwarder = Mistaken.with_mistake(program, REMEMBERING[program], tmp_path, here, signed_root)
    with ExitStack() as stack:
        stack.enter_context(forwarder.running())
        assert forwarder.remarks(about), "asked as the doctor asks, because dnsdist keeps whole packets"
        revision = 2 + sorted(REMEMBERING).index(program)
        here.publish(ChangeZone(ORIGIN, (rrset(late, "A", "10.0.42.7"),), revision), revision=revision)
        (remark,) = forwarder.remarks(about)

        if program == "smartdns":  # which has no command for it
            stack.close()
            forwarder.add(remark)
            stack.enter_context(forwarder.running())
        else:
            run(forwarder, remark.fix.partition(f"{PRODUCTS[program].value}: ")[2])

        assert f"remembers that {late}.service does not exist" in remark.text
        assert forwarder.remarks(about) == []


def test_the_command_asks_the_forwarder_it_is_given(tmp_path: Path) -> None:
    require_tools("dnsmasq")
    work, port = tmp_path / "forwarder", free_port()
    work.mkdir()
    for folder in (tmp_path, work):
        folder.chmod(0o777)
    with running_suite(tmp_path / "suite") as suite:
        conf = work / "conf"
        conf.write_text(
            DNSMASQ.format(port=port, work=work) + f"stop-dns-rebind\nserver=/service/127.0.0.1#{suite.port}\n"
        )
        with daemon(["dnsmasq", "--keep-in-foreground", f"--conf-file={conf}"], work):
            assert eventually(lambda: ask(port, "coffee.default.service")[0] != "TIMEOUT", 10, 0.1)
            command = [sys.executable, "-m", "suite", "doctor", "--state", str(suite.folder / "state")]
            command += ["--forwarder", f"127.0.0.1:{port}"]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    assert "takes the address out of the answer for coffee.default.service: rebind protection" in done.stdout
    assert "fix: dnsmasq: rebind-domain-ok=/service/" in done.stdout
