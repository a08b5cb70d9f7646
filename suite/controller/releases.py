"""The guard against mass release: a mistake upstream must not take everybody's address away in one turn.

A turn that would release more than 30% of ten or more leases holds the releases back, says so, and does everything else.
An operator who means it confirms the digest of exactly these releases.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from suite.model.lease import Lease

LEAST = 10
SHARE = 0.3


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether releases may go ahead; ``digest`` names exactly this set of them, empty when there is none to name."""

    may_proceed: bool
    digest: str = ""


def digest_of(releases: Iterable[Lease]) -> str:
    """Twelve hexadecimal digits that stand for this set of leases, whatever its order."""
    lines = sorted(f"{lease.address} {lease.ref}" for lease in releases)
    return sha256("\n".join(lines).encode()).hexdigest()[:12]


def judge(releases: list[Lease], bound: int, confirmed: str) -> Verdict:
    """Whether ``releases`` out of ``bound`` leases may happen, given the digest an operator has confirmed."""
    if bound < LEAST or len(releases) <= SHARE * bound:
        return Verdict(may_proceed=True)
    digest = digest_of(releases)
    return Verdict(may_proceed=digest == confirmed, digest=digest)
