"""Which site of the input each tap of a window meets, for every output."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .quadrature import Numbers

Axis = tuple[int, int, int, int, int, int, int]
"""Input size, window, outputs, stride, padding below, dilation of the input, dilation of the window."""


@lru_cache(maxsize=256)
def taps(axes: tuple[Axis, ...]) -> Numbers:
    """The input's site for every output and tap, shape `(outputs, taps)`; -1 where a tap meets none."""
    total = np.zeros((1, 1), int)
    inside = np.ones((1, 1), bool)
    for size, window, outputs, stride, low, spread, gap in axes:
        place = np.arange(outputs)[:, None] * stride + np.arange(window) * gap - low
        meets = (place >= 0) & (place <= (size - 1) * spread) & (place % spread == 0)
        place = np.where(meets, place // spread, 0)
        total = (total[:, None, :, None] * size + place[None, :, None, :]).reshape(len(total) * outputs, -1)
        inside = (inside[:, None, :, None] & meets[None, :, None, :]).reshape(total.shape)
    return np.where(inside, total, -1)


def over_taps(values: Numbers, table: Numbers) -> Numbers:
    """The sum over each output's taps of a number per site; one number, where all outputs have the same."""
    if len(values) == 1:
        met = (table >= 0).sum(1)
        return values * (met[:1] if (met == met[0]).all() else met)
    return np.append(values, 0.0)[table].sum(1)
