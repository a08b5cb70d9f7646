"""What is wrong with a document, where, and how to mend it: collected, never raised one by one."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault in a configuration or manifest."""

    path: str
    """Where in the document: ``address-pools[0].addresses[1]``."""
    message: str
    """What is wrong and, where it is not plain, what would be right."""
    code: str = ""
    """A stable word for programs, such as ``pool.overlap``."""
    source: str = ""
    """The file or object."""
    line: int = 0
    """Line in ``source``, from 1; 0 where there is none."""
    is_warning: bool = False
    """Said, but does not stop the document from being used."""
    is_transient: bool = False
    """It would be no problem if another object existed, which may still come; admission passes over it."""

    def __str__(self) -> str:
        place = self.source + (f":{self.line}" if self.line else "")
        return ": ".join(part for part in (place, self.path, self.message) if part)
