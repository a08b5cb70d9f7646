"""The other end of the unix socket: how the command line asks a running suite."""

import http.client
import socket
from pathlib import Path


class UnixConnection(http.client.HTTPConnection):
    """HTTP to a suite's socket."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("suite", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket instead of a host."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def ask(path: Path, target: str, timeout: float = 5.0) -> tuple[int, bytes]:
    """GET ``target`` from the suite whose socket is at ``path``: status and body.

    Raises:
        OSError: nobody serves there.
    """
    connection = UnixConnection(path, timeout)
    try:
        connection.request("GET", target)
        response = connection.getresponse()
        return response.status, response.read()
    except http.client.HTTPException as error:
        raise ConnectionError(f"{path} does not speak HTTP: {error}") from error
    finally:
        connection.close()
