"""The follower's end of the wire: HTTP to one controller, its certificate pinned, one request after another.

A suite's own certificate authority signs nothing but its controllers, so being signed by it is what counts; the name in
the certificate is the same for every controller, whatever address leads there.  Without the authority's certificate at
hand, its fingerprint is enough: the certificate is then fetched, compared, and pinned before any token is sent.
"""

import contextlib
import http.client
import json
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

from suite import __version__
from suite.store.remote.lines import FORMAT, FeedError, Position
from suite.store.remote.reader import MOST_LINE
from suite.store.remote.standing import HEADER, Standing, written

NAME = "controller.suite.internal"
"""What every controller's certificate says."""
CONNECT_SECONDS = 5.0
GRACE = 15.0
"""Seconds that an answer may take to begin or go on, beside the time that was asked to be waited."""
MOST_ERROR = 4096
MOST_ANSWER = 64 << 20
"""Octets of an answer that is read as a whole: the versions of one zone have room for a fourth of it."""
IDLE = 2.0
"""Seconds after which a connection may have been given up by the server (it does after five)."""


class Unreachable(Exception):  # noqa: N818 - an outcome that is lived with, told to people
    """Nothing was heard from the controller, or it refused; the text says why and what to do."""


class Refused(Unreachable):
    """What was sent means nothing to the controller, and would not mean more when it is sent again."""


@dataclass(frozen=True, slots=True)
class Remote:
    """Where a controller is, and how each side knows the other."""

    url: str
    token_file: Path | None = None
    ca_file: Path | None = None
    fingerprint: str = ""
    """``sha256:`` and the hash of the authority's certificate."""


@dataclass(slots=True)
class Client:
    """Requests to one controller; from one thread at a time, but for :meth:`interrupt`."""

    remote: Remote
    _connection: http.client.HTTPConnection | None = field(default=None, init=False)
    _pinned: str = field(default="", init=False)
    _is_closed: bool = field(default=False, init=False)
    _is_asking: bool = field(default=False, init=False)
    _used_at: float = field(default=0.0, init=False)

    @contextlib.contextmanager
    def snapshot(
        self, after: Position | None, wait: float, standing: Standing | None = None
    ) -> Iterator[Iterator[bytes] | None]:
        """The lines of an answer, or None when nothing is new after ``wait`` seconds; with how who asks stands.

        Raises:
            Unreachable: no answer, or none that may be used.
        """
        place = f"&after={after}" if after else ""
        headers = {"Suite-Feed": str(FORMAT)}
        if standing is not None:
            headers[HEADER] = written(standing)
        with self._asked("GET", f"/v1/snapshot?wait={wait:g}{place}", None, headers, wait + GRACE) as response:
            if response.status == http.client.NOT_MODIFIED:
                response.read()
                yield None
            else:
                _require(response, http.client.OK)
                yield _lines(response)

    def report(self, document: object) -> None:
        """Send a report; it is taken down for good when this returns.

        Raises:
            Unreachable: it was not, or nobody knows; sending it again does no harm.
        """
        self._drop()  # the server gives up a connection that was silent for a while
        body = json.dumps(document, separators=(",", ":")).encode()
        with self._asked("POST", "/v1/reports", body, {"Content-Type": "application/json"}, GRACE) as response:
            _require(response, http.client.NO_CONTENT)
            response.read()

    def told(self, method: str, target: str, document: object, patience: float) -> object:
        """The answer to a question, as JSON; ``document`` goes with it unless it is None.

        Raises:
            Unreachable: there is none within ``patience`` seconds, or none that may be used.
        """
        if time.monotonic() - self._used_at > IDLE:
            self._drop()
        body = None if document is None else json.dumps(document, separators=(",", ":")).encode()
        headers = {} if body is None else {"Content-Type": "application/json"}
        with self._asked(method, target, body, headers, patience) as response:
            _require(response, http.client.OK)
            answer: object = json.loads(response.read(MOST_ANSWER))
        self._used_at = time.monotonic()
        return answer

    def interrupt(self) -> None:
        """End what another thread waits for, for good; the connection is given up by it, or here when nobody waits."""
        self._is_closed = True
        connection = self._connection
        if not self._is_asking:
            self._drop()
        elif connection is not None and connection.sock is not None:
            with contextlib.suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the connection up; for the thread whose requests these are."""
        self._is_closed = True
        self._drop()

    @contextlib.contextmanager
    def _asked(
        self, method: str, target: str, body: bytes | None, headers: dict[str, str], patience: float
    ) -> Iterator[http.client.HTTPResponse]:
        is_read, self._is_asking = False, True
        try:
            authorization = self._authorization()
            connection = self._connected()
            if connection.sock is not None:
                connection.sock.settimeout(patience)
            connection.request(method, target, body, headers | authorization)
            with connection.getresponse() as response:
                yield response
                is_read = response.isclosed()
        except (OSError, http.client.HTTPException, ValueError) as error:
            if isinstance(error, FeedError):
                raise
            raise Unreachable(_told(self.remote.url, error)) from error
        finally:
            self._is_asking = False
            if not is_read or self._is_closed:
                self._drop()  # what follows on the connection would be the rest of this answer

    def _connected(self) -> http.client.HTTPConnection:
        if self._is_closed:
            raise ConnectionAbortedError("this program ends")
        if self._connection is None or self._connection.sock is None:
            is_secure = _is_secure(self.remote)
            connection = self._connection = _connection(self.remote, self._authority() if is_secure else "")
            connection.connect()
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _authorization(self) -> dict[str, str]:
        """The token, read anew each time: Kubernetes renews the file."""
        agent = {"User-Agent": f"suite/{__version__}"}
        if self.remote.token_file is None:
            return agent
        token = _read(self.remote.token_file).strip()
        return agent | {"Authorization": f"Bearer {token}"}

    def _authority(self) -> str:
        """The pinned certificate, in PEM; the file is read anew, for it may have been replaced."""
        if self.remote.ca_file is not None:
            return _read(self.remote.ca_file)
        if self.remote.fingerprint and not self._pinned:
            self._pinned = _fetched(self.remote)
        return self._pinned


def fingerprint_of(certificate: str) -> str:
    """``sha256:`` and the hash of a certificate in PEM."""
    return f"sha256:{sha256(ssl.PEM_cert_to_DER_cert(certificate)).hexdigest()}"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except UnicodeDecodeError:
        raise ValueError(f"{path} holds something else than a token or a certificate in PEM") from None


def _is_secure(remote: Remote) -> bool:
    """Whether it is followed through TLS; nothing is sent to an address for which that is not clear."""
    parts = urlsplit(remote.url)
    if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
        raise ValueError("only a controller on this machine is followed without TLS; write https://")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"{remote.url!r} is no https:// address")
    return parts.scheme == "https"


def _connection(remote: Remote, authority: str) -> http.client.HTTPConnection:
    """Not connected yet."""
    parts = urlsplit(remote.url)
    host = parts.hostname or ""
    if not _is_secure(remote):
        return http.client.HTTPConnection(host, parts.port or 80, timeout=CONNECT_SECONDS)
    if not authority:
        raise ValueError("nothing says which certificate is the controller's; give its authority or a fingerprint")
    context = ssl.create_default_context(cadata=authority)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return _PinnedConnection(host, parts.port or 443, context)


class _PinnedConnection(http.client.HTTPSConnection):
    """TLS to a host by whatever address, with a certificate for :data:`NAME`."""

    def __init__(self, host: str, port: int, context: ssl.SSLContext) -> None:
        super().__init__(host, port, timeout=CONNECT_SECONDS, context=context)
        self._pinning = context

    def connect(self) -> None:
        """As the standard library's, but for the name that is asked for."""
        plain = socket.create_connection((self.host, self.port), CONNECT_SECONDS)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.ExitStack() as undo:
            undo.callback(plain.close)
            self.sock = self._pinning.wrap_socket(plain, server_hostname=NAME)
            undo.pop_all()


def _fetched(remote: Remote) -> str:
    """The authority's certificate, asked for without trust and believed for its fingerprint alone."""
    parts = urlsplit(remote.url)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    connection = _PinnedConnection(parts.hostname or "", parts.port or 443, context)
    try:
        connection.request("GET", "/v1/authority")
        certificate = connection.getresponse().read(MOST_LINE).decode("ascii", "replace")
    finally:
        connection.close()
    if fingerprint_of(certificate) != remote.fingerprint.lower():
        raise ValueError("its certificate authority is not the one with that fingerprint: another suite, or an attack")
    return certificate


def _lines(response: http.client.HTTPResponse) -> Iterator[bytes]:
    while text := response.readline(MOST_LINE):
        yield text


def _require(response: http.client.HTTPResponse, status: int) -> None:
    if response.status == status:
        return
    try:
        said = json.loads(response.read(MOST_ERROR))
    except ValueError:
        said = {}
    text = "; ".join(filter(None, (said.get("error"), said.get("fix")))) if isinstance(said, dict) else ""
    if response.status in {http.client.UNPROCESSABLE_ENTITY, http.client.REQUEST_ENTITY_TOO_LARGE}:
        raise Refused(text)
    raise ConnectionError(text or f"it answered with status {response.status}")


def _told(url: str, error: BaseException) -> str:
    """An error in words; those of the operating system without their numbers, and of a file with its name."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"{url}: its certificate is not of the pinned authority ({error.verify_message})"
    if isinstance(error, OSError) and error.filename is not None:
        return f"{url} is not asked, because {error.filename} cannot be read: {error.strerror}"
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or type(error).__name__
    return f"{url}: {why}"


def _is_loopback(host: str) -> bool:
    return host in {"localhost", "::1"} or host.startswith("127.")
