"""What contestants do over and over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

OTHER_WORK = "other values:"
"""How the refusal of what another contestant does begins."""


@dataclass(frozen=True, eq=False)
class Task:
    """What is done over and over and counted.

    Attributes:
        name: of its figures.
        command: of `serve`, which also takes a count, and answers with seconds and a value that all must agree on.
    """

    name: str
    command: Mapping[str, Any]


STEPS = Task("steps", {"do": "steps"})
EPOCHS = Task("epochs", {"do": "epochs"})


def predictions(rows: int) -> Task:
    """Predictions for so many examples at a time."""
    return Task(f"predictions of {rows}", {"do": "predict", "rows": rows})
