"""How far is what `capas.propagate` predicts from what is measured? Every signal of every architecture of the tests.

For each architecture, the signal and the moment that are farthest off, in percent and in standard errors of the mean
over the draws of the weights. At most 2 % or 4 standard errors pass.

Give names to run some of them: `prediction_accuracy.py relu "batch norm"`.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import environment
import jax
import jax.numpy as jnp
from rich.console import Console
from rich.table import Table

import capas

sys.path.insert(0, str(Path(__file__).parent.parent))
from tests.architectures import ARCHITECTURES, Architecture, Program, build, law
from tests.comparison import Difference, differences
from tests.monte_carlo import measure

COLUMNS = ("signals", "%", "std. errors", "pass", "predict, s", "measure, s")


def compare(row: Architecture | Program) -> tuple[list[Difference], float, float]:
    """All differences, and the seconds that the prediction and the measurement took."""
    function, draw = build(row)
    signal = capas.Signal(mean=row.mean, second=row.mean**2 + 1, cross=row.mean**2)
    params, start = law(row), time.perf_counter()
    flow = capas.propagate(function, params, jax.ShapeDtypeStruct(row.shape, jnp.float32), signal=signal)
    middle = time.perf_counter()
    measured = measure(function, draw, row.shape, row.draws, row.batch, row.mean)
    return differences(flow, measured, row.narrow, row.tolerance), middle - start, time.perf_counter() - middle


def cells(name: str) -> tuple[str, ...]:
    """One line of the table; an architecture that cannot be predicted or compared says why, and the others go on."""
    try:
        found, predicting, measuring = compare(ARCHITECTURES[name])
    except Exception as error:
        return name, f"{type(error).__name__}: {error}".splitlines()[0][:80], "", "", "", "no", "", ""
    worst = max(found, key=lambda d: d.severity)
    where = f"{worst.path} {worst.operation}: {worst.moment}".strip()
    signals = sum(d.moment == "mean" for d in found)
    passed = "yes" if all(d.agrees for d in found) else "no"
    numbers = f"{worst.percent:.2g}", f"{worst.errors:.2g}", passed, f"{predicting:.2f}", f"{measuring:.1f}"
    return name, where, str(signals), *numbers


if __name__ == "__main__":
    console = Console(width=130)
    console.print(environment.describe())
    table = Table("architecture", "farthest off", title="predicted against measured", title_justify="left")
    for column in COLUMNS:
        table.add_column(column, justify="right")
    lines = [cells(name) for name in sys.argv[1:] or ARCHITECTURES]
    for line in lines:
        table.add_row(*line)
    console.print(table)
    console.print(f"{sum(line[5] == 'yes' for line in lines)} of {len(lines)} architectures pass")
