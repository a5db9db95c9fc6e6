"""What is predicted of a network: one row per signal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Row(NamedTuple):
    """One signal.

    Attributes:
        path: the layer, and in a loop the step.
        operation: the primitive that gives it.
        shape: of one example.
        mean: E x over units and draws of the weights.
        second: E x², the second moment.
        cross: E of the product of two independent examples in the same unit.
        gradient: mean square of the gradient with respect to one entry; None inside a custom derivative.
        dead: predicted share of units that are zero for every example.
        saturated: predicted share of entries where the derivative by the layer's input is below 1e-3.
    """

    path: str
    operation: str
    shape: tuple[int, ...]
    mean: float
    second: float
    cross: float
    gradient: float | None
    dead: float
    saturated: float

    @property
    def variance(self) -> float:
        """second - mean²."""
        return max(self.second - self.mean**2, 0.0)

    @property
    def correlation(self) -> float:
        """cross / second: the share of the power that says nothing about the input."""
        return self.cross / self.second if self.second else 0.0

    @property
    def asymmetry(self) -> float:
        """mean² / second: the share of the power that is the same for all units (the lecture's positive asymmetry)."""
        return self.mean**2 / self.second if self.second else 0.0


@dataclass(frozen=True)
class Flow:
    """All signals of a network, predicted.

    Attributes:
        rows: one per operation, in order.
        gradients: mean square of the gradient of one example, by path of the parameter.
    """

    rows: tuple[Row, ...]
    gradients: dict[str, float]

    @property
    def layers(self) -> tuple[Row, ...]:
        """The last row of every layer: its output."""
        last = {row.path: row for row in self.rows}
        return tuple(row for row in self.rows if last[row.path] is row)

    def show(self) -> None:
        """Print the layers as a table."""
        from rich.console import Console
        from rich.table import Table

        table = Table("layer", "output", title="signals, predicted", title_justify="left")
        for name in ("mean", "variance", "asymmetry", "correlation", "gradient", "dead", "saturated"):
            table.add_column(name, justify="right")
        for row in self.layers:
            numbers = (row.mean, row.variance, row.asymmetry, row.correlation, row.gradient, row.dead, row.saturated)
            table.add_row(row.path, str(row.shape), *("" if v is None else f"{v:.4g}" for v in numbers))
        Console().print(table)
