"""What a check of ``suite doctor`` finds."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found, and how to mend it."""

    check: str
    severity: Severity
    text: str
    fix: str = ""
