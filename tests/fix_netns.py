"""Networks for tests: namespaces, veth pairs and bridges, built in milliseconds and always taken down.

    def test_something(netlab):
        client, node = netlab.namespace("client"), netlab.namespace("node")
        netlab.veth(client, node, left=["10.9.0.1/24"], right=["10.9.0.2/24"])   # both ends are called eth0
        assert client.run("ping", "-c1", "-W1", "10.9.0.2").returncode == 0

    lan = netlab.bridge("lan")                       # a switch: a namespace of its own with the device br0
    lan.plug(node, "eth1", addresses=["10.0.10.1/16"], mac="02:00:00:00:10:01")
    server = node.spawn("python3", "-m", "http.server", "80")        # killed at the latest when the test ends
    with node.entered():                             # this thread is inside: sockets opened here stay there
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)

Nothing here touches the machine's own network: every device lives in a namespace whose name starts with
`suite-PID-`. They vanish when the fixture ends, when the interpreter exits, or, after a SIGKILL, when the next run
finds namespaces of a process that no longer lives.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import itertools
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

REPOSITORY = Path(__file__).resolve().parents[1]
NETNS_FOLDER = Path("/run/netns")
PREFIX = "suite-"
CLONE_NEWNET = 0x40000000

Command = subprocess.CompletedProcess[str]

_libc = ctypes.CDLL(None, use_errno=True)
_serials = itertools.count(1)


class CommandFailedError(Exception):
    """A command that had to succeed did not; the text holds the command and what it said."""

    def __init__(self, done: Command) -> None:
        super().__init__(f"{done.args} returned {done.returncode}\n{done.stdout}{done.stderr}")


def missing_for_networks() -> str | None:
    """Why this machine cannot build networks, or None if it can."""
    if os.geteuid() != 0:
        return "needs root to create network namespaces"
    if shutil.which("ip") is None:
        return "needs the `ip` command (Debian: iproute2)"
    return None


def require_tools(*tools: str) -> None:
    """Skip the test, naming what is missing, unless every tool is on PATH."""
    absent = [tool for tool in tools if shutil.which(tool) is None]
    if absent:
        pytest.skip(f"needs {', '.join(absent)} (see tests/apt-packages.txt)")


def eventually(holds: Callable[[], object], within: float = 5.0, every: float = 0.01) -> bool:
    """Poll until `holds()` is true or `within` seconds have passed; the last answer."""
    deadline = time.monotonic() + within
    while not holds():
        if time.monotonic() > deadline:
            return bool(holds())
        time.sleep(every)
    return True


@dataclass(eq=False)
class Namespace:
    """One host: a network namespace, the processes in it, and the ways to look at its interfaces."""

    name: str
    full_name: str
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    def ip(self, *arguments: str) -> str:
        """`ip ARGUMENTS` about this host's network; it must succeed. Returns what it printed."""
        return _must("ip", "-n", self.full_name, *arguments).stdout

    def run(self, *argv: str, timeout: float = 20, stdin: str | None = None) -> Command:
        """Run a command on this host and wait for it; the caller judges the return code."""
        return subprocess.run(
            self._inside(argv), capture_output=True, text=True, timeout=timeout, check=False, input=stdin
        )

    def must(self, *argv: str, timeout: float = 20) -> str:
        """Like `run`, but a failure is an error; returns standard output."""
        done = self.run(*argv, timeout=timeout)
        if done.returncode:
            raise CommandFailedError(done)
        return done.stdout

    def python(self, *argv: str, timeout: float = 20) -> Command:
        """Run this interpreter on this host, e.g. `python("-c", code)`, in the repository's folder."""
        return subprocess.run(
            self._inside((sys.executable, *argv)),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            cwd=REPOSITORY,
        )

    def spawn(
        self,
        *argv: str,
        stdout: int | IO[str] | None = subprocess.PIPE,
        stderr: int | IO[str] | None = subprocess.STDOUT,
        cwd: Path | str | None = REPOSITORY,
        env: dict[str, str] | None = None,
        pass_fds: Sequence[int] = (),
    ) -> subprocess.Popen[str]:
        """Start a command on this host in a process group of its own; it dies with the network.

        `ip netns exec` replaces itself with the command, so the pid is the command's own.
        """
        process = subprocess.Popen(
            self._inside(argv),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            text=True,
            start_new_session=True,
            cwd=cwd,
            env=env,
            pass_fds=pass_fds,
        )
        self.processes.append(process)
        return process

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Move this thread into the host; sockets opened meanwhile belong to it for good."""
        with Path("/proc/thread-self/ns/net").open("rb") as home:
            with (NETNS_FOLDER / self.full_name).open("rb") as there:
                _set_namespace(there.fileno())
            try:
                yield
            finally:
                _set_namespace(home.fileno())

    def sysctl(self, **values: int) -> None:
        """Set network knobs; `ipv4__conf__all__arp_ignore=1` writes net/ipv4/conf/all/arp_ignore."""
        with self.entered():
            for name, value in values.items():
                Path("/proc/sys/net", *name.split("__")).write_text(f"{value}\n", encoding="ascii")

    def mac(self, interface: str = "eth0") -> str:
        return self.ip("-br", "link", "show", interface).split()[2]

    def down(self, interface: str = "eth0") -> None:
        self.ip("link", "set", interface, "down")

    def up(self, interface: str = "eth0") -> None:
        self.ip("link", "set", interface, "up")

    def stop_processes(self) -> None:
        """SIGKILL everything `spawn` started here, and whatever else still runs in the namespace."""
        for process in self.processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=5)
            for stream in (process.stdout, process.stderr):
                if stream is not None:
                    stream.close()
        self.processes.clear()
        for pid in subprocess.run(
            ["ip", "netns", "pids", self.full_name], capture_output=True, text=True, check=False
        ).stdout.split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)

    def _inside(self, argv: Sequence[str]) -> list[str]:
        return ["ip", "netns", "exec", self.full_name, *argv]


@dataclass(eq=False)
class Bridge:
    """A switch: hosts are plugged into it, and their cables can be cut."""

    lab: NetLab
    switch: Namespace
    device: str = "br0"
    ports: dict[tuple[str, str], str] = field(default_factory=dict)

    def plug(
        self, host: Namespace, interface: str = "eth0", *, addresses: Sequence[str] = (), mac: str | None = None
    ) -> None:
        """A cable from `host` to this switch; IPv6 addresses skip duplicate detection and are usable at once."""
        port = f"p{len(self.ports) + 1}"
        self.lab.cable(host, interface, self.switch, port)
        self.switch.ip("link", "set", port, "master", self.device, "up")
        self.ports[host.name, interface] = port
        configure(host, interface, addresses, mac)

    def cut(self, host: Namespace, interface: str = "eth0") -> None:
        """Pull the cable: the host sees its carrier go."""
        self.switch.ip("link", "set", self.ports[host.name, interface], "down")

    def mend(self, host: Namespace, interface: str = "eth0") -> None:
        self.switch.ip("link", "set", self.ports[host.name, interface], "up")

    def isolate(self, host: Namespace, interface: str = "eth0", *, isolated: bool = True) -> None:
        """Isolated ports do not hear each other (but hear the others): a partition without carrier loss."""
        flag = "on" if isolated else "off"
        _must(
            *("bridge", "-n", self.switch.full_name, "link", "set"),
            *("dev", self.ports[host.name, interface], "isolated", flag),
        )


class NetLab:
    """All the networks of one test (or module); `close` removes every trace of them."""

    def __init__(self) -> None:
        self.prefix = f"{PREFIX}{os.getpid()}-{next(_serials)}-"
        self.hosts: dict[str, Namespace] = {}
        self._cables = itertools.count(1)
        atexit.register(self.close)

    def namespace(self, name: str) -> Namespace:
        """A new host with only `lo`, which is up."""
        host = Namespace(name, self.prefix + name)
        _must("ip", "netns", "add", host.full_name)
        self.hosts[name] = host
        host.ip("link", "set", "lo", "up")
        return host

    def bridge(self, name: str, *, multicast_snooping: bool = False) -> Bridge:
        """A switch with its own namespace; without spanning tree, so ports forward at once."""
        switch = self.namespace(name)
        switch.ip(
            "link", "add", "br0", "type", "bridge", "stp_state", "0", "mcast_snooping", str(int(multicast_snooping))
        )
        switch.sysctl(ipv6__conf__all__disable_ipv6=1)
        switch.ip("link", "set", "br0", "up")
        return Bridge(self, switch)

    def cable(self, left: Namespace, left_device: str, right: Namespace, right_device: str) -> None:
        """A veth pair between two hosts, both ends still down and without addresses."""
        _must(
            *("ip", "-n", left.full_name, "link", "add", left_device, "type", "veth"),
            *("peer", "name", right_device, "netns", right.full_name),
        )

    def veth(
        self,
        left_host: Namespace,
        right_host: Namespace,
        *,
        devices: tuple[str, str] = ("eth0", "eth0"),
        left: Sequence[str] = (),
        right: Sequence[str] = (),
    ) -> None:
        """A cable between two hosts with addresses on both ends, up."""
        self.cable(left_host, devices[0], right_host, devices[1])
        configure(left_host, devices[0], left, None)
        configure(right_host, devices[1], right, None)

    def close(self) -> None:
        """Kill what runs, remove what was made; safe to call twice."""
        atexit.unregister(self.close)
        for host in self.hosts.values():
            host.stop_processes()
        for host in self.hosts.values():
            subprocess.run(["ip", "netns", "del", host.full_name], check=False, capture_output=True)
        self.hosts.clear()


def configure(host: Namespace, device: str, addresses: Sequence[str], mac: str | None) -> None:
    """Bring a device up with its addresses; duplicate detection of the kernel is off, so they work at once."""
    host.sysctl(**{f"ipv6__conf__{device}__accept_dad": 0, f"ipv6__conf__{device}__accept_ra": 0})
    if mac is not None:
        host.ip("link", "set", device, "address", mac)
    for address in addresses:
        host.ip("address", "add", address, "dev", device, *(["nodad"] if ":" in address else []))
    host.ip("link", "set", device, "up")


def remove_leftovers() -> None:
    """Delete namespaces of test runs that were killed: the process in their name no longer lives."""
    for path in NETNS_FOLDER.glob(f"{PREFIX}[0-9]*-*"):
        owner = path.name.removeprefix(PREFIX).split("-")[0]
        if not Path("/proc", owner).exists():
            subprocess.run(["ip", "netns", "del", path.name], check=False, capture_output=True)


@contextlib.contextmanager
def network() -> Iterator[NetLab]:
    """A lab for use outside of pytest (benchmarks, the demonstration)."""
    remove_leftovers()
    lab = NetLab()
    try:
        yield lab
    finally:
        lab.close()


@pytest.fixture
def netlab() -> Iterator[NetLab]:
    """An empty lab for one test; skips, with the reason, where networks cannot be built."""
    if reason := missing_for_networks():
        pytest.skip(reason)
    with network() as lab:
        yield lab


@pytest.fixture(scope="module")
def module_netlab() -> Iterator[NetLab]:
    """A lab shared by the tests of one module, for networks that are slow to build."""
    if reason := missing_for_networks():
        pytest.skip(reason)
    with network() as lab:
        yield lab


def _must(*argv: str) -> Command:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CommandFailedError(done)
    return done


def _set_namespace(descriptor: int) -> None:
    # os.setns exists from Python 3.12 on only.
    if _libc.setns(descriptor, CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), "setns")
