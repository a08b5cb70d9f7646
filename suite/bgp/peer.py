"""The asyncio shell around a session: TCP connections and one timer; every decision is the session's.

`Peer` connects, `Listener` accepts for peers that are passive or may be. A peer costs one timer and one socket, so a
process carries hundreds. Octets are made only while TCP takes them: a slow peer stops its own session's output and
nobody else's.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Iterable
from ipaddress import ip_address
from typing import Any

from suite.bgp.notification import Cease, Notification
from suite.bgp.peer_config import PeerConfig
from suite.bgp.prefix import Address, Prefix
from suite.bgp.rib import Routes
from suite.bgp.session import Session, Stop
from suite.bgp.socket_option import Option, device_option, floor_option, md5_option, session_options
from suite.bgp.status import Connect, Disconnect, SessionStatus, StateChanged

CLOSING_LIMIT = 16  # connections of one peer that may linger at a time; more are reset at once
LINGER = 2.0  # seconds a closed connection may take to hand over its last octets before it is reset
BACKLOG = 128
UNREAD_LIMIT = 65536  # octets looked at behind a connection that broke: many messages of the largest size


class Peer:
    """One peer on the running event loop. `on_change` is told each change of the session's state."""

    def __init__(
        self, config: PeerConfig, random: Callable[[], float], on_change: Callable[[StateChanged], None] | None = None
    ) -> None:
        self.config = config
        self._loop = asyncio.get_running_loop()
        self._session = Session(config.session, random)
        self._on_change = on_change
        self._links: dict[int, _Link] = {}
        self._attempts: dict[int, asyncio.Task[None]] = {}
        self._closing: set[_Link] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._is_pumping = False

    def start(self) -> None:
        """Begin to connect, or to accept."""
        self._session.start(self._loop.time())
        self._pump()

    async def stop(
        self, how: Stop = Stop.CEASE, text: str = "", subcode: Cease = Cease.ADMINISTRATIVE_SHUTDOWN
    ) -> None:
        """End the session (see `Session.stop`) and wait until its last octets are out, LINGER seconds at most."""
        self._session.stop(self._loop.time(), how, Notification.shutdown(text, subcode))
        self._pump()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        gone = [link.closed for link in self._closing]
        if gone:
            await asyncio.wait(gone, timeout=LINGER)

    async def drain(self, text: str = "", settle: float = 0.0, subcode: Cease = Cease.ADMINISTRATIVE_SHUTDOWN) -> None:
        """Withdraw everything, give the network `settle` seconds to turn away, then stop with a Cease.

        A peer that takes no octets is not waited for longer than LINGER seconds.
        """
        self.announce({})
        deadline = self._loop.time() + LINGER
        while self._session.status().pending and self._loop.time() < deadline:  # noqa: ASYNC110 - ends by itself
            await asyncio.sleep(0.01)
        await asyncio.sleep(settle)
        await self.stop(Stop.CEASE, text, subcode)

    def abort(self) -> None:
        """Reset every connection and forget the rest, as the end of the process would."""
        for attempt in self._attempts.values():
            attempt.cancel()
        for link in [*self._links.values(), *self._closing]:
            link.abort()
        self._links.clear()
        self._attempts.clear()
        if self._timer is not None:
            self._timer.cancel()

    def announce(self, routes: Routes) -> None:
        """Make `routes` everything the peer shall have."""
        self._session.announce(routes, self._loop.time())
        self._pump()

    def change(self, routes: Routes, withdrawn: Iterable[Prefix] = ()) -> None:
        """Add or change `routes`, take `withdrawn` away."""
        self._session.change(routes, withdrawn, self._loop.time())
        self._pump()

    def reset(self, subcode: Cease = Cease.ADMINISTRATIVE_RESET, text: str = "") -> None:
        """Drop the session with a Cease and come back after the pause; BFD_DOWN when the path is dead (RFC 9384)."""
        self._session.reset(self._loop.time(), Notification.shutdown(text, subcode))
        self._pump()

    def status(self) -> SessionStatus:
        """A picture of the session."""
        return self._session.status()

    @property
    def session(self) -> Session:
        """The session, to be read only; what changes it goes through this class."""
        return self._session

    # What TCP tells

    def accept(self, link: "_Link", local: Address, remote: Address) -> None:
        """A connection from this peer arrived at a listener."""
        number = self._session.accepted(local, remote, self._loop.time())
        if number is None:
            link.finish(b"")
            return
        link.adopt(self, number)
        self._links[number] = link
        self._pump()

    def opened(self, number: int, link: "_Link") -> None:
        """The connection the session asked for stands; told by the connection itself, so before any of its octets."""
        self._attempts.pop(number, None)
        try:
            local, remote = link.addresses()
        except ConnectionError as error:
            self._session.lost(number, self._loop.time(), str(error))
        else:
            self._links[number] = link
            self._session.connected(number, local, remote, self._loop.time())
        self._pump()

    def received(self, number: int, octets: bytes) -> None:
        """Octets arrived."""
        self._session.receive(number, octets, self._loop.time())
        self._pump()

    def lost(self, number: int, text: str) -> None:
        """A connection is gone."""
        self._links.pop(number, None)
        self._session.lost(number, self._loop.time(), text)
        self._pump()

    def writable(self) -> None:
        """TCP takes octets again."""
        self._pump()

    # What the session wants

    def _pump(self) -> None:
        """Obey events, move octets, arm the timer; what happens meanwhile is taken up in the same round."""
        if self._is_pumping:
            return
        self._is_pumping = True
        try:
            while self._obey() or self._write():
                pass
        finally:
            self._is_pumping = False
        self._arm()

    def _obey(self) -> bool:
        event = self._session.next_event()
        match event:
            case Connect(link):
                self._attempts[link] = self._loop.create_task(self._connect(link))
            case Disconnect(link, last):
                self._disconnect(link, last)
            case StateChanged() if self._on_change is not None:
                self._on_change(event)
        return event is not None

    def _write(self) -> bool:
        """Whether any connection took octets."""
        wrote = False
        for number, link in list(self._links.items()):
            if link.takes_octets and (octets := self._session.bytes_to_send(number, self._loop.time())):
                link.write(octets)
                wrote = True
        return wrote

    def _arm(self) -> None:
        """One timer, moved only when it would come too late: most deadlines are put off before they are reached."""
        due = self._session.next_timer()
        if due is None or (self._timer is not None and self._timer.when() <= due):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(due, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._session.handle_timer(self._loop.time())
        self._pump()

    async def _connect(self, number: int) -> None:
        config = self.config
        sock = None
        try:
            sock = _socket(config.address, config.options())
            if config.source is not None:
                sock.bind(_socket_address(config.source, 0))
            await self._loop.sock_connect(sock, _socket_address(config.address, config.port))
            link = _Link(self, number)
            await self._loop.create_connection(lambda: link, sock=sock)
        except OSError as error:
            if sock is not None:
                sock.close()
            self._attempts.pop(number, None)
            self._session.lost(number, self._loop.time(), f"connect: {_reason(error)}")
            self._pump()
        except asyncio.CancelledError:
            if sock is not None:
                sock.close()
            raise

    def _disconnect(self, number: int, last: bytes) -> None:
        attempt = self._attempts.pop(number, None)
        if attempt is not None:
            attempt.cancel()
        link = self._links.pop(number, None)
        if link is not None:
            self._closing.add(link)
            link.closed.add_done_callback(lambda _: self._closing.discard(link))
            link.finish(last)
            if len(self._closing) > CLOSING_LIMIT:
                link.abort()


class _Link(asyncio.Protocol):
    """One TCP connection: hands octets to its peer, and closes so that the last ones arrive."""

    def __init__(self, peer: Peer | None = None, number: int = 0) -> None:
        self._peer = peer
        self._number = number
        self._transport: asyncio.Transport | None = None
        self._linger: asyncio.TimerHandle | None = None
        self._is_paused = False
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def adopt(self, peer: Peer, number: int) -> None:
        """An accepted connection learns whose it is."""
        self._peer, self._number = peer, number

    def addresses(self) -> tuple[Address, Address]:
        """Local and remote address."""
        transport = self._transport
        if transport is None:
            raise ConnectionError("not connected")
        local, remote = transport.get_extra_info("sockname"), transport.get_extra_info("peername")
        if local is None or remote is None:
            raise ConnectionError("reset while it was being opened")
        return _address(local), _address(remote)

    def write(self, octets: bytes) -> None:
        """Send, unless the connection is gone already."""
        if self._transport is not None:
            self._transport.write(octets)

    @property
    def takes_octets(self) -> bool:
        """Whether TCP takes more: the connection stands, and its buffer is not full."""
        return self._transport is not None and not self._transport.is_closing() and not self._is_paused

    def finish(self, last: bytes) -> None:
        """Send the last octets, then FIN; the rest of what the peer sends is read and dropped.

        Closing with unread input would reset the connection, and the reset could overtake the NOTIFICATION.
        """
        self._peer = None
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        transport.write(last)
        with contextlib.suppress(OSError):  # the peer was faster: nothing is left to be closed in order
            transport.write_eof()
        self._linger = asyncio.get_running_loop().call_later(LINGER / 2, transport.abort)

    def abort(self) -> None:
        """Reset the connection."""
        self._peer = None
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._transport = transport
        if self._peer is not None:
            self._peer.opened(self._number, self)

    def data_received(self, octets: bytes) -> None:
        if self._peer is not None:
            self._peer.received(self._number, octets)

    def eof_received(self) -> bool:
        return False

    def pause_writing(self) -> None:
        self._is_paused = True

    def resume_writing(self) -> None:
        self._is_paused = False
        if self._peer is not None:
            self._peer.writable()

    def connection_lost(self, error: Exception | None) -> None:
        last = _unread(self._transport) if error is not None and self._peer is not None else b""
        self._transport = None
        if self._linger is not None:
            self._linger.cancel()
        if not self.closed.done():
            self.closed.set_result(None)
        if last and self._peer is not None:
            self._peer.received(self._number, last)
        peer, self._peer = self._peer, None
        if peer is not None:
            peer.lost(self._number, _reason(error) if isinstance(error, OSError) else "connection closed by the peer")


class Listener:
    """Accepts connections for peers by their address; needed only where a peer shall be allowed to connect to us."""

    def __init__(self) -> None:
        self._peers: dict[Address, Peer] = {}
        self._servers: list[asyncio.Server] = []
        self._sockets: list[socket.socket] = []

    async def open(self, addresses: Iterable[Address], port: int = 179, device: str | None = None) -> None:
        """Listen on each address; OSError if one is taken, for example by another BGP daemon of this node.

        Answers leave with TTL 255, so that peers that demand it (RFC 5082) see it from the first packet on.
        """
        loop = asyncio.get_running_loop()
        for address in addresses:
            options = list(session_options(address, ttl=255, security_hops=None))
            sock = _socket(address, options if device is None else [*options, device_option(device)])
            try:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                sock.bind(_socket_address(address, port))
            except OSError:
                sock.close()
                raise
            self._sockets.append(sock)
            for peer in self._peers.values():
                self._set_key(sock, peer.config, peer.config.password or "")
            self._set_floor(sock)
            self._servers.append(await loop.create_server(lambda: _Incoming(self), sock=sock, backlog=BACKLOG))

    def add(self, peer: Peer) -> None:
        """Take connections from this peer's address."""
        self._peers[peer.config.address] = peer
        for sock in self._sockets:
            self._set_key(sock, peer.config, peer.config.password or "")
            self._set_floor(sock)

    def remove(self, peer: Peer) -> None:
        """Refuse them again."""
        if self._peers.pop(peer.config.address, None) is not None:
            for sock in self._sockets:
                self._set_key(sock, peer.config, "")
                self._set_floor(sock)

    def close(self) -> None:
        """Stop listening; connections that were accepted live on."""
        for server in self._servers:
            server.close()
        self._servers.clear()
        self._sockets.clear()

    def peer_at(self, remote: Address) -> Peer | None:
        """The peer of an address."""
        return self._peers.get(remote)

    def _set_floor(self, sock: socket.socket) -> None:
        """Where every peer of the family has to be near (RFC 5082), the kernel drops what is not before it is a connection.

        Beside a peer that may be anywhere the check begins with the connection itself, in `_Incoming`.
        """
        family = 4 if sock.family == socket.AF_INET else 6
        hops = [peer.config.security_hops for address, peer in self._peers.items() if address.version == family]
        known = [each for each in hops if each is not None]
        sock.setsockopt(*floor_option(family, max(known) if known and len(known) == len(hops) else None))

    @staticmethod
    def _set_key(sock: socket.socket, config: PeerConfig, password: str) -> None:
        """Set or clear a peer's MD5 key; clearing one that was never set is no error worth telling."""
        family = socket.AF_INET if config.address.version == 4 else socket.AF_INET6
        if sock.family != family or (config.password is None):
            return
        with contextlib.suppress(FileNotFoundError):
            sock.setsockopt(*md5_option(config.address, password))


class _Incoming(_Link):
    """A connection that arrived at a listener and looks for its peer; strangers are closed at once."""

    def __init__(self, listener: Listener) -> None:
        super().__init__()
        self._listener = listener

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        try:
            local, remote = self.addresses()
        except ConnectionError:
            transport.close()
            return
        peer = self._listener.peer_at(remote)
        if peer is None:
            transport.close()
            return
        config = peer.config
        sock = transport.get_extra_info("socket")
        for option in session_options(config.address, ttl=config.ttl, security_hops=config.security_hops):
            sock.setsockopt(*option)
        peer.accept(self, local, remote)


def _unread(transport: asyncio.Transport | None) -> bytes:
    """What arrived before a connection broke while we were sending: mostly the NOTIFICATION that says why.

    asyncio gives up reading with the first send that fails; the kernel keeps what came before the reset.
    """
    if transport is None or (descriptor := transport.get_extra_info("socket").fileno()) < 0:
        return b""
    with socket.socket(fileno=os.dup(descriptor)) as rest, contextlib.suppress(OSError):
        return rest.recv(UNREAD_LIMIT, socket.MSG_DONTWAIT)
    return b""


def _socket(address: Address, options: Iterable[Option]) -> socket.socket:
    """A non-blocking TCP socket with its options."""
    sock = socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        if address.version == 6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        for option in options:
            sock.setsockopt(*option)
    except OSError:
        sock.close()
        raise
    return sock


def _socket_address(address: Address, port: int) -> tuple[Any, ...]:
    """What bind and connect want; a link-local address carries its interface as its zone."""
    if address.version == 4:
        return str(address), port
    zone = address.scope_id
    return str(address).partition("%")[0], port, 0, socket.if_nametoindex(zone) if zone else 0


def _address(name: tuple[Any, ...]) -> Address:
    """An address as `ipaddress` has it, with the interface's name as zone where the kernel gave an index."""
    text = str(name[0]).partition("%")[0]
    if len(name) == 4 and name[3]:
        return ip_address(f"{text}%{socket.if_indextoname(name[3])}")
    return ip_address(text)


def _reason(error: OSError) -> str:
    return os.strerror(error.errno).lower() if error.errno else str(error)
