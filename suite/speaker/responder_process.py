"""The speaker's end of the time-critical process: start it, send it orders, read its reports, stop it."""

import socket
import subprocess
import sys
from collections.abc import Iterator

from suite.speaker.control import STOP, Channel, Message

PATIENCE = 5.0
"""Seconds that the process gets to end by itself after it was told to."""


class ResponderProcess:
    """The running process. `fileno` is for the speaker's selector or `loop.add_reader`; `receive` never waits.

    When this object's owner dies, however it dies, the process reads the end of its stream, says goodbye to the
    fleet and ends: nothing keeps announcing for a speaker that is gone.
    """

    def __init__(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "suite.speaker.responder", str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
            )
        self._channel = Channel(ours)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def fileno(self) -> int:
        """Readable when `receive` has something."""
        return self._channel.fileno()

    def send(self, message: Message) -> None:
        """Queue an order; large plans leave in pieces, each time this, `receive` or `flush` is called."""
        self._channel.send(message)

    def flush(self) -> bool:
        """Send what is queued; False if something still waits for the process to read."""
        return self._channel.flush()

    def receive(self) -> Iterator[Message]:
        """The reports that have arrived. EOFError once the process has ended."""
        self._channel.flush()
        return self._channel.receive()

    def stop(self) -> int:
        """End it now, without a goodbye (drain first for that); its exit code."""
        self._channel.send(STOP)
        try:
            return self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()
        finally:
            self._channel.close()
