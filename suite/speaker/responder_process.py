"""The speaker's end of the time-critical process: start it, send it orders, read its reports, stop it."""

import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping

from suite.speaker.control import STOP, Channel, Message, difference
from suite.speaker.heartbeat import Standing
from suite.speaker.ownership import Address, Entry

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
        self._channel = Channel(ours, limit=None)
        self._sent: Mapping[Address, Entry] = {}
        self._wanted: tuple[Standing, Mapping[Address, Entry]] | None = None

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
        """Queue an order."""
        self._channel.send(message)

    def adopt(self, standing: Standing, plan: Mapping[Address, Entry]) -> None:
        """Make this the process's plan. Only the difference to the last one travels; entries are compared, not copied.

        While the process has not read the last plan yet, newer ones replace each other here: call `flush` or
        `receive` from time to time (both are called by a speaker that listens to the reports).
        """
        self._wanted = (standing, plan)
        self.flush()

    def flush(self) -> bool:
        """Send what is queued; False if something still waits for the process to read."""
        if not self._channel.flush():
            return False
        if self._wanted is not None:
            (standing, plan), self._wanted = self._wanted, None
            for amend in difference(self._sent, plan, standing):
                self._channel.send(amend.to_message())
            self._sent = plan
        return self._channel.flush()

    def receive(self) -> Iterator[Message]:
        """The reports that have arrived. EOFError once the process has ended."""
        self.flush()
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
