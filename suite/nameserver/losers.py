"""Who asked for a name and does not have it, and why: in words that name the holder.  Pure."""

from collections.abc import Iterable, Mapping

from suite.dns import name
from suite.model.refusal import Reason, Refusal
from suite.model.service import ServiceRef
from suite.nameserver.claims import Owner, Source

_WORDS = {"record": "static record", "host": "static host", "label": "name of one label"}


def said(source: Source) -> str:
    """A source as people read it."""
    kind, *parts = source
    return f"{_WORDS.get(kind, kind)} {'/'.join(part for part in parts if part)}"


class Losers:
    """What is refused, by who asked and by the name."""

    __slots__ = ("_left_out", "_lost", "_own")

    def __init__(self) -> None:
        self._own: dict[Source, tuple[Refusal, ...]] = {}
        self._lost: dict[Owner, tuple[tuple[Source, Source], ...]] = {}
        self._left_out: dict[Owner, tuple[Source, str]] = {}

    def begin(self) -> None:
        """Everybody is asked anew; names that nobody asks for differently than before stay as they are."""
        self._own = {}

    def note(self, source: Source, refusals: tuple[Refusal, ...]) -> None:
        """Remember which of its wishes a source may not have whoever else asks."""
        if refusals:
            self._own[source] = refusals
        elif self._own:
            self._own.pop(source, None)

    def forget(self, owner: Owner) -> None:
        """Whoever asks for this name is looked at anew."""
        if self._lost:
            self._lost.pop(owner, None)
        if self._left_out:
            self._left_out.pop(owner, None)

    def lose(self, owner: Owner, losers: Iterable[Source], winner: Source) -> None:
        """Somebody else has the name."""
        self._lost[owner] = tuple((loser, winner) for loser in losers)

    def leave_out(self, owner: Owner, source: Source, why: str) -> None:
        """Some of what the holder of a name asks for there cannot be served."""
        self._left_out[owner] = source, why

    def left_out(self, owner: Owner) -> str:
        """Why something at this name is not served; empty where all of it is."""
        return self._left_out.get(owner, ("", ""))[1]

    def refusals(self) -> dict[Source, tuple[Refusal, ...]]:
        """Everything, by who asked, in the order of the names."""
        found: dict[Source, list[Refusal]] = {source: list(own) for source, own in self._own.items()}
        for owner, losers in sorted(self._lost.items()):
            for loser, winner in losers:
                found.setdefault(loser, []).append(_taken(f"{name.to_text(owner[1])} belongs to {_holder(winner)}"))
        for _, (source, why) in sorted(self._left_out.items()):
            found.setdefault(source, []).append(_taken(why))
        return {source: tuple(each) for source, each in found.items()}


def of_services(refused: Mapping[Source, tuple[Refusal, ...]]) -> dict[ServiceRef, tuple[Refusal, ...]]:
    """Those of Services."""
    return {ServiceRef(*source[1:]): each for source, each in refused.items() if source[0] == "service"}


def of_static(refused: Mapping[Source, tuple[Refusal, ...]]) -> dict[str, tuple[Refusal, ...]]:
    """Those of static hosts and records, by how people call them."""
    return {said(source): each for source, each in refused.items() if source[0] in {"host", "record"}}


def _taken(message: str) -> Refusal:
    return Refusal(Reason.NAME_TAKEN, message)


def _holder(source: Source) -> str:
    return f"{source[0]} {'/'.join(part for part in source[1:] if part)}"
