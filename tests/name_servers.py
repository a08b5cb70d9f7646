"""What keeps real name servers to themselves: on loopback, in a test's folder, as the test's user, controlled by nobody.

Each text is the beginning of a configuration with places for `{port}` and `{work}`; what a test is about follows it. A
section that has ended may begin again (`server:` of NSD and Unbound).
"""

from __future__ import annotations

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
"""

UNBOUND = """
remote-control:
  control-enable: no
server:
  interface: 127.0.0.1@{port}
  username: ""
  chroot: ""
  directory: "{work}"
  pidfile: "{work}/pid"
  use-syslog: no
  do-not-query-localhost: no
"""

DNSMASQ = """
port={port}
listen-address=127.0.0.1
bind-interfaces
no-hosts
no-resolv
user=
pid-file={work}/pid
"""

NAMED_OPTIONS = """
  directory "{work}"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
  pid-file "{work}/pid"; session-keyfile "{work}/session.key"; managed-keys-directory "{work}";
"""
"""Inside the braces of `options`."""
