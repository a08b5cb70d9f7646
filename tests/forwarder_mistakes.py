"""Forwarders with one mistake each, of the kind people make, and the ways to add the lines that `suite doctor` prints.

Places in a configuration: `{primary}` is our port, `{root}` that of a signed root without our zones, `{ds}`, `{static}`, `{key}`
and `{anchor}` are its key as DS record, in BIND's and dnsmasq's words and as a file.
"""

from __future__ import annotations

import re

from forwarders_running import KRESD_ALONE
from name_servers import DNSMASQ, NAMED_OPTIONS, UNBOUND

from suite.cli.forwarder_lines import Product

RECURSOR = """
local-address=127.0.0.1
local-port={port}
socket-dir={work}
config-dir={work}
daemon=no
disable-syslog=yes
security-poll-suffix=
forward-zones-recurse=.=127.0.0.1:{root}
lua-config-file={work}/more
{lines}
"""

STUB = '\nstub-zone:\n  name: "{zone}"\n  stub-addr: 127.0.0.1@{primary}'
OPEN = '\nserver:\n  local-zone: "42.0.10.in-addr.arpa." transparent'
BOTH = STUB.replace("{zone}", "service") + OPEN + STUB.replace("{zone}", "42.0.10.in-addr.arpa")
VALIDATOR = 'module-config: "validator iterator"\n  trust-anchor-file: "{anchor}"'
FORWARD = "server=/service/127.0.0.1#{primary}\n"
REVERSED = "rev-server=10.0.42.0/24,127.0.0.1#{primary}\n"
NOBODY = "server=127.0.0.1#{root}\n"

ZONE = 'zone "{zone}" { type forward; forward only; forwarders { 127.0.0.1 port {primary}; }; };\n'
OURS, OURS_REVERSED = (ZONE.replace("{zone}", zone) for zone in ("service", "42.0.10.in-addr.arpa"))
TRUSTING = "dnssec-validation no; "
NOT_EMPTY = 'disable-empty-zone "10.in-addr.arpa"; '
PROVING = "dnssec-validation yes; "

KRESD_STUB = "policy.add(policy.suffix(policy.STUB('127.0.0.1@{primary}'), policy.todnames({{zones}})))\n"
KRESD_OURS = KRESD_STUB.replace("{zones}", "'service.'")
KRESD_BOTH = KRESD_STUB.replace("{zones}", "'service.', '42.0.10.in-addr.arpa.'")
KRESD_ROOT = "policy.add(policy.all(policy.STUB('127.0.0.1@{root}')))\n"
KRESD_UP = "policy.add(policy.domains(policy.STUB('127.0.0.1@{root}'), policy.todnames({{'.'}})))\n"
"""Answers at once whether it is up."""
KRESD_PROVING = """\
trust_anchors.remove('.')
trust_anchors.add([[{ds}]])
policy.add(policy.suffix(policy.FORWARD('127.0.0.1@{primary}'), policy.todnames({'service.'})))
policy.add(policy.all(policy.FORWARD('127.0.0.1@{root}')))
"""
PDNS_BOTH = "forward-zones=service=127.0.0.1:{primary}, 42.0.10.in-addr.arpa=127.0.0.1:{primary}\n"
SMARTDNS_BOTH = """\
server 127.0.0.1:{primary} -group suite -exclude-default-group
domain-rules /service/ -nameserver suite -speed-check-mode none
domain-rules /42.0.10.in-addr.arpa/ -nameserver suite
"""

NOT_FORWARDED = "does not forward zone service"
PROVED_AWAY = "validates, and the signed root proves that zone service does not exist"
BUILT_IN = "with an empty built-in reverse zone"
CASES = {
    "unbound-rebind": ("unbound", "private-address: 10.0.0.0/8" + BOTH, "rebind protection"),
    "unbound-validates": ("unbound", VALIDATOR + BOTH, PROVED_AWAY),
    "unbound-not-forwarding": ("unbound", "", NOT_FORWARDED),
    "unbound-built-in-reverse": ("unbound", STUB.replace("{zone}", "service"), BUILT_IN),
    "dnsmasq-rebind": ("dnsmasq", "stop-dns-rebind\n" + FORWARD + REVERSED, "rebind protection"),
    "dnsmasq-validates": ("dnsmasq", "server=127.0.0.1#{primary}\ndnssec\ntrust-anchor={key}\n", PROVED_AWAY),
    "dnsmasq-not-forwarding": ("dnsmasq", NOBODY, NOT_FORWARDED),
    "dnsmasq-built-in-reverse": ("dnsmasq", "bogus-priv\n" + FORWARD, BUILT_IN),
    "named-rebind": (
        "named",
        TRUSTING + NOT_EMPTY + "deny-answer-addresses { 10.0.0.0/8; }; };\n" + OURS + OURS_REVERSED,
        "rebind protection",
    ),
    "named-validates": (
        "named",
        PROVING + NOT_EMPTY + "};\ntrust-anchors { {static} };\n" + OURS + OURS_REVERSED,
        PROVED_AWAY,
    ),
    "named-not-forwarding": ("named", TRUSTING + "forward only; };\n", NOT_FORWARDED),
    "named-built-in-reverse": ("named", TRUSTING + "};\n" + OURS, BUILT_IN),
    "kresd-rebind": ("kresd", KRESD_BOTH + "modules.load('rebinding < iterate')\n", "rebind protection (module rebinding)"),
    "kresd-validates": ("kresd", KRESD_PROVING, PROVED_AWAY),
    "kresd-not-forwarding": ("kresd", KRESD_ROOT, NOT_FORWARDED),
    "kresd-built-in-reverse": ("kresd", KRESD_OURS, BUILT_IN),
    "pdns_recursor-validates": ("pdns_recursor", "dnssec=validate\n" + PDNS_BOTH, PROVED_AWAY),
    "pdns_recursor-not-forwarding": ("pdns_recursor", "", NOT_FORWARDED),
    "pdns_recursor-built-in-reverse": ("pdns_recursor", PDNS_BOTH.partition(",")[0] + "\n", BUILT_IN),
    "dnsdist-not-forwarding": ("dnsdist", "", NOT_FORWARDED),
    "smartdns-rebind": ("smartdns", SMARTDNS_BOTH + "ignore-ip 10.0.0.0/8\n", "rebind protection"),
    "smartdns-not-forwarding": ("smartdns", "", NOT_FORWARDED),
}  # fmt: skip
"""A forwarder, the configuration with one mistake, and what is found first.

What is not here cannot be: PowerDNS Recursor and dnsdist have no rebind protection; dnsdist and SmartDNS do not validate and have no reverse zones.
"""
FRAMES = {
    "named": (
        (
            f"options {{{{ {NAMED_OPTIONS} recursion yes; forwarders {{{{ 127.0.0.1 port {{root}}; }}}}; {{lines}}\n"
            'key "k" {{ algorithm hmac-sha256; secret "c2VjcmV0"; }};\n'
            "controls {{ inet 127.0.0.1 port {control} allow {{ any; }} keys {{ k; }}; }};\n"
        ),
        ["named", "-g", "-n", "1", "-c", "{conf}"],
    ),
    "unbound": (
        UNBOUND + '  {lines}\nremote-control:\n  control-enable: yes\n  control-interface: "{work}/control-socket"\n'
        'stub-zone:\n  name: "."\n  stub-addr: 127.0.0.1@{root}\n',
        ["unbound", "-d", "-c", "{conf}"],
    ),
    "dnsmasq": (DNSMASQ + "{lines}", ["dnsmasq", "--keep-in-foreground", "--conf-file={conf}"]),
    "kresd": (
        "net.listen('127.0.0.1', {port}, {{ kind = 'dns' }})\n" + KRESD_ALONE + "-- policies\n{lines}\n" + KRESD_UP,
        ["kresd", "-n", "-c", "{conf}", "{work}"],
    ),
    "pdns_recursor": (RECURSOR, ["pdns_recursor", "--config-dir={work}", "--threads=1"]),
    "dnsdist": (
        (
            'setLocal("127.0.0.1:{port}")\nnewServer({{address="127.0.0.1:{root}"}})\nsetSecurityPollSuffix("")\n'
            'controlSocket("127.0.0.1:{control}")\nsetKey("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")\n{lines}'
        ),
        ["dnsdist", "--supervised", "--disable-syslog", "-C", "{conf}"],
    ),
    "smartdns": (
        (
            "bind 127.0.0.1:{port}\nbind-tcp 127.0.0.1:{port}\nlog-file {work}/smartdns.log\ncache-persist no\n"
            "server 127.0.0.1:{root}\n{lines}"
        ),
        ["smartdns", "-f", "-c", "{conf}", "-p", "-"],
    ),
}
PRODUCTS = {
    "named": Product.BIND,
    "kresd": Product.KNOT_RESOLVER,
    "pdns_recursor": Product.PDNS_RECURSOR,
    **{each: Product(each) for each in ("unbound", "dnsmasq", "dnsdist", "smartdns")},
}
SILENT = {"kresd", "dnsdist", "smartdns"}
"""Those that do not answer what they are, or let another answer."""
REMEMBERING = {
    "dnsmasq": FORWARD,
    "unbound": STUB.replace("{zone}", "service"),
    "named": TRUSTING + "};\n" + OURS,
    "kresd": KRESD_OURS,
    "pdns_recursor": PDNS_BOTH,
    "dnsdist": 'newServer({address="127.0.0.1:{primary}", pool="suite"})\n'
    'addAction("service.", PoolAction("suite"))\ngetPool("suite"):setCache(newPacketCache(100))\n',
    "smartdns": SMARTDNS_BOTH,
}


def with_lines(program: str, configuration: str, lines: str) -> str:
    """A configuration after the doctor's lines were added to it, each where it says."""
    for line in lines.split("\n") if program == "named" else [lines]:
        where, _, what = line.rpartition(": ")
        if where.startswith("in options, behind deny-answer-addresses"):
            configuration = re.sub(r"(deny-answer-addresses \{[^}]*\})", rf"\1 {what}", configuration, count=1)
        elif where.startswith("in options"):
            configuration = configuration.replace("options {", f"options {{ {what}", 1)
        elif "above other policies" in line:
            configuration = configuration.replace("-- policies\n", f"-- policies\n{line}\n", 1)
        elif "without ignore-ip" in line:
            configuration = re.sub(r"^ignore-ip .*$", "", configuration, flags=re.MULTILINE)
        else:
            configuration += f"\n{what if where.startswith('beside them') else line}\n"
    return configuration
