"""How many examples a law gets: few in every run, twenty times as many in the soak.

A run before every commit must be short, and it adds up: each one draws other examples. What hides in rare corners is for
`./suite.sh soak`.
"""

from __future__ import annotations

from hypothesis import settings

SOAK = 20
"""How many times as many examples a law gets in the soak."""

FEW = 40
"""Examples of a law that does not say how many it needs."""


def chances(few: int) -> int:
    """The number of examples now, for a law whose point takes `few` to make."""
    return few * settings.default.max_examples // FEW if settings.default else few
