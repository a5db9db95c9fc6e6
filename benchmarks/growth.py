"""How does the time of a training step grow with the depth and the width of a network? Linearly and quadratically.

Batches of 128, Adam, several steps in one call as `fit` runs them. Depth: hidden layers of width 64, as a `Repeat`.
Width: three hidden layers. Draws docs/_static/growth.svg and prints the times with the slopes between the largest two.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import altair as alt
import environment
import numpy as np
import optax
import pandas as pd
from maps.grid import Grid, write
from maps.results import commit
from rich.console import Console
from speed.with_capas import runner

import capas
from capas import nn
from capas.train.step import begin

BATCH, INPUTS, CLASSES = 128, 784, 10
DEPTHS = (1, 3, 10, 30, 100, 300, 1000, 3000)
WIDTHS = (16, 32, 64, 128, 256, 512, 1024, 2048)
REPEATS = 5
PICTURE = Path(__file__).parent.parent / "docs/_static/growth.svg"


def network(depth: int, width: int) -> nn.Layer:
    """So many hidden layers of a width."""
    hidden = nn.Repeat(nn.Sequential(nn.Dense(width), "relu"), depth)
    return nn.Sequential(nn.Dense(width), "relu", hidden, nn.Dense(CLASSES))


def seconds(net: nn.Layer) -> float:
    """Of a step: the fastest of some calls of at least a fifth of a second each."""
    model, optimizer = capas.init(net, (INPUTS,), scheme=capas.weights.He()), optax.adam(1e-3)
    data = np.ones((BATCH, INPUTS), np.float32), np.arange(BATCH) % CLASSES
    training = runner(model, data, optimizer, BATCH)
    now, rows = begin(model.params, {}, optimizer), np.resize(np.arange(BATCH, dtype=np.int32), (64, BATCH))

    def call(count: int) -> float:
        start = time.perf_counter()
        training.run(now, rows, count)
        return (time.perf_counter() - start) / count

    call(1)
    count = min(64, max(1, round(0.2 / call(2))))
    return min(call(count) for _ in range(REPEATS))


def measure(name: str, sizes: Iterable[int], nets: Iterable[nn.Layer]) -> pd.DataFrame:
    """Milliseconds by size."""
    return pd.DataFrame([{name: size, "ms": 1e3 * seconds(net)} for size, net in zip(sizes, nets, strict=True)])


def slope(rows: pd.DataFrame) -> float:
    """Of the logarithms, between the largest two sizes."""
    (a, before), (b, after) = rows.to_numpy()[-2:]
    return math.log(after / before) / math.log(b / a)


def panel(rows: pd.DataFrame, power: int, title: str) -> Any:
    """The times, and a line through the last of them that grows as it should."""
    name = rows.columns[0]
    last = rows.iloc[-1]
    line = pd.DataFrame({name: rows[name], "ms": last.ms * (rows[name] / last[name]) ** power})
    line = line[line.ms >= rows.ms.min()]
    x = alt.X(name, scale=alt.Scale(type="log", nice=False), axis=alt.Axis(values=list(rows[name]), grid=False))
    y = alt.Y("ms", scale=alt.Scale(type="log"), title="ms a step")
    measured = alt.Chart(rows, title=title, width=300, height=220).mark_line(point=True).encode(x=x, y=y)
    return alt.Chart(line).mark_line(strokeDash=[4, 4], color="gray").encode(x=x, y=y) + measured


def table(rows: pd.DataFrame, title: str) -> Grid:
    """One line of times."""
    return Grid(title, ("", *map(str, rows.iloc[:, 0])), (("ms a step", *(f"{ms:.3g}" for ms in rows.ms)),))


def main() -> None:
    """Measure, print and draw."""
    console = Console(highlight=False, soft_wrap=True, width=160)
    console.print(environment.describe())
    deep = measure("hidden layers", DEPTHS, (network(depth, 64) for depth in DEPTHS))
    wide = measure("width", WIDTHS, (network(2, width) for width in WIDTHS))
    grids = (
        table(deep, f"hidden layers of width 64; slope at the end {slope(deep):.2f}"),
        table(wide, f"width of three hidden layers; slope at the end {slope(wide):.2f}"),
    )
    console.print(*(grid.rich() for grid in grids))
    write("growth", grids, [f"commit {commit()}, {environment.processor()}"])
    (panel(deep, 1, "depth, width 64; dashed: linear") | panel(wide, 2, "width, depth 3; dashed: quadratic")).save(
        PICTURE
    )


if __name__ == "__main__":
    main()
