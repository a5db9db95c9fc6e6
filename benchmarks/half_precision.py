"""Does a network learn as much in bfloat16 as in float32?

Ten epochs of Fashion-MNIST with the defaults of `fit`: the networks of workloads 2, 3 and 9 of `training.py`, at their
batches, three seeds. Writes the table of docs/performance.md.

    half_precision.py
    half_precision.py --only 3
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import environment
import numpy as np
from maps.grid import Grid, write
from maps.results import commit
from rich.console import Console
from speed.command import numbers
from speed.with_capas import build
from speed.workloads import BY_NUMBER

import capas
from capas import datasets

WORKLOADS = (2, 3, 9)
PRECISIONS = ("float32", "bfloat16")
SEEDS, EPOCHS = (0, 1, 2), 10


def accuracies(number: int, precision: str) -> Iterator[float]:
    """Of the test images, seed by seed."""
    workload, images = BY_NUMBER[number], datasets.fashion_mnist()
    train, test = ((x.reshape(len(x), *workload.shape), y) for x, y in (images.train, images.test))
    for seed in SEEDS:
        model = capas.init(build(workload.chain), workload.shape, seed=seed)
        model, _ = capas.fit(
            model, train, epochs=EPOCHS, batch_size=workload.batch, precision=precision, seed=seed, progress=False
        )
        yield capas.evaluate(model, test)["accuracy"]


def line(number: int) -> tuple[str, ...]:
    """Means, the difference, and its standard error."""
    single, half = (np.array([*accuracies(number, precision)]) for precision in PRECISIONS)
    apart = half - single
    error = apart.std(ddof=1) / len(apart) ** 0.5
    title = f"{number} {BY_NUMBER[number].title}"
    return title, f"{single.mean():.4f}", f"{half.mean():.4f}", f"{apart.mean():+.4f} ± {error:.4f}"


def main() -> None:
    """Run and report."""
    parser = argparse.ArgumentParser("half_precision.py", description=__doc__.splitlines()[0])
    parser.add_argument("--only", type=numbers, default=WORKLOADS, help="workloads, by number")
    asked, console = parser.parse_args(), Console(highlight=False, soft_wrap=True)
    console.print(environment.describe())
    rows = []
    for number in asked.only:
        rows.append(line(number))
        console.print(*rows[-1], sep="; ")
    grid = Grid("accuracy after ten epochs of Fashion-MNIST", ("workload", *PRECISIONS, "difference"), tuple(rows))
    console.print(grid.rich())
    if asked.only == WORKLOADS:
        write("half_precision", [grid], [f"commit {commit()}; {len(SEEDS)} seeds"])


if __name__ == "__main__":
    main()
