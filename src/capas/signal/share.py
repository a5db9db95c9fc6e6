"""Shares of units that are dead, and of entries that are saturated."""

from __future__ import annotations

from typing import Any

from .field import Field

EXAMPLES = 1000


def dead_share(field: Field) -> float:
    return 0.0


def saturated_share(field: Field) -> float:
    return 0.0


_ = Any
