"""Means over seeds, and the best of four rates, out of the records of a map."""

from __future__ import annotations

from collections import defaultdict
from statistics import fmean
from typing import NamedTuple

from .cells import CAPAS, LINEAR, LINEAR_MODEL, Cell
from .results import Record


class Place(NamedTuple):
    """Where in a map."""

    variant: str
    activation: str
    depth: int

    def __str__(self) -> str:
        return " ".join(("" if self.variant == "plain" else self.variant, self.activation, f"L={self.depth}")).strip()


class Summary(NamedTuple):
    """The runs of one place with the same weights and the same rate, None for the default."""

    rate: float | None
    records: tuple[Record, ...]

    @property
    def accuracy(self) -> float:
        """The mean over seeds."""
        return fmean(record["accuracy"] for record in self.records)

    @property
    def lowest(self) -> float:
        """The accuracy of the worst seed."""
        return min(record["accuracy"] for record in self.records)

    def average(self, name: str) -> float:
        """The mean of another number over seeds."""
        return fmean(record[name] for record in self.records)


Summaries = dict[Place, Summary]
LINEAR_PLACE = Place(LINEAR_MODEL, LINEAR, 0)


def summarize(records: dict[Cell, Record], weights: str = CAPAS, rate: float | None = None) -> Summaries:
    """The places of the map that were run with these weights at this rate."""
    groups: dict[Place, list[Record]] = defaultdict(list)
    for cell, record in records.items():
        if (cell.weights, cell.rate) == (weights, rate):
            groups[Place(cell.variant, cell.activation, cell.depth)].append(record)
    return {place: Summary(rate, tuple(found)) for place, found in groups.items()}


def best_of_rates(records: dict[Cell, Record], weights: str = CAPAS) -> Summaries:
    """At every place, the rate with the highest mean accuracy. It is chosen on what is reported: for the others."""
    best: Summaries = {}
    for rate in sorted({cell.rate for cell in records if cell.rate is not None}):
        for place, summary in summarize(records, weights, rate).items():
            if place not in best or summary.accuracy > best[place].accuracy:
                best[place] = summary
    return best
