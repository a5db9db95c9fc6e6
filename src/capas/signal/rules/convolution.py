"""Convolutions: sums over the taps of a window with random weights, and the gradients of kernels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from ..align import expanded
from ..field import Content, Field, Role
from ..finite import note_width
from ..interpret import Value, Walk, refuse, rule
from ..linear import of_weights, outer_power, through_weights
from ..mirror import read_by, written_by
from ..normal import fresh
from ..quadrature import Numbers
from ..taps import Axis, over_taps, taps
from .combine import as_field, heard, shares_of


def _axes(equation: Any) -> tuple[Axis, ...]:
    params = equation.params
    numbers = params["dimension_numbers"]
    (left, right), out = (v.aval.shape for v in equation.invars), equation.outvars[0].aval.shape
    specs = [spec[2:] for spec in (numbers.lhs_spec, numbers.rhs_spec, numbers.out_spec)]
    if any(list(spec) != sorted(spec) for spec in specs):
        raise refuse(equation, "a convolution with its axes in another order")
    return tuple(
        (left[i], right[j], out[k], *rest)
        for i, j, k, *rest in zip(
            *specs,
            params["window_strides"],
            [low for low, _ in params["padding"]],
            params["lhs_dilation"],
            params["rhs_dilation"],
            strict=True,
        )
    )


@rule("conv_general_dilated")
def convolution(walk: Walk, equation: Any, left: Value, right: Value) -> Sequence[Value]:
    """A sum over taps and channels with random weights; for the gradient of a kernel, over examples and positions."""
    x, w = as_field(equation, left), as_field(equation, right)
    shape, numbers = equation.outvars[0].aval.shape, equation.params["dimension_numbers"]
    table = taps(_axes(equation))
    if x.is_weight or not w.is_weight:
        return [_kernel_gradient(equation, shape, x, w, table)]
    batch, feature, *places = numbers.lhs_spec
    expected = {batch: {"batch", "one"}, feature: {"feature", "one"}, **{i: {"position", "one"} for i in places}}
    if any(x.roles[i] not in allowed for i, allowed in expected.items()):
        raise refuse(equation, f"a signal with the axes {', '.join(x.roles)}")
    x = _on_all_positions(x, places)
    roles: list[Role] = ["position"] * len(shape)
    roles[numbers.out_spec[0]], roles[numbers.out_spec[1]] = x.roles[batch], "feature"
    centred = set(numbers.rhs_spec[1:]) <= w.centred
    x = x if centred else heard(x, w, [numbers.rhs_spec[1]])
    tap = _single_tap(walk, w, numbers.rhs_spec)
    x, channels = read_by(x, w, [numbers.rhs_spec[1]], w.shape[numbers.rhs_spec[1]])
    channels *= 1 if tap is None else table.shape[1]
    law = _windowed_sum(x, w, channels, table if tap is None else table[:, [tap]], centred)
    if not x.is_gradient:
        if w.root in walk.products:
            raise refuse(equation, "a kernel that was used before, so that what comes out knows what came out then")
        walk.products[w.root] = []
        law = walk.rescaled(x, w, law)
    blocks = written_by(w, [numbers.rhs_spec[0]], shape[numbers.out_spec[1]], law)
    if not x.is_gradient:
        note_width(law, x.blocks[0][1], channels * table.shape[1], blocks[0][0] if w.orthogonal else 0)
    return [Field(shape, tuple(roles), blocks)]


def _single_tap(walk: Walk, w: Field, spec: Sequence[int]) -> int | None:
    """The only tap of a kernel that is not zero, as in delta-orthogonal weights; None if there are several."""
    sizes = [w.shape[i] for i in spec[2:]]
    count = math.prod(sizes)
    if w.root not in walk.single_taps:
        tap = int(np.ravel_multi_index([(n - 1) // 2 for n in sizes], sizes)) if w.delta else None
        if w.array is not None and count > 1:
            alive = w.array.transpose(*spec[2:], *spec[:2]).reshape(count, -1).any(1)
            tap = int(np.argmax(alive)) if alive.sum() == 1 else None
        walk.single_taps[w.root] = tap
    tap = walk.single_taps[w.root]
    return tap if tap is None or not w.flipped else count - 1 - tap


def _on_all_positions(x: Field, places: Sequence[int]) -> Field:
    """Axes along which all is the same number, as positions."""
    roles: tuple[Role, ...] = tuple("position" if i in places else role for i, role in enumerate(x.roles))
    return replace(expanded(x, x.shape, roles), roles=roles)


def _windowed_sum(x: Field, w: Field, channels: int, table: Numbers, centred: bool) -> Content:
    """As `weighted_sum`, over the taps that meet the input."""
    mean_w, power_w = float(w.law.mean[0]), float(w.law.variance[0] + w.law.mean[0] ** 2)
    total = sum(width for width, _ in x.blocks)
    shares = [(channels * width / total, content) for width, content in x.blocks]
    sites = len(table)
    if x.is_gradient:
        parts = [(power_w * share, content) for share, content in shares]
        matrix = lambda g: _between(g.matrix(x.sites), table)  # noqa: E731
        kept = x.blocks[0][0] if w.orthogonal else 0
        return through_weights(parts, lambda g: over_taps(g.second, table), matrix, sites, kept)
    lost = (
        sum(share * over_taps(c.mean, table) for share, c in shares) / np.sqrt(channels * table.shape[1])
        if centred
        else np.zeros(1)
    )
    mean = mean_w * sum(share * over_taps(c.mean, table) for share, c in shares)
    fixed = mean_w**2 * sum(share * over_taps(np.square(c.mean), table) for share, c in shares)
    moments = [
        power_w * (sum(share * over_taps(getattr(c, name), table) for share, c in shares) - lost**2) + mean**2 - fixed
        for name in ("second", "cross")
    ]

    def kernel(across: bool) -> Numbers:
        found = sum(share * _between(c.matrix(across, x.sites), table) for share, c in shares)
        found = power_w * (found - _outer(lost, sites))
        means = np.broadcast_to(mean, (sites,))
        correction = mean_w**2 * sum(share * _between(_outer(c.mean, x.sites), table) for share, c in shares)
        return found + np.outer(means, means) - correction

    return fresh(mean, moments[0], moments[1], kernel if sites > 1 else None)


def _outer(mean: Numbers, sites: int) -> Numbers:
    wide = np.broadcast_to(mean, (sites,))
    return np.outer(wide, wide)


def _between(matrix: Numbers, table: Numbers) -> Numbers:
    """The sum over taps of moments between the sites that two outputs meet with the same tap."""
    wide = np.pad(matrix, ((0, 1), (0, 1)))
    total = np.zeros((len(table), len(table)))
    for tap in table.T:
        total += wide[tap[:, None], tap]
    return total


def _kernel_gradient(equation: Any, shape: tuple[int, ...], x: Field, g: Field, table: Numbers) -> Field:
    """Over examples, and coherently over positions, of a signal times a gradient."""
    if x.is_gradient == g.is_gradient:
        raise refuse(equation, "a convolution of two signals")
    examples = math.prod(n for n, role in zip(x.shape, x.roles, strict=True) if role == "batch")
    if x.is_gradient:
        x, g, table = g, x, _inverse(table, x.sites)
    meeting, of_means = partial(_meeting, table), partial(_all_meeting, table)
    pairs = [(a * b, law, gradient) for a, law in shares_of(x) for b, gradient in shares_of(g)]
    power, common = sum(share * outer_power(law, g, x.sites, examples, meeting, of_means) for share, law, g in pairs)
    roles: list[Role] = ["weight" if n > 1 else "one" for n in shape]
    return Field(shape, tuple(roles), ((1, of_weights(power, common)),))


def _meeting(table: Numbers, matrix: Numbers) -> Numbers:
    """Moments between sites that are met by two taps, averaged over outputs, shape `(taps, taps)`."""
    wide = np.pad(matrix, ((0, 1), (0, 1)))
    total = np.zeros((table.shape[1], table.shape[1]))
    for row in table:
        total += wide[row[:, None], row]
    return total / len(table)


def _all_meeting(table: Numbers, matrix: Numbers) -> Numbers:
    """The same for outputs that have nothing to do with each other, averaged over both."""
    found: Numbers = np.pad(matrix, ((0, 1), (0, 1)))[table].mean(0)[:, table].mean(1)
    return found


def _inverse(table: Numbers, sites: int) -> Numbers:
    """For every output and input site, the tap that meets it."""
    found = np.full((len(table), sites), -1)
    for tap, places in enumerate(table.T):
        rows = np.flatnonzero(places >= 0)
        found[rows, places[rows]] = tap
    return found
