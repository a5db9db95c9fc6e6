"""What is predicted of a network: one row per signal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from .field import Field
from .share import dead_share, saturated_share

if TYPE_CHECKING:
    from .maps import LayerMap


@dataclass(frozen=True)
class Row:
    """One signal.

    Attributes:
        path: the layer, and in a loop the step.
        operation: the primitive that gives it.
        shape: of one example.
        mean: E x over units and draws of the weights.
        second: E x², the second moment.
        cross: E of the product of two independent examples in the same unit.
        gradient: mean square of the gradient with respect to one entry; None if gradients were not asked for.
        field: its law, of which more can be asked.
    """

    path: str
    operation: str
    shape: tuple[int, ...]
    mean: float
    second: float
    cross: float
    gradient: float | None
    field: Field = field(repr=False, compare=False)

    @cached_property
    def dead(self) -> float:
        """Predicted share of units that are zero for every one of 1000 examples."""
        return dead_share(self.field)

    @cached_property
    def saturated(self) -> float:
        """Predicted share of entries where the derivative by the normal signal before them is below 1e-3."""
        return saturated_share(self.field)

    @property
    def log_std(self) -> float | None:
        """Standard deviation of the log of the power between networks of this width; known of products with weights."""
        law = self.field.blocks[0][1]
        if not law.terms or not law.is_normal:
            return None
        power = float(law.second.mean())
        shares = [(float((factor**2).mean()) / power, atom.latent.log_variance) for atom, factor in law.terms.items()]
        return sum(share**2 * variance for share, variance in shares) ** 0.5

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
        signal: what was known of the input.
        again: the same reading for another input.
    """

    rows: tuple[Row, ...]
    gradients: dict[str, float]
    signal: Any = None
    again: Callable[[Any], Flow] | None = field(default=None, repr=False)

    @property
    def layers(self) -> tuple[Row, ...]:
        """The last row of every layer: its output."""
        return tuple({row.path: row for row in self.rows}.values())

    def maps(self) -> list[LayerMap]:
        """chi, Q' and C' of every combination layer; see `LayerMap`.

        Example:
            >>> import jax
            >>> import capas
            >>> from capas.signal import Entries
            >>> network = lambda params, x: jax.nn.relu(x @ params["a"]) @ params["b"]
            >>> params = {"a": Entries((64, 64), std=1 / 8), "b": Entries((64, 64), std=(2 / 64) ** 0.5)}
            >>> (layer,) = capas.propagate(network, params, jax.ShapeDtypeStruct((64,), "float32")).maps()
            >>> print(f"{layer.gradient_growth:.3f} {layer.variance_slope:.3f} {layer.correlation_slope:.3f}")
            1.000 1.000 0.500
        """
        from .maps import layer_maps

        assert self.again is not None
        return layer_maps(self.again, self.signal)

    def show(self) -> None:
        """Print the layers as a table; of a loop, its first and last steps."""
        from rich.console import Console
        from rich.table import Table

        table = Table("layer", "output", title="signals, predicted", title_justify="left")
        for name in ("mean", "variance", "asymmetry", "correlation", "gradient", "dead", "saturated"):
            table.add_column(name, justify="right")
        for row in _shown(self.layers):
            if row is None:
                table.add_row("...")
                continue
            numbers = (row.mean, row.variance, row.asymmetry, row.correlation, row.gradient, row.dead, row.saturated)
            table.add_row(row.path, str(row.shape), *("" if v is None else f"{v:.3g}" for v in numbers))
        Console().print(table)


ENDS = 3
"""Steps of a loop that are shown at either end."""


def _shown(rows: tuple[Row, ...]) -> list[Row | None]:
    """All rows but those in the middle of loops, for which one None stands."""
    steps: dict[tuple[str, ...], int] = {}
    for row in rows:
        for place, part in enumerate(path := row.path.split("/")):
            if part.isdigit():
                key = tuple(path[:place])
                steps[key] = max(steps.get(key, 0), int(part))
    found: list[Row | None] = []
    for row in rows:
        path = row.path.split("/")
        inner = [int(p) for i, p in enumerate(path) if p.isdigit() and steps[tuple(path[:i])] > 4 * ENDS]
        ends = [steps[tuple(path[:i])] for i, p in enumerate(path) if p.isdigit() and steps[tuple(path[:i])] > 4 * ENDS]
        if all(n < ENDS or n > end - ENDS for n, end in zip(inner, ends, strict=True)):
            found.append(row)
        elif found and found[-1] is not None:
            found.append(None)
    return found
