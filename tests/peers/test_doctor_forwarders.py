"""`suite doctor` finds out what is wrong with real forwarders: each is set up with one mistake people make."""

from __future__ import annotations

import shutil
import subprocess
import sys
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest
from dns_running import Running, running
from fix_netns import eventually, require_tools
from name_servers import DNSMASQ, NAMED_OPTIONS, NSD, UNBOUND
from suite_running import ROOT, ask, daemon, free_port, running_suite

from suite.cli.forwarder import Subject, judge
from suite.cli.forwarder_lines import Product
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

ROOT_STUB = '\nstub-zone:\n  name: "."\n  stub-addr: 127.0.0.1@{root}\n'

STUB = '\nstub-zone:\n  name: "{zone}"\n  stub-addr: 127.0.0.1@{primary}'
OPEN = '\nserver:\n  local-zone: "42.0.10.in-addr.arpa." transparent'
BOTH = STUB.replace("{zone}", "service") + OPEN + STUB.replace("{zone}", "42.0.10.in-addr.arpa")
VALIDATOR = 'module-config: "validator iterator"\n  trust-anchor-file: "{anchor}"'
FORWARD = "server=/service/127.0.0.1#{primary}\n"
REVERSED = "rev-server=10.0.42.0/24,127.0.0.1#{primary}\n"
NOBODY = "server=127.0.0.1#{root}\n"

ZONE = 'zone "{zone}" {{ type forward; forward only; forwarders {{ 127.0.0.1 port {{primary}}; }}; }};\n'
OURS, OURS_REVERSED = (ZONE.format(zone=zone) for zone in ("service", "42.0.10.in-addr.arpa"))
FORWARDED = "forward only; forwarders { 127.0.0.1 port {root}; }; "
TRUSTING = "dnssec-validation no; "
NOT_EMPTY = 'disable-empty-zone "10.in-addr.arpa"; '
PROVING = 'dnssec-validation yes; validate-except { "42.0.10.in-addr.arpa"; }; '

CASES = {
    "unbound-well": ("unbound", BOTH, []),
    "unbound-rebind": ("unbound", "private-address: 10.0.0.0/8" + BOTH, [("rebind protection", 'private-domain: "service"')]),
    "unbound-validates": (
        "unbound",
        VALIDATOR + BOTH + '\nserver:\n  domain-insecure: "42.0.10.in-addr.arpa"',
        [("validates, and the signed root proves that zone service does not exist", 'domain-insecure: "service"')],
    ),
    "unbound-not-forwarding": ("unbound", "", [("does not forward zone service", 'stub-zone: { name: "service"')]),
    "unbound-built-in-reverse": (
        "unbound",
        STUB.replace("{zone}", "service"),
        [("with an empty built-in reverse zone", 'local-zone: "42.0.10.in-addr.arpa." transparent')],
    ),
    "dnsmasq-well": ("dnsmasq", FORWARD + REVERSED, []),
    "dnsmasq-rebind": (
        "dnsmasq",
        "stop-dns-rebind\n" + FORWARD + REVERSED,
        [("rebind protection", "rebind-domain-ok=/service/")],
    ),
    "dnsmasq-not-forwarding": ("dnsmasq", NOBODY, [("does not forward zone service", "server=/service/127.0.0.1#")]),
    "dnsmasq-built-in-reverse": (
        "dnsmasq",
        "bogus-priv\n" + FORWARD,
        [("with an empty built-in reverse zone", "server=/42.0.10.in-addr.arpa/127.0.0.1#")],
    ),
    "named-well": ("named", FORWARDED + TRUSTING + NOT_EMPTY + "};\n" + OURS + OURS_REVERSED, []),
    "named-rebind": (
        "named",
        FORWARDED + TRUSTING + NOT_EMPTY + "deny-answer-addresses { 10.0.0.0/8; }; };\n" + OURS + OURS_REVERSED,
        [("rebind protection", 'except-from { "service"; }')],
    ),
    "named-validates": (
        "named",
        FORWARDED + PROVING + NOT_EMPTY + "};\ntrust-anchors { {ds} };\n" + OURS + OURS_REVERSED,
        [("validates, and the signed root proves that zone service does not exist", 'validate-except { "service"; };')],
    ),
    "named-not-forwarding": ("named", FORWARDED + TRUSTING + NOT_EMPTY + "};\n", [("does not forward zone service", 'zone "service" { type forward;')]),
    "named-built-in-reverse": (
        "named",
        TRUSTING + "};\n" + OURS,
        [("with an empty built-in reverse zone", 'disable-empty-zone "10.in-addr.arpa"')],
    ),
}  # fmt: skip
COMMANDS = {
    "named": (
        f"options {{{{ {NAMED_OPTIONS} recursion yes; {{lines}}\ncontrols {{{{ }}}};\n",
        ["named", "-g", "-n", "1", "-c", "{conf}"],
    ),
    "unbound": (UNBOUND + "  {lines}" + ROOT_STUB, ["unbound", "-d", "-c", "{conf}"]),
    "dnsmasq": (DNSMASQ + "{lines}", ["dnsmasq", "--keep-in-foreground", "--conf-file={conf}"]),
}

ROOT_SERVER = NSD + "zone:\n  name: .\n  zonefile: root.zone.signed\n"

ROOT_ZONE = """\
. 86400 IN SOA a.root-servers.net. nobody.example. 1 1800 900 604800 86400
. 86400 IN NS a.root-servers.net.
a.root-servers.net. 86400 IN A 127.0.0.1
aaa. 86400 IN NS a.root-servers.net.
zw. 86400 IN NS a.root-servers.net.
arpa. 86400 IN NS a.root-servers.net.
"""


def rrset(name: str, rtype: str, data: str, origin: bytes = ORIGIN) -> RRset:
    number = type_from_text(rtype)
    return RRset(from_text(name, origin), number, 2, (parse_rdata(number, data, origin),))


def zones() -> Zones:
    soa, ns = "ns.service. host.service. 1 60 10 80 5", "ns.service."
    ours = [rrset("@", "SOA", soa), rrset("@", "NS", ns), rrset("coffee.default", "A", "10.0.42.1")]
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


def static_anchor(path: Path) -> str:
    """A DS record as BIND wants it written."""
    owner, *_, tag, algorithm, kind, digest = path.read_text().split()
    return f'{owner} static-ds {tag} {algorithm} {kind} "{digest}";'


@pytest.mark.parametrize("case", sorted(CASES))
def test_one_mistake_is_found_with_the_line_that_mends_it(
    case: str, primary: Running, signed_root: tuple[int, Path], tmp_path: Path
) -> None:
    program, lines, expected = CASES[case]
    require_tools(program)
    frame, command = COMMANDS[program]
    port, (root, anchor) = free_port(), signed_root
    tmp_path.chmod(0o777)
    shutil.copy(anchor, tmp_path / "anchor")
    lines = lines.replace("{primary}", str(primary.address()[1])).replace("{root}", str(root))
    lines = lines.replace("{anchor}", str(tmp_path / "anchor")).replace("{ds}", static_anchor(anchor))
    conf = tmp_path / "conf"
    conf.write_text(frame.format(port=port, work=tmp_path, root=root, lines=lines))
    with daemon([part.format(conf=conf) for part in command], tmp_path):
        assert eventually(lambda: ask(port, ".", "SOA")[0] != "TIMEOUT", 10, 0.1)
        (heard,) = hear([Listen(LOOPBACK, port)], subject(primary), None)

    remarks = judge(heard, subject(primary))

    assert heard.product is Product("bind" if program == "named" else program)
    assert [(text in each.text, line in each.fix) for each, (text, line) in zip(remarks, expected, strict=True)] == [
        (True, True) for _ in expected
    ], (heard, remarks)


def test_a_name_that_a_forwarder_remembers_as_missing_is_found(primary: Running, tmp_path: Path) -> None:
    require_tools("dnsmasq")
    port = free_port()
    tmp_path.chmod(0o777)
    server = primary.address()[1]
    conf = tmp_path / "conf"
    lines = (FORWARD + REVERSED).replace("{primary}", str(server))
    conf.write_text(DNSMASQ.format(port=port, work=tmp_path) + lines)
    late = Subject("late.default.service.", "service.", "A", ("10.0.42.7",), Listen(LOOPBACK, server))
    with daemon(["dnsmasq", "--keep-in-foreground", f"--conf-file={conf}"], tmp_path):
        assert eventually(lambda: ask(port, "late.default.service")[0] == "NXDOMAIN", 10, 0.1)
        primary.publish(ChangeZone(ORIGIN, (rrset("late.default", "A", "10.0.42.7"),), 2), revision=2)

        (heard,) = hear([Listen(LOOPBACK, port)], late, None)

    (remark,) = judge(heard, late)
    assert "remembers that late.default.service does not exist" in remark.text
    assert "dnsmasq: killall -HUP dnsmasq" in remark.fix


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
