"""The forwarders of docs/forwarders.md, started with the lines of that page, in front of the running program.

What a careful administrator switches on is on: rebind protection, DNSSEC validation, built-in reverse zones.  Whatever
is not ours goes to a port where nobody listens.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from fix_netns import require_tools
from name_servers import DNSMASQ, NAMED_OPTIONS, UNBOUND
from suite_running import ROOT, RunningSuite, ask, daemon, free_port, running_suite

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.peer

PAGE = (ROOT / "docs/forwarders.md").read_text(encoding="utf-8")
NOBODY = 1
"""A port on which nobody listens."""
PROOF = ". DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D"

DNSMASQ_LINES = """
server=127.0.0.1#{nobody}
stop-dns-rebind
bogus-priv
dnssec
trust-anchor=.,20326,8,2,E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D
{lines}
"""

UNBOUND_LINES = """
  use-caps-for-id: yes
  qname-minimisation: yes
  module-config: "validator iterator"
  trust-anchor: "{proof}"
  private-address: 10.0.0.0/8
forward-zone:
  name: "."
  forward-addr: 127.0.0.1@{nobody}
{lines}
"""

NAMED = """
options {{ %s recursion yes;
  forward only; forwarders {{ 127.0.0.1 port {nobody}; }}; deny-answer-addresses {{ 10.0.0.0/8; }} except-from {{ "service"; "dashboard"; }};
  dnssec-validation yes;
  {lines} }};
trust-anchors {{ . static-ds 20326 8 2 "E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D"; }};
controls {{ }};
{more}
"""

KRESD = """
net.listen('127.0.0.1', {port}, {{ kind = 'dns' }})
for _, each in ipairs({{'priming', 'ta_update', 'ta_signal_query', 'detect_time_skew', 'detect_time_jump'}}) do
  modules.unload(each)
end
cache.size = 10 * MB
{lines}
policy.add(policy.all(policy.FORWARD({{'127.0.0.1@{nobody}'}})))
"""

RECURSOR = """
local-address=127.0.0.1
local-port={port}
socket-dir={work}
config-dir={work}
daemon=no
disable-syslog=yes
security-poll-suffix=
forward-zones-recurse=.=127.0.0.1:{nobody}
dnssec=validate
qname-minimization=yes
lua-config-file={work}/more
{lines}
"""

SMARTDNS = """
bind 127.0.0.1:{port}
bind-tcp 127.0.0.1:{port}
log-file {work}/smartdns.log
cache-file {work}/smartdns.cache
server 127.0.0.1:{nobody}
{lines}
"""

DNSDIST = """
setLocal("127.0.0.1:{port}")
newServer({{address="127.0.0.1:{nobody}"}})
setSecurityPollSuffix("")
{lines}
"""

FORWARDERS = {
    "kresd": ("Knot Resolver", KRESD, "127.0.0.1@{port}", ["kresd", "-n", "-c", "{conf}", "{work}"]),
    "pdns_recursor": (
        "PowerDNS Recursor",
        RECURSOR,
        "127.0.0.1:{port}",
        ["pdns_recursor", "--config-dir={work}", "--threads=1"],
    ),
    "smartdns": ("SmartDNS", SMARTDNS, "127.0.0.1:{port}", ["smartdns", "-f", "-c", "{conf}", "-p", "-"]),
    "dnsdist": (
        "dnsdist",
        DNSDIST,
        "127.0.0.1:{port}",
        ["dnsdist", "--supervised", "--disable-syslog", "-C", "{conf}"],
    ),
    "dnsmasq": (
        "dnsmasq",
        DNSMASQ + DNSMASQ_LINES,
        "127.0.0.1#{port}",
        ["dnsmasq", "--keep-in-foreground", "--conf-file={conf}"],
    ),
    "unbound": ("Unbound", UNBOUND + UNBOUND_LINES, "127.0.0.1@{port}", ["unbound", "-d", "-c", "{conf}"]),
    "named": ("BIND", NAMED % NAMED_OPTIONS, "127.0.0.1 port {port}", ["named", "-g", "-n", "1", "-c", "{conf}"]),
}


def blocks(heading: str) -> list[str]:
    """The configuration under a heading of the page."""
    section = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
    assert section is not None
    return re.findall(r"```conf\n(.*?)```", section[1], re.DOTALL)


@pytest.fixture(params=sorted(FORWARDERS), scope="module")
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[RunningSuite, int]]:
    """A running suite, and the port of the forwarder in front of it."""
    require_tools(request.param)
    heading, frame, place, command = FORWARDERS[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    work, port = folder / "forwarder", free_port()
    work.mkdir()
    for each in (folder, work):
        each.chmod(0o777)
    with running_suite(folder / "suite") as suite:
        suite.put("board", "10.0.42.9", hostname="dashboard")
        suite.wait("dashboard.service", "10.0.42.9")
        lines, *more = [each.replace("192.168.1.53", place.format(port=suite.port)) for each in blocks(heading)]
        conf = work / "recursor.conf"  # the name that PowerDNS insists on
        conf.write_text(frame.format(work=work, port=port, lines=lines, more="".join(more), nobody=NOBODY, proof=PROOF))
        (work / "more").write_text("".join(more))
        with daemon([part.format(conf=conf, work=work) for part in command], work):
            suite.wait("coffee.default.service", "10.0.42.1", port=port)
            yield suite, port


def test_names_addresses_and_bare_names_are_found_through_the_forwarder(pair: tuple[RunningSuite, int]) -> None:
    _, port = pair

    assert ask(port, "coffee.default.service") == ("NOERROR", ["10.0.42.1"])
    assert ask(port, "coffee.default.service", "AAAA") == ("NOERROR", [])
    assert ask(port, "_http._tcp.coffee.default.service", "SRV") == ("NOERROR", ["0 100 80 coffee.default.service."])
    assert ask(port, "default.service") == ("NOERROR", [])
    assert ask(port, "nobody.default.service") == ("NXDOMAIN", [])
    assert ask(port, "1.42.0.10.in-addr.arpa", "PTR") == ("NOERROR", ["coffee.default.service."])
    assert ask(port, "dashboard") == ("NOERROR", ["10.0.42.9"])
    assert ask(port, "dashboard.service") == ("NOERROR", ["10.0.42.9"])


def test_new_changed_and_removed_names_are_seen_within_the_ttl(pair: tuple[RunningSuite, int]) -> None:
    suite, port = pair
    assert ask(port, "tea.default.service")[0] == "NXDOMAIN"

    suite.put("tea", "10.0.42.20")
    suite.wait("tea.default.service", "10.0.42.20", port=port)
    suite.put("tea", "10.0.42.21")
    suite.wait("tea.default.service", "10.0.42.21", port=port)
    suite.wait("21.42.0.10.in-addr.arpa", "tea.default.service.", rtype="PTR", port=port)
    suite.remove("tea")

    suite.wait("tea.default.service", code="NXDOMAIN", port=port)


def test_every_forwarder_of_the_page_is_tested_or_says_that_it_is_not() -> None:
    sections = re.findall(
        r"^## ([A-Z][^\n:]*)\n(.*?)(?=^## |\Z)", PAGE.split("## dnsmasq")[1], re.DOTALL | re.MULTILINE
    )
    tested = {heading for heading, *_ in FORWARDERS.values()}

    assert [
        name for name, text in sections if name not in tested and not re.search(r"\*(Untested|The lines)", text)
    ] == ["When there is no forwarder"]
