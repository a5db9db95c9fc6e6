"""Are the weights of the maps' peers distributed as those that the peers' own code draws?

Both are drawn for layers of the shapes on the maps and compared in four ways: entries by the two-sample
Kolmogorov-Smirnov test, standard deviations by their standard errors, largest absolute values by how many of one sample
are beyond the other; what is one number (zero biases, singular values) must be that number. All tests together call
equal distributions different with a probability of 1 % at most.

The peers are installed into an environment of their own, in the cache folder, at the first run. The rows are written
into benchmarks/results/peer_weights.json.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import environment
import numpy as np
import peer_environment
from maps.results import FOLDER, commit
from peer_draws import ours
from peer_draws.compare import compare
from peer_draws.samples import NUMBERS, WEIGHTS, Sample, samples
from rich.console import Console
from rich.table import Table

ERROR = 0.01
"""Probability that equal distributions are called different, over all tests: each gets an equal part (Bonferroni)."""

COLUMNS = ("peer", "on the maps", "parameter", "shape", "std theirs", "std ours", "max theirs / ours")
TESTS = {"kolmogorov_smirnov": "p, KS", "std": "p, std", "max": "p, max"}
Row = dict[str, Any]


def rows() -> list[Row]:
    """Draw and compare all samples."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "theirs.npz")
        draw(path)
        with np.load(path) as theirs:
            return judge([row(sample, theirs) for sample in samples()])


def draw(path: Path) -> None:
    """Let the peers write their samples, on one core as far as they can be told."""
    variables = peer_environment.variables(OMP_NUM_THREADS="1")
    subprocess.run([peer_environment.python(), "-m", "peer_draws.theirs", path], env=variables, check=True)


def row(sample: Sample, theirs: Any) -> Row:
    """One comparison, without its verdict."""
    library = sample.code.split(".")[0]
    return {
        "peer": sample.code,
        "version": str(theirs[library]),
        "weights": WEIGHTS[sample.code],
        "parameter": sample.parameter,
        "shape": sample.shape,
        **compare(theirs[str(sample)], ours.numbers(sample)),
        "commit": commit(),
    }


def judge(found: list[Row]) -> list[Row]:
    """The same with verdicts."""
    least = ERROR / sum(len(row["p"]) for row in found)

    def agrees(row: Row) -> bool:
        return row["equal"] is not False and min(row["p"].values(), default=1) >= least

    return [{**row, "agrees": agrees(row)} for row in found]


def cells(row: Row) -> tuple[str, ...]:
    """One line of the table."""
    shape = "->".join(map(str, row["shape"]))
    theirs, ours = row["theirs"], row["ours"]
    stds = (f"{side['std']:.6f} ± {side['std_error']:.6f}" if row["p"] else "" for side in (theirs, ours))
    p = (f"{row['p'][test]:.2g}" if row["p"] else "" for test in TESTS)
    verdict = "agrees" if row["agrees"] else "[red]differs[/red]"
    most = f"{theirs['max']:.6f} / {ours['max']:.6f}"
    return row["peer"], row["weights"], row["parameter"], shape, *stds, most, *p, verdict


def write(found: list[Row]) -> None:
    """Into the folder of results, one line for each row."""
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "peer_weights.json").write_text("[\n" + ",\n".join(map(json.dumps, found)) + "\n]\n")


def main() -> None:
    """Compare, print, write, and fail if a distribution is another."""
    console = Console(highlight=False, width=180)
    console.print(environment.describe())
    found = rows()
    table = Table(*COLUMNS, *TESTS.values(), "verdict", title="weights of peers, theirs and ours", title_justify="left")
    for line in map(cells, found):
        table.add_row(*line)
    console.print(table)
    write(found)
    tests, failed = sum(len(row["p"]) for row in found), sum(not row["agrees"] for row in found)
    console.print(f"{NUMBERS:,} numbers or more a side; {tests} tests, each at p < {ERROR / tests:.1e}")
    if failed:
        raise SystemExit(f"{failed} of {len(found)} differ")


if __name__ == "__main__":
    main()
