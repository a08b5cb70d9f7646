"""What the rest of this package needs of an API server, whoever provides it."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Protocol


class ApiError(Exception):
    """The server answered, and the answer was no.

    ``status`` is the HTTP code, ``reason`` Kubernetes' word for it (``Conflict``), ``retry_after`` the seconds the server
    wants to be left alone for.
    """

    def __init__(self, status: int, reason: str, message: str, *, retry_after: float = 0.0) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status, self.reason, self.message, self.retry_after = status, reason, message, retry_after

    @classmethod
    def of(cls, status: Mapping[str, Any]) -> "ApiError":
        """What an ``ERROR`` event of a watch says: its object is a ``Status``, and the stream is over."""
        code, reason, message = (status.get(each) for each in ("code", "reason", "message"))
        return cls(code if isinstance(code, int) else 500, str(reason or ""), str(message or ""))

    @property
    def is_gone(self) -> bool:
        """The version asked for is compacted: only a new list helps (410; Expired in a stream)."""
        return self.status == 410 or self.reason in {"Expired", "Gone"}

    @property
    def is_conflict(self) -> bool:
        """Somebody else was first."""
        return self.status == 409

    @property
    def is_passing(self) -> bool:
        """Worth trying the same again later: overload, a server that restarts, a token that is being renewed."""
        return self.status in {401, 408, 429} or self.status >= 500


class Lost(Exception):  # noqa: N818 - the connection is lost, which is no error of ours
    """No answer: the server is away, or the connection broke."""


class Connection(Protocol):
    """Requests to an API server; each raises :class:`ApiError` or :class:`Lost`."""

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        """An object or a list."""
        ...

    async def create(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The object as it was made."""
        ...

    async def patch(self, path: str, body: Mapping[str, Any], *, strategic: bool = False) -> dict[str, Any]:
        """The object after a merge patch, or Kubernetes' strategic one."""
        ...

    async def delete(self, path: str) -> dict[str, Any]:
        """What the server says of a deletion; what belongs to the object is deleted in the background."""
        ...

    def watch(self, path: str, query: Mapping[str, str]) -> AsyncIterator[dict[str, Any]]:
        """Watch events, until the server ends the stream."""
        ...
