"""What replaying one row came to; every runner yields these."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Outcome:
    """One row: its name, what the vectors want and what we do."""

    row: str
    wanted: Any
    got: Any

    @property
    def differs(self) -> bool:
        return self.wanted != self.got

    def __str__(self) -> str:
        return f"{self.row}\n    wanted {self.wanted}\n    got    {self.got}"
