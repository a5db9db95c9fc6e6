"""Data and initial parameters of a workload, which all contestants read from one file."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from .workloads import Workload

Arrays = Mapping[str, Any]
"""NumPy arrays by the paths of `architecture`, such as `2/block/0/weight`."""

SEED = 0

ROWS = 60_000
"""Of an epoch."""

MOST = 10
"""Epochs after which a network is not expected to learn more."""


@dataclass(frozen=True)
class Material:
    """What a contestant starts from.

    Attributes:
        x: examples, channels last, shape (batches * batch, *shape).
        y: class indices.
        arrays: the kernels and biases; none, where those are wanted that the library draws.
        held: how many of the examples, the first ones, are not for epochs.
    """

    x: Any
    y: Any
    arrays: Arrays
    held: int = 0

    @cached_property
    def epoch(self) -> tuple[Any, Any]:
        """As many examples as an epoch has, those there are over and over, each with a place of its own in memory."""
        x, y = self.x[self.held :], self.y[self.held :]
        return np.resize(x, (ROWS, *x.shape[1:])), np.resize(y, ROWS)


def data(workload: Workload) -> tuple[Any, Any]:
    """Standard normal examples and classes that know nothing of them."""
    generator, rows = np.random.default_rng(SEED), workload.batch * workload.batches
    x = generator.standard_normal((rows, *workload.shape), np.float32)
    return x, generator.integers(0, workload.classes, rows, dtype=np.int32)


def write(path: Path, x: Any, y: Any, arrays: Arrays, held: int = 0) -> None:
    """Into a file."""
    np.savez(path, x=x, y=y, held=held, **arrays)


def read(path: Path) -> Material:
    """From the file."""
    with np.load(path) as found:
        arrays = {name: found[name] for name in found.files}
    return Material(arrays.pop("x"), arrays.pop("y"), held=int(arrays.pop("held")), arrays=arrays)


def batches(workload: Workload, x: Any, y: Any) -> list[tuple[Any, Any]]:
    """Arrays of any library cut into the batches of the steps, in order."""
    starts = range(0, len(x), workload.batch)
    return [(x[i : i + workload.batch], y[i : i + workload.batch]) for i in starts]


def timed(count: int, one: Callable[[], None]) -> float:
    """Seconds of so many epochs."""
    start = time.perf_counter()
    for _ in range(count):
        one()
    return time.perf_counter() - start


def shuffled(workload: Workload, x: Any, y: Any) -> Iterator[tuple[Any, Any]]:
    """Batches of NumPy arrays in a new order, the last one filled up, so that nothing is compiled for it alone."""
    order = np.resize(np.random.permutation(len(x)), -(-len(x) // workload.batch) * workload.batch)
    for rows in order.reshape(-1, workload.batch):
        yield x[rows], y[rows]
