"""Predicted rows beside measured ones: which belong together, how far they are apart, and whether that is too far.

A difference counts as none within 2 % or four standard errors (`agree`). What is 0 in theory is measured as something,
and a prediction of 0, or none at all, is then right:

* rounding leaves 1e-9 of the largest gradient among parameters, and of the largest power of a signal of a layer;
* a mean over examples, as batch normalization takes, leaves of a gradient about one part in `batch`, of those that
  arrive at the same layer in arrays of the same shape. What is predicted has no batch and need not know.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from .monte_carlo import ERRORS, MOMENTS, TOLERANCE, Estimate, Measured, agree

ROUNDING = 1e-9
NARROW = 16  # units in an example; a gradient there is a sum over the many that it was computed from


class Difference(NamedTuple):
    """One moment of one signal, predicted and measured.

    Attributes:
        path, operation, moment: which.
        predicted: None where it is not known.
        measured: over draws.
        scale: what percents are of.
        negligible: gradients and powers up to this size count as 0.
        tolerance: the share of the scale that is allowed.
    """

    path: str
    operation: str
    moment: str
    predicted: float | None
    measured: Estimate
    scale: float
    negligible: float = 0.0
    tolerance: float = TOLERANCE

    @property
    def is_negligible(self) -> bool:
        largest = max(abs(self.predicted or 0.0), abs(self.measured.value))
        return self.moment != "mean" and largest <= self.negligible

    @property
    def agrees(self) -> bool:
        return self.is_negligible or agree(*self.measured, self.predicted, self.scale, self.tolerance)

    @property
    def percent(self) -> float:
        """Distance in percent of the scale; infinite where nothing is predicted."""
        return 100 * self._over(self.scale)

    @property
    def errors(self) -> float:
        """Distance in standard errors."""
        return self._over(self.measured.error)

    @property
    def severity(self) -> float:
        """Distance as a multiple of what is allowed; above 1 it is too far."""
        if self.is_negligible or not math.isfinite(self.measured.value):
            return 0.0 if self.agrees else math.inf
        return self._over(max(self.tolerance * self.scale, ERRORS * self.measured.error))

    def _over(self, unit: float) -> float:
        if self.predicted is None or not math.isfinite(self.predicted):
            return math.inf
        distance = abs(self.predicted - self.measured.value)
        return distance / unit if unit else math.inf if distance else 0.0

    def __str__(self) -> str:
        where = f"{self.path or '(no name)'} {self.operation} {self.moment}"
        value, error = self.measured
        return f"{where}: predicted {self.predicted}, measured {value:.6g} ± {error:.2g}"


def pairs(predicted: Sequence[Any], measured: Sequence[Measured]) -> list[tuple[Any, Measured]]:
    """The rows of the same path and operation, the first with the first, the second with the second, and so on.

    Raises `AssertionError` that names the rows which stay alone, and those whose examples have another shape.
    """
    left, right = _numbered(predicted), _numbered(measured)
    for alone, where in ((left.keys() - right.keys(), "not measured"), (right.keys() - left.keys(), "not predicted")):
        names = [f"{path or '(no name)'} {operation} #{count}" for path, operation, count in sorted(alone)]
        assert not names, f"{where}: {', '.join(names)}"
    found = [(left[key], row) for key, row in right.items()]
    for mine, row in found:
        assert tuple(mine.shape) == tuple(row.shape[1:]), f"{row.path} {row.operation}: {mine.shape}, {row.shape}"
    return found


def _numbered(rows: Sequence[Any]) -> dict[tuple[str, str, int], Any]:
    seen: Counter[tuple[str, str]] = Counter()
    found = {}
    for row in rows:
        seen[row.path, row.operation] += 1
        found[row.path, row.operation, seen[row.path, row.operation]] = row
    return found


def differences(
    flow: Any, measured: Sequence[Measured], narrow: bool = True, tolerance: float = TOLERANCE
) -> list[Difference]:
    """All moments of all signals, and the gradients of all parameters.

    Args:
        flow: with `rows` (path, operation, shape, mean, second, cross, gradient) and `gradients` (by parameter).
        measured: what `measure` gives.
        narrow: whether gradients at signals of a few units are compared.
        tolerance: the share of the scale that is allowed.
    """
    signals = [row for row in measured if row.operation != "parameter"]
    parameters = [row for row in measured if row.operation == "parameter"]
    found = [*_of_signals(pairs(flow.rows, signals), narrow), *_of_parameters(flow.gradients, parameters)]
    return [difference._replace(tolerance=tolerance) for difference in found]


def _of_signals(rows: list[tuple[Any, Measured]], narrow: bool) -> Iterator[Difference]:
    largest: dict[Any, float] = {}
    for _, row in rows:
        for key, value in (((row.path, row.shape), row.gradient.value), (row.path, row.second.value)):
            largest[key] = max(largest.get(key, 0.0), value)
    for mine, row in rows:
        scales = {"mean": math.sqrt(row.second.value), "gradient": row.gradient.value}
        for moment in MOMENTS if narrow or math.prod(row.shape[1:]) > NARROW else MOMENTS[:3]:
            scale = scales.get(moment, row.second.value)
            negligible = (
                largest[row.path, row.shape] / row.shape[0] if moment == "gradient" else ROUNDING * largest[row.path]
            )
            values = getattr(mine, moment), getattr(row, moment)
            yield Difference(row.path, row.operation, moment, *values, scale, negligible)


def _of_parameters(predicted: dict[str, float], rows: list[Measured]) -> Iterator[Difference]:
    alone = predicted.keys() ^ {row.path for row in rows}
    assert not alone, f"parameters on one side only: {', '.join(sorted(alone))}"
    negligible = ROUNDING * max((row.gradient.value for row in rows), default=0.0)
    for row in rows:
        value = row.gradient.value
        yield Difference(row.path, row.operation, "gradient", predicted[row.path], row.gradient, value, negligible)
