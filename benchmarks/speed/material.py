"""Data and initial parameters of a workload, which all contestants read from one file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .workloads import Workload

Arrays = Mapping[str, Any]
"""NumPy arrays by the paths of `architecture`, such as `2/block/0/weight`."""

SEED = 0


@dataclass(frozen=True)
class Material:
    """What a contestant starts from.

    Attributes:
        x: examples, channels last, shape (batches * batch, *shape).
        y: class indices.
        arrays: the kernels and biases.
    """

    x: Any
    y: Any
    arrays: Arrays


def data(workload: Workload) -> tuple[Any, Any]:
    """Standard normal examples and classes that know nothing of them."""
    generator, rows = np.random.default_rng(SEED), workload.batch * workload.batches
    x = generator.standard_normal((rows, *workload.shape), np.float32)
    return x, generator.integers(0, workload.classes, rows, dtype=np.int32)


def write(path: Path, x: Any, y: Any, arrays: Arrays) -> None:
    """Into a file."""
    np.savez(path, x=x, y=y, **arrays)


def read(path: Path) -> Material:
    """From the file."""
    with np.load(path) as found:
        arrays = {name: found[name] for name in found.files}
    return Material(arrays.pop("x"), arrays.pop("y"), arrays)


def batches(workload: Workload, x: Any, y: Any) -> list[tuple[Any, Any]]:
    """Arrays of any library cut into the batches of the steps, in order."""
    starts = range(0, len(x), workload.batch)
    return [(x[i : i + workload.batch], y[i : i + workload.batch]) for i in starts]
