"""How much memory does training take as a network gets deeper, and what does `remat` save?

Plain networks of width 512, batches of 1024, Adam: some steps, each depth in its own process. "signals" is what the
compiled steps keep beside parameters, their gradients, the optimizer and the data, as XLA has laid it out; "peak" is
the largest resident size of the process. Draws docs/_static/memory.svg and writes the table of docs/performance.md.

    memory.py                 everything
    memory.py --one 100 1     a depth, with remat, in this process
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import altair as alt
import environment
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pandas as pd
from maps.grid import Grid, write
from maps.results import commit
from rich.console import Console
from speed.serve import peak
from speed.with_capas import runner

import capas
from capas import nn
from capas.train.step import begin

WIDTH, BATCH, INPUTS, CLASSES = 512, 1024, 784, 10
DEPTHS = (10, 30, 100, 300, 1000)
PICTURE = Path(__file__).parent.parent / "docs/_static/memory.svg"
Row = dict[str, Any]


def network(depth: int, remat: bool) -> nn.Layer:
    """So many hidden square layers."""
    hidden = nn.Repeat(nn.Sequential("relu", nn.Dense(WIDTH)), depth, remat=remat)
    return nn.Sequential(nn.Dense(WIDTH), hidden, "relu", nn.Dense(CLASSES))


def one(depth: int, remat: bool) -> Row:
    """A few steps in this process, from parameters that are zero: their values are of no account here."""
    net, optimizer = network(depth, remat), optax.adam(1e-3)
    declared, treedef = jax.tree.flatten(net.parameters((INPUTS,)))
    params = treedef.unflatten([jnp.zeros((*p.copies, *p.shape)) for p in declared])
    data = np.zeros((BATCH, INPUTS), np.float32), np.arange(BATCH) % CLASSES
    training = runner(capas.Model(net, (INPUTS,), params, {}), data, optimizer, BATCH)
    now, rows = begin(params, {}, optimizer), np.resize(np.arange(BATCH, dtype=np.int32), (2, BATCH))
    compiled = training._many.lower(now, training._data, rows, 2).compile()
    gradients = 4 * sum(math.prod((*p.copies, *p.shape)) for p in declared)
    training.run(now, rows, 1)
    start = time.perf_counter()
    training.run(now, rows, 2)
    seconds = (time.perf_counter() - start) / 2
    return {
        "depth": depth,
        "remat": remat,
        "parameters": gradients / 1e9,
        "signals": (compiled.memory_analysis().temp_size_in_bytes - gradients) / 1e9,
        "peak": peak() / 1e9,
        "seconds": seconds,
    }


def measure() -> Iterator[Row]:
    """All depths, with and without."""
    for depth in DEPTHS:
        for remat in (False, True):
            answer = subprocess.run(
                [sys.executable, __file__, "--one", str(depth), str(int(remat))], capture_output=True, check=True
            )
            yield json.loads(answer.stdout)


def table(rows: list[Row]) -> Grid:
    """Gigabytes by depth."""
    names = ("signals", "peak", "seconds")
    columns = ("hidden layers", "parameters", *(f"{n}, {'remat' if r else 'all kept'}" for n in names for r in (0, 1)))
    lines = []
    for depth in dict.fromkeys(row["depth"] for row in rows):
        kept, anew = sorted((row for row in rows if row["depth"] == depth), key=lambda row: row["remat"])
        figures = (f"{row[name]:.3g}" for name in names for row in (kept, anew))
        lines.append((str(depth), f"{kept['parameters']:.2g}", *figures))
    return Grid(f"memory in GB, and seconds a step: width {WIDTH}, batch {BATCH}", columns, tuple(lines))


def draw(rows: list[Row]) -> None:
    """Memory of signals against depth."""
    frame = pd.DataFrame(rows)
    frame["way back"] = frame.remat.map({True: "signals anew (remat)", False: "signals kept"})
    log = alt.Scale(type="log", nice=False)
    chart = (
        alt.Chart(frame, title=f"memory of signals, width {WIDTH}, batch {BATCH}", width=380, height=240)
        .mark_line(point=True)
        .encode(
            x=alt.X("depth", scale=log, title="hidden layers", axis=alt.Axis(values=list(DEPTHS), grid=False)),
            y=alt.Y("signals", scale=alt.Scale(type="log"), title="GB"),
            color=alt.Color("way back:N", title=None),
        )
    )
    PICTURE.parent.mkdir(exist_ok=True)
    chart.save(PICTURE)


def main() -> None:
    """Measure all, draw and write; or one, as JSON."""
    if sys.argv[1:2] == ["--one"]:
        depth, remat = map(int, sys.argv[2:])
        print(json.dumps(one(depth, bool(remat))))
        return
    console = Console(highlight=False, soft_wrap=True, width=160)
    console.print(environment.describe())
    rows = [*measure()]
    draw(rows)
    console.print(table(rows).rich())
    write("memory", [table(rows)], [f"commit {commit()}, {environment.processor()}, JAX {jax.__version__}"])


if __name__ == "__main__":
    main()
