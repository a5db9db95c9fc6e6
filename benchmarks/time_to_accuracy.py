"""How long until a network tells Fashion-MNIST's test images as well as asked, with the defaults of each library?

0.88 for three dense layers of 512, 0.90 for two convolutions and a dense layer: those of workloads 2 and 5 of
`training.py`. Weights, rate and size of the batch are each library's defaults; where it has none, Adam's rate is 0.001
and batches are of 128. Seconds run from the start of the process to the end of the first epoch after which it is so
good, less what the looking took; capas ends after the 5 epochs that are the default of `fit`, the others after 10.

    time_to_accuracy.py --only 2 --contestants capas,torch,keras --rounds 1

Means of the seeds, one a round; written into benchmarks/results/time_to_accuracy.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import environment
import numpy as np
from maps.grid import Grid
from maps.grid import write as write_table
from maps.results import FOLDER, commit
from rich.console import Console
from speed import material
from speed.command import arguments, chosen, page
from speed.contestants import Contestant
from speed.process import Process, RefusedError
from speed.report import WIDTH
from speed.workloads import BY_NUMBER, Workload

from capas import datasets

TARGETS = {2: 0.88, 5: 0.90}
BATCHES = {"keras": 32}
"""Of those that have a default; capas and scikit-learn apply their own."""

Row = dict[str, Any]


def write(workload: Workload, path: Path) -> None:
    """Test images, then training images, and no weights."""
    images = datasets.fashion_mnist()
    parts = (images.test, images.train)
    x, y = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
    material.write(path, x.reshape(len(x), *workload.shape), y.astype(np.int32), {}, held=len(images.test[0]))


def learn(workload: Workload, contestant: Contestant, file: Path, seed: int) -> Row:
    """One training in a process of its own."""
    row: Row = {"workload": workload.number, "name": contestant.name, "seed": seed, "target": TARGETS[workload.number]}
    with TemporaryDirectory() as folder:
        process = Process(contestant.module, Path(folder))
        try:
            own = {"options": dict(contestant.options), "batch": BATCHES.get(contestant.name)}
            row |= process.ask("load", workload=workload.number, file=str(file), seed=seed, **own)
            found = process.ask("learn", target=row["target"])
            row |= {"seconds": perf_counter() - process.started - found["seconds"], "accuracies": found["value"]}
        except RefusedError as refusal:
            row["refused"] = str(refusal)
        finally:
            process.end()
    return row


def tables(rows: list[Row]) -> Iterator[Grid]:
    """One for each network, the fastest first."""
    for number in dict.fromkeys(row["workload"] for row in rows):
        mine = [row for row in rows if row["workload"] == number]
        by_name = {name: [r for r in mine if r["name"] == name] for name in dict.fromkeys(r["name"] for r in mine)}
        lines = sorted((_line(name, found) for name, found in by_name.items()), key=lambda line: line[0])
        columns = ("", "seconds", "epochs", "reached", "best accuracy")
        yield Grid(f"{BY_NUMBER[number].title}: to {TARGETS[number]:.2f}", columns, tuple(line[1] for line in lines))


def _line(name: str, rows: list[Row]) -> tuple[float, tuple[str, ...]]:
    if refused := [row["refused"] for row in rows if "refused" in row]:
        return float("inf"), (name, refused[0], "", "", "")
    there = [row for row in rows if row["accuracies"][-1] >= row["target"]]
    seconds = statistics.mean(row["seconds"] for row in there) if there else float("inf")
    epochs = "/".join(str(len(row["accuracies"])) for row in rows)
    best = statistics.mean(max(row["accuracies"]) for row in rows)
    return seconds, (name, f"{seconds:.1f}", epochs, f"{len(there)} of {len(rows)}", f"{best:.4f}")


def run(asked: argparse.Namespace) -> Iterator[Row]:
    """What is asked for, one after another."""
    for workload in map(BY_NUMBER.__getitem__, asked.only):
        with TemporaryDirectory() as folder:
            write(workload, file := Path(folder, "images.npz"))
            contestants = chosen(workload, asked.contestants, lambda c: c.trains and c.predicts)
            for contestant, seed in product(contestants, range(asked.rounds)):
                yield {**learn(workload, contestant, file, seed), "commit": commit()}


def main() -> None:
    """Run and report."""
    asked = arguments("time_to_accuracy.py", __doc__, tuple(TARGETS), rounds=3)
    console, path = Console(highlight=False, soft_wrap=True, width=WIDTH), FOLDER / "time_to_accuracy.json"
    console.print(environment.describe())
    rows: list[Row] = json.loads(path.read_text()) if path.exists() else []
    for row in [] if asked.report else run(asked):
        rows = [r for r in rows if any(r[key] != row[key] for key in ("workload", "name", "seed"))] + [row]
        path.write_text(json.dumps(rows, indent=1) + "\n")
        console.print(row["name"], row["seed"], row.get("refused") or f"{row['seconds']:.1f} s {row['accuracies']}")
    grids = [*tables(rows)]
    console.print(*(grid.rich() for grid in grids))
    if page("time_to_accuracy", asked, tuple(TARGETS)):
        write_table("time_to_accuracy", grids, [f"commits {', '.join(sorted({row['commit'] for row in rows}))}"])


if __name__ == "__main__":
    main()
