"""The forwarders of docs/forwarders.md, as careful administrators run them, with the lines of that page.

Each frame switches on what drops good answers: rebind protection, DNSSEC validation, built-in reverse zones, a cache.
Whatever is not ours goes to a port where nobody listens.
"""

from __future__ import annotations

import re
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from name_servers import DNSMASQ, NAMED_OPTIONS, UNBOUND
from suite_running import ROOT, daemon, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE = (ROOT / "docs/forwarders.md").read_text(encoding="utf-8")
NOBODY = 1
"""A port on which nobody listens."""
DIGEST = "E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D"
"""The root's key, as a DS record has it."""

DNSMASQ_LINES = f"""
server=127.0.0.1#{{nobody}}
stop-dns-rebind
bogus-priv
dnssec
trust-anchor=.,20326,8,2,{DIGEST}
{{lines}}
"""

UNBOUND_LINES = f"""
  use-caps-for-id: yes
  qname-minimisation: yes
  module-config: "validator iterator"
  trust-anchor: ". DS 20326 8 2 {DIGEST}"
  private-address: 10.0.0.0/8
forward-zone:
  name: "."
  forward-addr: 127.0.0.1@{{nobody}}
{{lines}}
"""

NAMED = f"""
options {{{{ {NAMED_OPTIONS} recursion yes;
  forward only; forwarders {{{{ 127.0.0.1 port {{nobody}}; }}}};
  deny-answer-addresses {{{{ 10.0.0.0/8; }}}} except-from {{{{ "service"; "dashboard"; }}}};
  dnssec-validation yes;
  {{lines}} }}}};
trust-anchors {{{{ . static-ds 20326 8 2 "{DIGEST}"; }}}};
controls {{{{ }}}};
{{more}}
"""

KRESD_ALONE = """
for _, each in ipairs({{'priming', 'ta_update', 'ta_signal_query', 'detect_time_skew', 'detect_time_jump'}}) do
  modules.unload(each)
end
cache.size = 10 * MB
"""
"""What keeps Knot Resolver from asking the Internet on its own."""

KRESD = f"""
net.listen('127.0.0.1', {{port}}, {{{{ kind = 'dns' }}}})
{KRESD_ALONE}
{{lines}}
policy.add(policy.all(policy.FORWARD({{{{'127.0.0.1@{{nobody}}'}}}})))
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

DJB = ["env", "ROOT={work}/root", "IP={address}", "IPSEND=0.0.0.0", "CACHESIZE=1000000", "UID=65534", "GID=65534"]
"""How what descends from djbdns is told everything; it reads a folder instead of a file."""


@dataclass(frozen=True, slots=True)
class Front:
    """One forwarder: its section of the page, its frame, how it writes our place, and what starts it."""

    heading: str
    frame: str
    place: str
    command: list[str]
    asks_port_53: bool = False
    """Such a one needs a network of its own: it can ask no other port."""

    @property
    def program(self) -> str:
        return next(word for word in self.command if word != "env" and "=" not in word)


FRONTS = {
    "kresd": Front("Knot Resolver", KRESD, "127.0.0.1@{port}", ["kresd", "-n", "-c", "{conf}", "{work}"]),
    "pdns_recursor": Front(
        "PowerDNS Recursor", RECURSOR, "127.0.0.1:{port}", ["pdns_recursor", "--config-dir={work}", "--threads=1"]
    ),
    "smartdns": Front("SmartDNS", SMARTDNS, "127.0.0.1:{port}", ["smartdns", "-f", "-c", "{conf}", "-p", "-"]),
    "dnsdist": Front(
        "dnsdist", DNSDIST, "127.0.0.1:{port}", ["dnsdist", "--supervised", "--disable-syslog", "-C", "{conf}"]
    ),
    "dnsmasq": Front(
        "dnsmasq",
        DNSMASQ + DNSMASQ_LINES,
        "127.0.0.1#{port}",
        ["dnsmasq", "--keep-in-foreground", "--conf-file={conf}"],
    ),
    "unbound": Front("Unbound", UNBOUND + UNBOUND_LINES, "127.0.0.1@{port}", ["unbound", "-d", "-c", "{conf}"]),
    "named": Front("BIND", NAMED, "127.0.0.1 port {port}", ["named", "-g", "-n", "1", "-c", "{conf}"]),
    "dnscache": Front("dnscache and dqcache", "", "127.0.0.1", [*DJB, "dnscache"], asks_port_53=True),
    "dqcache": Front("dnscache and dqcache", "", "127.0.0.1", [*DJB, "FORWARDONLY=1", "dqcache"], asks_port_53=True),
}


def blocks(heading: str) -> list[str]:
    """What there is to write or to run under a heading of the page."""
    section = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
    assert section is not None
    return re.findall(r"```(?:conf|sh)\n(.*?)```", section[1], re.DOTALL)


@contextmanager
def started(front: Front, work: Path, suite_port: int, address: str = "", without: str = "") -> Iterator[int]:
    """A forwarder in front of the suite at that port; the port where it answers, at ``address`` where it can choose no port.

    ``without`` is a line of the page that is left out.
    """
    work.mkdir()
    work.chmod(0o777)
    port = 53 if front.asks_port_53 else free_port()
    lines, *more = [
        each.replace(without, "").replace("192.168.1.53", front.place.format(port=suite_port))
        for each in blocks(front.heading)
    ]
    conf = work / "recursor.conf"  # the name that PowerDNS insists on
    if front.asks_port_53:
        fill_root(work / "root", lines)
    conf.write_text(front.frame.format(work=work, port=port, lines=lines, more="".join(more), nobody=NOBODY))
    (work / "more").write_text("".join(more))
    with daemon([part.format(conf=conf, work=work, address=address) for part in front.command], work):
        yield port


def fill_root(root: Path, lines: str) -> None:
    """The folder that holds all of the settings of dnscache and dqcache: whom to ask, who may ask."""
    for folder in (root, root / "servers", root / "ip"):
        folder.mkdir()
        folder.chmod(0o755)
    (root / "servers" / "@").write_text("127.0.0.9\n")
    (root / "ip" / "127").touch()
    subprocess.run(["sh", "-e", "-c", lines], cwd=root, check=True)
