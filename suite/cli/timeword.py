"""Times as people write them: pure, with the present and the zone as arguments.

=====================================  ==========================================================================
``2026-11-22 14:03[:05]``              that local time; ``T`` instead of the blank, a final ``Z`` or ``+01:00`` are taken too
``2026-11-22``                         the start of that day
``14:03``                              the last time the clock showed it
``tue 14:03``, ``tuesday``             the last such day's 14:03, or its start
``today 9:00``, ``yesterday``          that day's 9:00, or its start
``-2h``, ``-1d12h``, ``90m ago``       so long before now (w, d, h, m, s; a day is 24 hours)
``now``, ``@1763820000``               now; seconds since 1970
=====================================  ==========================================================================

Local times that a change of clocks makes ambiguous or skips are understood, and the answer carries a warning that says how.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

UNITS = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FORMS = '"tue 14:03", "yesterday 9:00", "14:03", "-2h", "2026-11-22 14:03" or ISO 8601'

_SPAN = re.compile(r"(?:\d+[wdhms])+")
_PART = re.compile(r"(\d+)([wdhms])")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,6}))?)?")


@dataclass(frozen=True, slots=True)
class Understood:
    """The instant a text means, in UTC, the same in the zone it was read in, and what to be careful about."""

    instant: datetime
    local: datetime
    warning: str = ""

    def __str__(self) -> str:
        shown = f"{self.instant:%Y-%m-%d %H:%M:%S} UTC"
        zone = self.local.tzname() or ""
        return shown if zone == "UTC" else f"{shown} ({self.local:%a %Y-%m-%d %H:%M:%S} {zone})"


def understand(text: str, now: datetime, zone: tzinfo) -> Understood:
    """The instant that ``text`` means to somebody in ``zone`` at ``now``.

    Raises:
        ValueError: no such form, or a time that does not exist (``25:00``); the message lists the forms.
    """
    try:
        return _understand(text, now, zone)
    except OverflowError:
        raise ValueError(f"{text!r} lies outside the years 1 to 9999") from None


def _understand(text: str, now: datetime, zone: tzinfo) -> Understood:
    words = text.strip().lower()
    if (instant := _relative(words, now)) is not None:
        return Understood(instant.astimezone(UTC), instant.astimezone(zone))
    try:
        wall = _named_day(words, now.astimezone(zone)) or datetime.fromisoformat(words.upper())
    except ValueError:
        raise ValueError(f"{text!r} is no time; write {FORMS}") from None
    if wall.tzinfo is not None:
        return Understood(wall.astimezone(UTC), wall.astimezone(zone))
    return _placed(wall, zone)


def _relative(words: str, now: datetime) -> datetime | None:
    if words == "now":
        return now
    if words.startswith("@") and words[1:].isdecimal():
        return EPOCH + timedelta(seconds=int(words[1:]))
    span = (
        words[1:].strip()
        if words.startswith("-")
        else words.removesuffix("ago").strip()
        if words.endswith("ago")
        else ""
    )
    span = span.replace(" ", "")
    if not _SPAN.fullmatch(span):
        return None
    return now - timedelta(seconds=sum(int(count) * UNITS[unit] for count, unit in _PART.findall(span)))


def _named_day(words: str, now: datetime) -> datetime | None:
    """Forms that name a day by its relation to now, as wall time; None for other forms."""
    head, _, tail = words.partition(" ")
    if _CLOCK.fullmatch(words):
        return _last(now, 1, _clock(words))
    if head in {"today", "yesterday"}:
        day = now.date() - timedelta(days=head == "yesterday")
        return datetime.combine(day, _clock(tail))
    index = _weekday(head)
    if index is None:
        return None
    past = (now.weekday() - index) % 7
    return _last(now, 7, _clock(tail), now.date() - timedelta(days=past))


def _last(now: datetime, step: int, clock: time, day: date | None = None) -> datetime:
    """The newest of the days ``step`` apart, beginning with ``day``, on which ``clock`` is not in the future."""
    wall = datetime.combine(day or now.date(), clock)
    return wall if wall <= now.replace(tzinfo=None) else wall - timedelta(days=step)


def _weekday(word: str) -> int | None:
    if len(word) < 3:
        return None
    return next((at for at, name in enumerate(WEEKDAYS) if name.startswith(word)), None)


def _clock(text: str) -> time:
    """``14:03``, ``9:00:30.5``; nothing means midnight."""
    text = text.strip()
    if not text:
        return time()
    matched = _CLOCK.fullmatch(text)
    if not matched:
        raise ValueError(text)
    hour, minute, second, fraction = matched.groups(default="0")
    return time(int(hour), int(minute), int(second), int(fraction.ljust(6, "0")))


def _placed(wall: datetime, zone: tzinfo) -> Understood:
    """Wall time in its zone: the first of two in a fold, and what the clocks showed instead in a gap (PEP 495)."""
    first, second = wall.replace(tzinfo=zone), wall.replace(tzinfo=zone, fold=1)
    instant = first.astimezone(UTC)
    if first.utcoffset() == second.utcoffset():
        return Understood(instant, first)
    local = instant.astimezone(zone)
    if local.replace(tzinfo=None, fold=0) != wall:
        warning = f"the clocks skipped {wall:%H:%M} that day; taken as {local:%H:%M} {local.tzname()}"
        return Understood(instant, local, warning)
    other = second.astimezone(UTC)
    warning = (
        f"the clocks showed {wall:%H:%M} twice that day; taken as the first, {first.tzname()}; "
        f"the second was {other:%Y-%m-%dT%H:%M:%SZ}"
    )
    return Understood(instant, first, warning)
