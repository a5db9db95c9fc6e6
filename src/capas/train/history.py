"""What training recorded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Record = dict[str, Any]


@dataclass
class History:
    """One record per epoch, and why training ended.

    `history["val_loss"]` is the list of that value over the epochs; `history.records[-1]` is the last epoch.

    Attributes:
        records: per epoch a dict with "epoch", "step", "loss", the metrics, `val_loss` and so on, "seconds".
        ended: "epochs done", "no improvement in N epochs", or "a callback asked".
        best_epoch: the epoch whose weights were returned, where early stopping was on.
    """

    records: list[Record] = field(default_factory=list)
    ended: str = ""
    best_epoch: int | None = None

    def __getitem__(self, name: str) -> list[Any]:
        return [record[name] for record in self.records]
