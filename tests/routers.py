"""Routers for BGP and BFD tests: real daemons of Debian's packages in a namespace, and our peers in another.

    def test_something(bgplab):
        router = bgplab.bird("protocol bgp p { local 10.9.0.1 as 64512; neighbor 10.9.0.2 as 64513; ... }")
        with bgplab.announcing(peer_config(...)) as (speaker, peer):
            assert router.has("10.10.10.10/32")

The lab is one cable: the router is 10.9.0.1 and 2001:db8:9::1, we are 10.9.0.2 and 2001:db8:9::2. Our event loop
runs in a thread that lives in our namespace; everything said to it goes through `speaker.call`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import shutil
import tempfile
import threading
import time
import weakref
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fix_netns import Namespace, NetLab, eventually, require_tools

from suite.bgp.bfd import BfdChange, BfdStatus
from suite.bgp.bfd_link import BfdLink, BfdPeer
from suite.bgp.export import RouteAttributes
from suite.bgp.negotiation import SessionConfig
from suite.bgp.peer import Listener, Peer
from suite.bgp.peer_config import PeerConfig
from suite.bgp.prefix import IPV4, IPV6, Prefix

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROUTER4, ROUTER6 = "10.9.0.1", "2001:db8:9::1"
NODE4, NODE6 = "10.9.0.2", "2001:db8:9::2"
LOCAL_AS, ROUTER_AS = 64513, 64512

PLAIN = RouteAttributes()

BIRD_HEAD = """
log stderr all;
router id 10.9.0.1;
protocol device { scan time 1; }
"""
FRR_DAEMONS = "/usr/lib/frr"


def peer_config(address: str = ROUTER4, **changes: Any) -> PeerConfig:
    """A peer with the lab's defaults; names of `SessionConfig` and `PeerConfig` may be mixed."""
    outer = {key: changes.pop(key) for key in list(changes) if key in PeerConfig.__slots__}
    session: dict[str, Any] = {
        "local_as": LOCAL_AS,
        "peer_as": ROUTER_AS,
        "identifier": IPv4Address(NODE4),
        "families": frozenset({IPV4}),
        "hold_time": 9,
        "idle_hold_time": 0.2,
        "connect_retry_time": 2.0,
    }
    return PeerConfig(SessionConfig(**{**session, **changes}), ip_address(address), **outer)


def dual_stack(**changes: Any) -> dict[str, Any]:
    """Both families on one session, with a next hop for each."""
    hops = {"next_hop_v4": IPv4Address(NODE4), "next_hop_v6": IPv6Address(NODE6)}
    return {"families": frozenset({IPV4, IPV6}), **hops, **changes}


def prefixes(*texts: str) -> list[Prefix]:
    return [Prefix.parse(text) for text in texts]


VIP, VIP6 = prefixes("10.10.10.10/32", "2001:db8:10::10/128")


class WatchedPath:
    """One BFD session with the sockets of `BfdLink`, on the running loop instead of the time-critical process's."""

    def __init__(self, peer: BfdPeer, changes: list[BfdChange]) -> None:
        self._loop = asyncio.get_running_loop()
        self._changes = changes
        self._link = BfdLink(random.Random(7).random)
        self._number = self._link.watch(peer, self._loop.time())
        self._timer: asyncio.TimerHandle | None = None
        self._readers = self._link.filenos()
        for descriptor in self._readers:
            self._loop.add_reader(descriptor, self._receive)
        self._turn()

    def status(self) -> BfdStatus:
        return self._link.status(self._number)

    def unwatch(self) -> None:
        self._link.unwatch(self._number, self._loop.time())
        self._turn()

    def close(self) -> None:
        """End without a word."""
        for descriptor in self._readers:
            self._loop.remove_reader(descriptor)
        if self._timer is not None:
            self._timer.cancel()
        self._link.close()

    def _receive(self) -> None:
        self._link.receive(self._loop.time())
        self._turn()

    def _turn(self) -> None:
        self._changes += [change for _, change in self._link.turn(self._loop.time())]
        if self._timer is not None:
            self._timer.cancel()
        due = self._link.next_timer()
        self._timer = None if due is None else self._loop.call_at(due, self._turn)


class Speaker:
    """Our side: an event loop in a thread inside a namespace."""

    def __init__(self, host: Namespace) -> None:
        self._host = host
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.peers: list[Peer] = []
        self._listeners: list[Listener] = []
        self._bfd: list[WatchedPath] = []
        self._thread.start()
        self._ready.wait(5)

    def _run(self) -> None:
        with self._host.entered():
            asyncio.set_event_loop(self._loop)
            self._ready.set()
            self._loop.run_forever()

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run a function, or a coroutine function to its end, on the loop."""

        async def run() -> Any:
            result = function(*arguments)
            return await result if asyncio.iscoroutine(result) else result

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(10)

    def peer(self, config: PeerConfig, *, listen: bool = False) -> Peer:
        """A started peer; with `listen`, the router may connect to us."""

        async def make() -> Peer:
            peer = Peer(config, random.Random(7).random)
            if listen:
                listener = Listener()
                listener.add(peer)
                await listener.open([ip_address(NODE4 if config.address.version == 4 else NODE6)])
                self._listeners.append(listener)
            peer.start()
            return peer

        peer: Peer = self.call(make)
        self.peers.append(peer)
        return peer

    def state(self, peer: Peer) -> str:
        return str(self.call(peer.status).state)

    def is_up(self, peer: Peer, within: float = 10.0) -> bool:
        return eventually(lambda: self.state(peer) == "Established", within, every=0.02)

    def close(self) -> None:
        """Everything ends without a word, as when the process is killed."""
        self.call(self._end)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def watch(self, peer: BfdPeer) -> tuple[WatchedPath, list[BfdChange]]:
        """A BFD session and the list its changes come into."""
        changes: list[BfdChange] = []

        async def make() -> WatchedPath:
            return WatchedPath(peer, changes)

        path = self.call(make)
        self._bfd.append(path)
        return path, changes

    async def _end(self) -> None:
        for path in self._bfd:
            path.close()
        for listener in self._listeners:
            listener.close()
        for peer in self.peers:
            peer.abort()
        for task in asyncio.all_tasks(self._loop) - {asyncio.current_task()}:
            task.cancel()
        await asyncio.sleep(0.02)


@dataclass(eq=False)
class Bird:
    """BIRD 2 with a configuration; `birdc` speaks to it."""

    host: Namespace
    folder: Path
    config: str
    process: Any = None

    def start(self) -> Bird:
        (self.folder / "bird.conf").write_text(BIRD_HEAD + self.config, encoding="utf-8")
        with (self.folder / "bird.log").open("a", encoding="utf-8") as log:
            socket_path = str(self.folder / "bird.ctl")
            self.process = self.host.spawn(
                "bird", "-f", "-c", str(self.folder / "bird.conf"), "-s", socket_path, stdout=log
            )
        assert eventually(lambda: self.birdc("show", "status").startswith("BIRD"), 10), self.log()
        return self

    def birdc(self, *words: str) -> str:
        return self.host.run("birdc", "-s", str(self.folder / "bird.ctl"), *words).stdout

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(5)

    def log(self) -> str:
        return (self.folder / "bird.log").read_text(encoding="utf-8")

    def routes(self, *filters: str) -> str:
        return self.birdc("show", "route", "all", *filters)

    def has(self, *texts: str, within: float = 8.0) -> bool:
        return eventually(lambda: all(text in self.routes() for text in texts), within, every=0.05)

    def lacks(self, *texts: str, within: float = 8.0) -> bool:
        return eventually(lambda: not any(text in self.routes() for text in texts), within, every=0.02)


@dataclass(eq=False)
class Frr:
    """FRR's zebra, bgpd and, if asked for, bfdd; `vtysh` speaks to them."""

    host: Namespace
    folder: Path
    config: str
    daemons: tuple[str, ...] = ("zebra", "bgpd")
    processes: list[Any] = field(default_factory=list)

    def start(self) -> Frr:
        config = self.folder / "frr.conf"
        config.write_text(self.config, encoding="utf-8")
        for daemon in self.daemons:
            with (self.folder / "frr.log").open("a", encoding="utf-8") as log:
                argv = [f"{FRR_DAEMONS}/{daemon}", "-f", str(config), "-z", str(self.folder / "zserv.api")]
                argv += ["-i", str(self.folder / f"{daemon}.pid"), "--vty_socket", str(self.folder), "-P", "0"]
                argv += ["--log", "stdout"]
                argv += ["--bfdctl", str(self.folder / "bfdd.sock")] if daemon == "bfdd" else []
                self.processes.append(self.host.spawn(*argv, stdout=log))
            path = self.folder / f"{daemon}.vty"
            assert eventually(path.exists, 10), self.log()
        assert eventually(lambda: "BGP" in self.vtysh("show bgp summary") or "No BGP" in self.log(), 10), self.log()
        return self

    def vtysh(self, *commands: str) -> str:
        words = [word for command in commands for word in ("-c", command)]
        return self.host.run("vtysh", "--vty_socket", str(self.folder), *words).stdout

    def log(self) -> str:
        return (self.folder / "frr.log").read_text(encoding="utf-8")

    def table(self, family: str = "ipv4") -> dict[str, Any]:
        with contextlib.suppress(json.JSONDecodeError):
            return json.loads(self.vtysh(f"show bgp {family} unicast json")).get("routes", {})
        return {}

    def has(self, *texts: str, family: str = "ipv4", within: float = 8.0) -> bool:
        return eventually(lambda: all(text in self.table(family) for text in texts), within, every=0.05)

    def lacks(self, *texts: str, family: str = "ipv4", within: float = 8.0) -> bool:
        return eventually(lambda: not any(text in self.table(family) for text in texts), within, every=0.05)


@dataclass(eq=False)
class GoBgp:
    """gobgpd with a TOML configuration; `gobgp` speaks to it."""

    host: Namespace
    folder: Path
    config: str
    process: Any = None

    def start(self) -> GoBgp:
        (self.folder / "gobgp.toml").write_text(self.config, encoding="utf-8")
        with (self.folder / "gobgp.log").open("a", encoding="utf-8") as log:
            self.process = self.host.spawn("gobgpd", "-f", str(self.folder / "gobgp.toml"), stdout=log)
        assert eventually(lambda: self.gobgp("neighbor").returncode == 0, 10, every=0.1)
        return self

    def gobgp(self, *words: str) -> Any:
        return self.host.run("gobgp", *words)

    def has(self, *texts: str, family: str = "ipv4", within: float = 8.0) -> bool:
        def table() -> str:
            return self.gobgp("global", "rib", "-a", family).stdout

        return eventually(lambda: all(text in table() for text in texts), within, every=0.1)


class BgpLab:
    """One cable between a router and a node."""

    def __init__(self, netlab: NetLab, folder: Path) -> None:
        self.folder = folder
        self.router, self.node = netlab.namespace("router"), netlab.namespace("node")
        netlab.veth(
            self.router,
            self.node,
            left=[f"{ROUTER4}/24", f"{ROUTER6}/64"],
            right=[f"{NODE4}/24", f"{NODE6}/64"],
        )

    def bird(self, config: str) -> Bird:
        require_tools("bird", "birdc")
        return Bird(self.router, self.folder, config).start()

    def frr(self, config: str, *, bfd: bool = False) -> Frr:
        require_tools("vtysh", f"{FRR_DAEMONS}/bgpd")
        # FRR's daemons leave root, so they need a folder of their own that everybody may enter.
        folder = Path(tempfile.mkdtemp(prefix="suite-frr-"))
        folder.chmod(0o777)
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return Frr(self.router, folder, config, ("zebra", "bfdd", "bgpd") if bfd else ("zebra", "bgpd")).start()

    def gobgp(self, config: str) -> GoBgp:
        require_tools("gobgpd", "gobgp")
        return GoBgp(self.router, self.folder, config).start()

    def fall_silent(self) -> None:
        """Nothing of ours reaches the router any more, and nothing tells it so."""
        self.node.ip("route", "add", "blackhole", f"{ROUTER4}/32")
        self.node.ip("route", "add", "blackhole", f"{ROUTER6}/128")

    @contextlib.contextmanager
    def speaker(self) -> Iterator[Speaker]:
        speaker = Speaker(self.node)
        try:
            yield speaker
        finally:
            speaker.close()

    @contextlib.contextmanager
    def announcing(self, config: PeerConfig, *routes: Prefix, listen: bool = False) -> Iterator[tuple[Speaker, Peer]]:
        """A speaker with one peer that announces routes, VIP unless others are named, with nothing said of them."""
        with self.speaker() as speaker:
            peer = speaker.peer(config, listen=listen)
            speaker.call(peer.announce, dict.fromkeys(routes or (VIP,), PLAIN))
            yield speaker, peer


def bird_bgp(options: str = "", channels: str = "ipv4 { import all; export none; };", neighbor: str = "") -> str:
    """A BIRD configuration with one BGP protocol, named `node`."""
    neighbor = neighbor or f"neighbor {NODE4} as {LOCAL_AS};"
    return f"protocol bgp node {{ local as {ROUTER_AS}; {neighbor} connect retry time 1; {options} {channels} }}\n"


def frr_bgp(neighbor: str = "", families: str = "", remote: str = NODE4, asn: int | str = LOCAL_AS) -> str:
    """An FRR configuration with one neighbor that takes everything."""
    lines = [line.strip() for line in neighbor.splitlines() if line.strip()]
    body = "\n".join(f" neighbor {remote} {line}" for line in lines)
    return f"""
router bgp {ROUTER_AS}
 bgp router-id {ROUTER4}
 no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
 neighbor {remote} remote-as {asn}
 neighbor {remote} timers connect 1
{body}
{families or _frr_family("ipv4", remote)}
"""


def _frr_family(family: str, remote: str) -> str:
    return f" address-family {family} unicast\n  neighbor {remote} activate\n exit-address-family"


def frr_families(*families: str, remote: str = NODE4) -> str:
    return "\n".join(_frr_family(family, remote) for family in families)


def stays(holds: Callable[[], object], seconds: float) -> bool:
    """Whether something holds at every look during a while."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not holds():
            return False
        time.sleep(0.05)
    return True
