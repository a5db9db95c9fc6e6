"""Means and standard errors over seeds, the default against the best of the others, and whether that is as claimed."""

from __future__ import annotations

from collections.abc import Iterator
from math import nan
from statistics import fmean, stdev
from typing import NamedTuple

from maps import results
from maps.cells import CAPAS, Cell
from maps.grid import Grid, write
from rich.console import Console

from .data import DATA_SETS
from .measure import ACTIVATIONS, DEPTHS, OTHERS, SEEDS

WIDTH = 160
"""Of the table with all standard errors."""
COLUMNS = ("data set", "activation", "seeds", "default", *OTHERS, "difference", "from", "verdict")
COLOURS = {"holds": "green", "holds so far": "yellow", "missed": "red"}
ROWS = len(DATA_SETS) * len(ACTIVATIONS)


class Estimate(NamedTuple):
    """A mean over seeds and its standard error, which is NaN for a single seed."""

    mean: float
    error: float
    seeds: int

    def __str__(self) -> str:
        return f"{self.mean:.4f}" + (f" ± {self.error:.4f}" if self.seeds > 1 else "")


class Comparison(NamedTuple):
    """One network on one data set.

    Attributes:
        data_set: its name.
        activation: of the network.
        scores: of all four weights, over the seeds that all of them have.
        best: of the three others, the one with the highest mean. It is chosen on what is reported: for the others.
        difference: default less best, seed by seed.
    """

    data_set: str
    activation: str
    scores: dict[str, Estimate]
    best: str
    difference: Estimate

    @property
    def verdict(self) -> str:
        """Where the default is, by more than one standard error."""
        mean, error, seeds = self.difference
        if seeds == 1:
            return "one seed"
        return "ahead" if mean > error else "behind" if mean < -error else "level"

    @property
    def row(self) -> tuple[str, ...]:
        """As text."""
        scores = (str(self.scores[weights]) for weights in (CAPAS, *OTHERS))
        difference = f"{self.difference.mean:+.4f}" + str(self.difference).removeprefix(f"{self.difference.mean:.4f}")
        seeds = str(self.difference.seeds)
        score = f"{self.data_set} ({DATA_SETS[self.data_set].score})"
        return score, self.activation, seeds, *scores, difference, self.best, self.verdict


def estimate(values: list[float]) -> Estimate:
    """The mean, and the standard deviation over the root of the number."""
    n = len(values)
    return Estimate(fmean(values), stdev(values) / n**0.5 if n > 1 else nan, n)


def compare(records: dict[Cell, results.Record], depth: int) -> Iterator[Comparison]:
    """All networks of a depth for which some seed has all four weights."""
    for name in DATA_SETS:
        for activation in ACTIVATIONS:
            by_weights = {weights: _by_seed(records, name, activation, depth, weights) for weights in (CAPAS, *OTHERS)}
            seeds = sorted(set.intersection(*map(set, by_weights.values())))
            if not seeds:
                continue
            scores = {weights: estimate([found[seed] for seed in seeds]) for weights, found in by_weights.items()}
            best = max(OTHERS, key=lambda weights: scores[weights].mean)
            pairs = [by_weights[CAPAS][seed] - by_weights[best][seed] for seed in seeds]
            yield Comparison(name, activation, scores, best, estimate(pairs))


def _by_seed(
    records: dict[Cell, results.Record], name: str, activation: str, depth: int, weights: str
) -> dict[int, float]:
    key = (name, activation, depth, weights)
    return {c.seed: r["score"] for c, r in records.items() if (c.variant, c.activation, c.depth, c.weights) == key}


def report(records: dict[Cell, results.Record], page: str) -> None:
    """Print a table for each depth and what became of what is claimed of it.

    Args:
        records: what was measured.
        page: of the docs, into which the tables are written too; none if empty.
    """
    console = Console(highlight=False, soft_wrap=True)
    console.width = max(console.width, WIDTH)
    grids, notes = [], [*results.provenance(records)]
    for depth in DEPTHS:
        found = list(compare(records, depth))
        title = f"{depth} layers: score on what is held out ± standard error; difference: default - best of three"
        grids.append(Grid(title, COLUMNS, tuple(comparison.row for comparison in found)))
        console.print(grids[-1].rich())
        word, text = judge(depth, found)
        console.print(f"- {word}: {text}", style=COLOURS.get(word), markup=False)
    print(*notes, sep="\n")
    if page:
        print(f"written: {write(page, grids, notes)}")


def judge(depth: int, found: list[Comparison]) -> tuple[str, str]:
    """A word for the claim on a depth, and the claim with the rows that miss it; rows of a single seed do not count."""
    found = [c for c in found if c.difference.seeds > 1]
    deep = depth == max(DEPTHS)
    claim = "ahead of the best of three" if deep else "never behind the best of three"
    misses = [c for c in found if c.verdict == "behind" or (deep and c.verdict == "level")]
    above = sum(c.difference.mean > 0 for c in found)
    text = f"depth {depth}, {claim} by more than one standard error ({len(found)} of {ROWS} rows, {above} above zero)"
    whole = sum(c.difference.seeds >= len(SEEDS) for c in found) == ROWS
    word = "not measured" if not found else "missed" if misses else "holds" if whole else "holds so far"
    return word, "".join((text, *(f"\n  - {c.data_set} {c.activation} {c.verdict}" for c in misses)))
