"""What a training keeps in its checkpoints, and goes on from."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import jax

from .checkpoint import Checkpoint
from .early import Best
from .history import History
from .step import TrainState


class Saves:
    """The checkpoints of a training; none, if it was given no folder.

    Args:
        folder: where they are.
        identify: gives what must be the same for a training to be continued.
    """

    def __init__(self, folder: str | os.PathLike[str] | None, identify: Callable[[], Mapping[str, Any]]) -> None:
        self._checkpoint = None if folder is None else Checkpoint(folder, identify())

    def resume(self, now: TrainState, best: Best) -> tuple[TrainState, Best, History]:
        """Where to go on: the newest checkpoint, or what is given and no history."""
        found = None if self._checkpoint is None else self._checkpoint.restore((now, best.params, best.state))
        if found is None:
            return now, best, History()
        (now, params, state), progress = found
        now = jax.tree.map(jax.numpy.asarray, now)
        cost, epoch = progress["best"]
        return now, Best(cost, epoch, params, state), History(progress["records"], progress["ended"])

    def keep(self, now: TrainState, best: Best, history: History) -> None:
        """Write a checkpoint after an epoch."""
        if self._checkpoint is not None:
            progress = {"records": history.records, "ended": history.ended, "best": [best.cost, best.epoch]}
            self._checkpoint.save(len(history.records), (now, best.params, best.state), progress)

    def close(self) -> None:
        """Wait until all is on disk."""
        if self._checkpoint is not None:
            self._checkpoint.close()
