"""Where a stretch of layers can work: the largest variance at which signals and gradients stay bounded to its end."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ..signal.quadrature import Numbers
from .reading import Reading, moments
from .streams import Functions

BUDGET = 1.5
"""How much gradients may grow over a whole line: the network, or a branch."""

POWERS: Numbers = np.exp(np.linspace(math.log(1e-6), 0.0, 145))
"""Variances that are tried."""

SMALL: Numbers = np.exp(np.linspace(math.log(1e-12), 0.0, 289))
"""The same, for what is added to a signal."""

LIMIT = math.log(BUDGET) + 1e-9
"""For the log of a growth."""


@lru_cache(maxsize=256)
def _factors(reading: Reading) -> tuple[Numbers, Numbers, Numbers]:
    r"""What one layer does, at each of `POWERS`, with $f$ what is read and weights that keep the variance q.

    $\chi = q\,E f'^2 / E f^2$, by which gradient power grows; $Q' = \sqrt q\,E[z f f'] / E f^2$, by which a deviation
    of the variance does; $1/(1 - a)$ with $a = (E f)^2 / E f^2$, by which the share of the power shrinks that depends
    on the input.
    """
    mean, second, steepness, along = moments(reading, POWERS)
    with np.errstate(all="ignore"):
        return POWERS * steepness / second, along / second, 1 / np.maximum(1 - mean**2 / second, 1e-12)


@lru_cache(maxsize=256)
def log_growth(reading: Reading) -> Numbers:
    """The log of the largest of the three factors of a layer, at each of `POWERS`."""
    return _log(np.maximum.reduce(_factors(reading)))


def log_growth_in_batches(reading: Reading) -> Numbers:
    r"""The same with a batch normalization behind the layer: $\chi/(1 - a)$, as it brings the rest back to power 1."""
    chi, _, lost = _factors(reading)
    return _log(chi * lost)


def _log(factors: Numbers) -> Numbers:
    with np.errstate(all="ignore"):
        found = np.log(factors)
    return np.where(np.isfinite(found), np.maximum(found, 0.0), np.inf)


def total_growth(readings: Sequence[tuple[Reading, float]]) -> Numbers:
    """The sum of `log_growth` over all layers, at each of `POWERS`: what is read, and by how many layers."""
    return sum((copies * log_growth(reading) for reading, copies in readings), np.zeros(len(POWERS)))


class Setting(NamedTuple):
    """What layers in a row work at.

    Attributes:
        power: the variance.
        growth: the log of the factor by which gradients, or deviations, grow over all of them there.
    """

    power: float = 1.0
    growth: float = 0.0

    @property
    def fits(self) -> bool:
        """Whether the growth is within the budget."""
        return self.growth <= LIMIT


def setting(readings: Sequence[tuple[Reading, float]], least: float = 0.0) -> Setting:
    """The largest variance q <= 1 at which the growth over all layers together stays within the budget.

    Args:
        readings: what is read, and by how many layers.
        least: no variance below it is taken.

    If there is none, the largest at which the growth is within the budget of the least. Smooth odd functions give
    q ~ 1/sqrt(depth), those with a bend at zero 1/depth, and linear ones 1.

    Source: chi by Schoenholz et al. (2017); the bound over the whole depth as in Martens et al. (2021), here reached by
    the variance instead of the shape of the activation.
    """
    total = np.where(least > POWERS, np.inf, total_growth(readings))
    fits = np.flatnonzero(total <= LIMIT)
    last = int(fits[-1] if len(fits) else np.flatnonzero(total <= total.min() + LIMIT)[-1])
    if last == len(POWERS) - 1 or not len(fits):
        return Setting(float(POWERS[last]), float(total[last]))
    low, high = total[last], total[last + 1]
    share = (math.log(BUDGET) - low) / (high - low) if math.isfinite(high) else 0.0
    return Setting(float(POWERS[last] * (POWERS[last + 1] / POWERS[last]) ** share), math.log(BUDGET))


def growth_at(power: float, layers: Sequence[tuple[Reading, float, bool]]) -> float:
    """The log of the growth over layers at a variance: what is read, by how many, and before a batch normalization."""
    at = int(np.argmin(abs(POWERS - power)))
    return sum(copies * float((log_growth_in_batches if batch else log_growth)(r)[at]) for r, copies, batch in layers)


@lru_cache(maxsize=256)
def power_to_add(functions: Functions, beside: int, wanted: float) -> float | None:
    r"""The variance of z at which $E f(z)^2 + n (E f(z))^2$ is as wanted: n others are added that have the same mean.

    Returns None if there is none up to 1: f(0) may be too large, or f too small.
    """
    if not functions:
        return wanted
    found = moments(Reading(functions), SMALL)
    added = found.second + beside * found.mean**2
    if not added[0] <= wanted <= added[-1]:
        return None
    return float(np.exp(np.interp(math.log(wanted), np.log(added), np.log(SMALL))))
