"""What keeps layer 2 from working, by what it concerns: each is told when it begins, and taken back when it is over. Pure."""

from collections.abc import Callable, Iterable

from suite.speaker.control import Message

PORT = "port"
"""The heartbeat port."""
DEVICE = "device"
"""The device that is to carry owned addresses."""
BINDING = "binding"
"""Putting addresses on it."""
INTERFACE = "interface "
"""One interface: its name follows."""


class Troubles:
    """The ones that hold now. Whoever can fail says so under a key of its own, and clears that key when it succeeds."""

    def __init__(self, tell: Callable[[Message], None]) -> None:
        self._tell = tell
        self._texts: dict[str, str] = {}

    def say(self, about: str, text: str) -> None:
        """It holds from now on; an empty text takes it back. What is known already is not told again."""
        if self._texts.get(about, "") == text:
            return
        if text:
            self._texts[about] = text
        else:
            del self._texts[about]
        self._tell({"kind": "trouble", "about": about, "text": text})

    def clear(self, about: str) -> None:
        """It is over, if it was there."""
        self.say(about, "")

    def keep_interfaces(self, names: Iterable[str]) -> None:
        """Forget interfaces that nothing is to be announced on any more."""
        kept = {INTERFACE + name for name in names}
        for about in [each for each in self._texts if each.startswith(INTERFACE) and each not in kept]:
            self.clear(about)

    def report(self) -> dict[str, str]:
        """All that hold now, for a speaker that missed some."""
        return dict(self._texts)
