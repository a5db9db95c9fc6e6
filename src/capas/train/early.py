"""Early stopping: what is watched, which way it is better, and the best of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import ArgumentError
from .history import Record
from .metrics import LARGER_IS_BETTER, SMALLER_IS_BETTER, PerExample


@dataclass(frozen=True)
class Watch:
    """What early stopping watches: a name in the epochs' records, and whether larger values of it are better."""

    name: str
    larger: bool = False

    def cost(self, record: Record) -> float:
        """The value of an epoch, turned so that smaller is better."""
        return -record[self.name] if self.larger else record[self.name]


@dataclass(frozen=True)
class Best:
    """The lowest cost of what is watched, the epoch that reached it, and its weights; none without early stopping."""

    cost: float
    epoch: int
    params: Any
    state: Any


def watch(monitor: str | None, patience: int | None, metrics: Mapping[str, PerExample], is_held: bool) -> Watch:
    """What `fit` is asked to watch: by default the loss of what is held out, of training where nothing is.

    `metrics` are the names that will be recorded, the loss first.
    """
    if monitor is None:
        return Watch("val_loss" if is_held else "loss")
    if patience is None:
        raise _refused("patience=None", "patience beside monitor", "Say after how many epochs training may end.")
    recorded = {**metrics, **({f"val_{name}": metric for name, metric in metrics.items()} if is_held else {})}
    if monitor not in recorded:
        remedy = "What is not in it can be added with metrics=." if is_held else "There is no validation data."
        raise _refused(repr(monitor), f"one of {', '.join(map(repr, recorded))}", remedy)
    metric = recorded[monitor]
    is_larger_better = metric in LARGER_IS_BETTER.values()
    if not (is_larger_better or metric in (metrics["loss"], *SMALLER_IS_BETTER.values())):
        remedy = "A callback can end training instead."
        raise _refused(repr(monitor), "the loss, or a metric of capas, of which it is known when it is better", remedy)
    return Watch(monitor, larger=is_larger_better)


def _refused(got: str, expected: str, remedy: str) -> ArgumentError:
    return ArgumentError("monitor", expected=expected, got=got, remedy=remedy)
