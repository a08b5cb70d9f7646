"""How long to wait before trying again: doubling, with jitter, and back to the start when things went well for a while.

Pure: time and chance are arguments.
"""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits in seconds: ``first`` doubling up to ``most``, each times a random factor from 0.5 to 1.5.

    Many clients that lost the same server at the same moment must not come back at the same moment.
    """

    first: float = 0.2
    most: float = 30.0
    quiet: float = 5.0
    """Seconds that an attempt has to go well for its failure to count as the first again."""
    failures: int = 0

    def failed(self, lasted: float = 0.0) -> "Backoff":
        """After one more failure, of an attempt that had gone well for ``lasted`` seconds."""
        return replace(self, failures=1 if lasted > self.quiet else self.failures + 1)

    def wait(self, chance: float, *, at_least: float = 0.0) -> float:
        """Seconds to wait, for a ``chance`` from 0 to 1; never less than the server asked for (Retry-After)."""
        if not self.failures:
            return at_least
        # A server's wish is stretched too, never shortened: its other clients were told the same.
        spread = 0.5 + chance
        return max(at_least * (1 + chance / 4), min(self.most, self.first * 2.0 ** min(self.failures - 1, 30)) * spread)
