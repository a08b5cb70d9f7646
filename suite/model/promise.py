"""The promise about reused addresses, in seconds: no answer of ours, nor of a cache or secondary, outlives its address.

last contact to the database ... stale-limit ... SOA expire ... TTL
                                 |               |              a cache forgets
                                 |               a secondary stops answering
                                 our servers answer neither SOA nor transfers any more
"""

from collections.abc import Iterable
from math import ceil

CLOCK_MARGIN = 5
"""Seconds between the last moment an answer may be used and the first an address may be given away."""
REFRESH, RETRY, LONGEST_EXPIRE = 60, 10, 600
"""SOA timers in seconds: a secondary asks every minute and forgets after ten at the latest (:func:`expire_of`)."""
SHORTEST_EXPIRE = REFRESH + 2 * RETRY
"""A secondary that misses one answer must not forget the zone already."""


def used_for(stale_limit: float, ttls: Iterable[int]) -> int:
    """How long an answer may be used after the last contact, where there are no secondaries."""
    return ceil(stale_limit) + max(ttls) + CLOCK_MARGIN


def expire_of(cooling_time: float, used: int) -> int:
    """How long a secondary may answer without us: what ``cooling-time`` leaves beside :func:`used_for`.

    Past the stale limit neither SOA nor transfers are answered, so a secondary last hears of us then; from there on it
    may answer for this long, and caches for another TTL.
    """
    if not cooling_time:
        return LONGEST_EXPIRE
    return min(max(int(cooling_time) - used, SHORTEST_EXPIRE), LONGEST_EXPIRE)


def cooling_needed(cooling_time: float, used: int) -> int:
    """The cooling time that keeps the promise with secondaries; 0 when it is kept, or when none is made."""
    needed = used + expire_of(cooling_time, used)
    return needed if 0 < cooling_time < needed else 0
