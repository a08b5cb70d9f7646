"""Rows of the peers' behaviour that this project settles differently on purpose, each with its reason.

The one place where they stand.  A row listed here must differ; a test says so when it no longer does.
"""

SETTLED: dict[tuple[str, str], str] = {
    ("config", "testparse-058"): (
        "blanks around a range mean nothing (published configurations have them); the row is refused all the same, because "
        "its pools overlap"
    ),
}
"""(format, row) to the reason."""
