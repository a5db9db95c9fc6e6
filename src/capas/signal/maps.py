"""How fast a layer forgets: the slopes of its maps of variance and of correlation, and where a repeated block ends."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from .flow import Flow, Row
from .signal import Signal

STEP = 1e-4
VANISHED = 1e-9
"""A second moment below which a signal counts as gone."""


class LayerMap(NamedTuple):
    """What a layer does to small differences, between its signal and that of the combination layer before it.

    Attributes:
        path: of the layer.
        gradient_growth: chi, the factor on gradient power from this layer's output back to the one before.
        variance_slope: Q', by how much a relative change of the second moment is passed on; stable up to 1.
        correlation_slope: C', the same of the correlation between two examples.
    """

    path: str
    gradient_growth: float | None
    variance_slope: float | None
    correlation_slope: float | None


def layer_maps(again: Callable[[Signal], Flow], signal: Signal) -> list[LayerMap]:
    """The maps of all combination layers, from three readings: as it is, with more power, with more correlation."""
    more = Signal(signal.mean * (1 + STEP) ** 0.5, signal.second * (1 + STEP), signal.cross * (1 + STEP))
    closer = Signal(signal.mean, signal.second, signal.cross + STEP * (signal.second - signal.mean**2))
    flows = [_combinations(again(s)) for s in (signal, more, closer)]
    found = []
    for i in range(1, len(flows[0])):
        before, here = flows[0][i - 1], flows[0][i]
        chi = before.gradient / here.gradient if before.gradient and here.gradient else None
        slopes = [
            _ratio(measure(flows[k][i]) - measure(here), measure(flows[k][i - 1]) - measure(before))
            for k, measure in ((1, _log_second), (2, _correlation))
        ]
        found.append(LayerMap(here.path, chi, *slopes))
    return found


def _combinations(flow: Flow) -> list[Row]:
    """Outputs of combination layers: products with weights, with what their layer adds to them."""
    found: list[Row] = []
    open_path: str | None = None
    for row in flow.rows:
        if row.operation in {"dot_general", "conv_general_dilated"}:
            found.append(row)
            open_path = row.path
        elif row.operation == "add" and row.path == open_path:
            found[-1] = row
        else:
            open_path = None
    return found


def _log_second(row: Row) -> float:
    return math.log(row.second) if row.second > 0 else -math.inf


def _correlation(row: Row) -> float:
    return row.correlation


def _ratio(change: float, cause: float) -> float | None:
    return change / cause if abs(cause) > 1e-12 and math.isfinite(change) else None


class FixedPoint(NamedTuple):
    """Where a block ends that is repeated for ever.

    Attributes:
        second: q*, the second moment.
        correlation: c*, between two examples.
        variance_slope: Q' there.
        correlation_slope: C' there.
        variance_depth: over how many blocks a difference in q falls to 1/e.
        correlation_depth: over how many blocks a difference in c does.
    """

    second: float
    correlation: float
    variance_slope: float
    correlation_slope: float
    variance_depth: float
    correlation_depth: float


def fixed_point(again: Callable[[Signal], Flow], start: Signal, steps: int = 2000) -> FixedPoint | None:
    """Repeat a block until its signal stays the same; None if it grows or shrinks for ever.

    Each step is Aitken's: three readings, extrapolated.
    """
    q = _settle(lambda q: _through(again, q, 0.5)[0], start.second, steps)
    if q is None or q < VANISHED:
        return None
    c = 1.0 if _merges(again, q) else _settle(lambda c: _through(again, q, c)[1], 0.5, steps)
    if c is None:
        return None
    here = _through(again, q, c)
    q_slope = (_through(again, q * (1 + STEP), c)[0] - here[0]) / (q * STEP)
    low = max(c - STEP, 0.0)
    c_slope = (
        (here[1] - _through(again, q, low)[1]) / (c - low) if c > low else (_through(again, q, STEP)[1] - c) / STEP
    )
    return FixedPoint(q, c, q_slope, c_slope, _depth(q_slope), _depth(c_slope))


def _merges(again: Callable[[Signal], Flow], q: float) -> bool:
    """Whether two examples end alike: they stay so, and are drawn together near there."""
    alike, near = (_through(again, q, c)[1] for c in (1.0, 1.0 - STEP))
    return abs(alike - 1) < 1e-9 and (alike - near) / STEP <= 1 + STEP


def _through(again: Callable[[Signal], Flow], second: float, correlation: float) -> tuple[float, float]:
    last = again(Signal(0.0, second, min(max(correlation, 0.0), 1.0) * second)).rows[-1]
    return last.second, last.correlation


def _settle(step: Callable[[float], float], value: float, steps: int) -> float | None:
    for _ in range(steps):
        once = step(value)
        twice = step(once)
        if not (math.isfinite(twice) and 1e-12 < abs(twice) + 1e-9 < 1e12):
            return None
        bend = twice - 2 * once + value
        ahead = value - (once - value) ** 2 / bend if abs(bend) > 1e-15 else twice
        good = math.isfinite(ahead) and ahead >= 0 and abs(ahead - twice) < 10 * abs(twice - value) + 1e-12
        new = ahead if good else twice
        if abs(new - value) <= 1e-10 * max(abs(value), 1e-3):
            return new
        value = new
    return None


def _depth(slope: float) -> float:
    return math.inf if abs(slope) >= 1 else 0.0 if slope == 0 else -1 / math.log(abs(slope))
