"""Windows that slide: sums and maxima over them, and the gradient of a maximum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..align import runs_of
from ..choice import choice
from ..field import Field
from ..gradient import noise, plus
from ..interpret import Value, Walk, refuse, rule
from ..law import Law, constant
from ..maximum import maximum
from ..mirror import in_pairs
from ..normal import mixed
from ..quadrature import Numbers
from ..taps import Axis, taps
from .combine import as_field


def _window_axes(equation: Any, x: Field, shape: tuple[int, ...]) -> tuple[Axis, ...]:
    params = equation.params
    ones = (1,) * len(shape)
    rows = zip(
        x.shape,
        params["window_dimensions"],
        shape,
        params["window_strides"],
        [low for low, _ in params["padding"]],
        params.get("base_dilation", ones),
        params.get("window_dilation", ones),
        strict=True,
    )
    axes = list(rows)
    for role, axis in zip(x.roles, axes, strict=True):
        if role != "position" and (axis[1] > 1 or axis[0] != axis[2]):
            raise refuse(equation, f"a window over an axis of {role}s")
    return tuple(axis for role, axis in zip(x.roles, axes, strict=True) if role == "position")


@rule("reduce_window_sum", "cumsum")
def window_sum(walk: Walk, equation: Any, x: Value) -> Sequence[Value]:
    """Sums of dependent entries."""
    x, shape = as_field(equation, x), equation.outvars[0].aval.shape
    if equation.primitive.name == "cumsum":
        raise refuse(equation, "a running sum")
    table = taps(_window_axes(equation, x, shape))
    mixing = np.zeros((len(table), x.sites + 1))
    for tap in table.T:
        mixing[np.arange(len(table)), tap] += 1
    mixing = mixing[:, :-1]
    if x.is_gradient:
        return [x.map(lambda gradient: gradient.mix(mixing), shape=shape)]
    return [Field(shape, x.roles, tuple(in_pairs(x, lambda law: mixed(law, mixing))))]


@rule("reduce_window_max")
def window_max(walk: Walk, equation: Any, x: Value) -> Sequence[Value]:
    """The law of the maximum of dependent entries."""
    x, shape = as_field(equation, x), equation.outvars[0].aval.shape
    if x.is_gradient:
        raise refuse(equation, "a gradient")
    table = taps(_window_axes(equation, x, shape))
    return [x.map(lambda law: maximum(law, table, x.sites), shape=shape)]


@rule("select_and_scatter_add")
def scatter(walk: Walk, equation: Any, source: Value, operand: Value, *start: Value) -> Sequence[Value]:
    """The gradient of a maximum over windows: to the winner of each."""
    g, x = as_field(equation, source), as_field(equation, operand)
    table = taps(_window_axes(equation, x, g.shape))
    runs = runs_of((x, g), sum(width for width, _ in x.blocks))
    blocks = tuple((width, _to_winners(law, gradient, table, x.sites)) for width, (law, gradient) in runs)
    return [Field(x.shape, x.roles, blocks)]


def _to_winners(law: Law, gradient: Any, table: Numbers, sites: int) -> Any:
    if gradient.is_zero:
        return noise(0.0)
    winner = choice(law, table, sites, maximum(law, table, sites), ties=False)
    total: Any = None
    for tap, odds in zip(table.T, winner.odds.T, strict=True):
        back = np.full(sites, -1)
        back[tap[tap >= 0]] = np.flatnonzero(tap >= 0)
        share = gradient.gather(back).times(winner).times(constant(np.sqrt(odds[back])))
        total = share if total is None else plus(total, share)
    return total
