"""The numbers that shape an activation: zero mean, unit power, a stable variance, and a bound on gradient growth."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..nn import Activation
from ..signal import expectation
from ..signal.quadrature import Numbers, normal_nodes
from .reading import is_odd, kinks

SCALES: Numbers = 10 ** np.linspace(-3.0, 1.0, 81)
SHIFTS: Numbers = np.linspace(-4.0, 4.0, 81)
"""What is tried: alpha; beta, and for every kink also its distance from the signal's mean in standard deviations."""

STABLE = 1e-9
"""By how much Q' may exceed 1, for rounding."""

SMOOTH = 1e-6
"""How far Stein's lemma may be missed by a function that does not jump."""


class Shape(NamedTuple):
    """gamma (phi(alpha z + beta) + delta)."""

    alpha: float
    beta: float
    gamma: float
    delta: float


class Effects(NamedTuple):
    """What phi(alpha z + beta), brought to mean 0 and variance 1, does to signals of variance 1; arrays of one shape.

    Attributes:
        growth: chi = E a'², the factor on gradient power.
        stability: Q' = E z a a', the factor on a deviation of the variance.
        offset: the mean before it is taken off, in standard deviations: what is lost to rounding.
        jump: E z a - E a', zero unless it jumps (Stein's lemma).
    """

    growth: Numbers
    stability: Numbers
    offset: Numbers
    jump: Numbers


def effects(function: Activation, alpha: Numbers, beta: Numbers) -> Effects:
    """Of arrays of scales and shifts."""
    a, b = (np.ravel(v)[:, None] for v in np.broadcast_arrays(alpha, beta))
    with jax.enable_x64(True), np.errstate(all="ignore"):
        z, weight = normal_nodes((np.array([kinks(function)]) - b) / a)
        x = jnp.asarray(a * z + b)
        value, slope = (np.asarray(v) for v in jax.jvp(function, (x,), (jnp.ones_like(x),)))
        mean = (weight * value).sum(1, keepdims=True)
        std = np.sqrt((weight * (value - mean) ** 2).sum(1, keepdims=True))
        value, slope = (value - mean) / std, a * slope / std
        means = [(weight * v).sum(1) for v in (slope**2, value * slope * z, z * value - slope)]
        found = *means[:2], np.abs(mean / std), np.abs(means[2])
    return Effects(*(np.reshape(v, np.shape(alpha)) for v in found))


class _Family(NamedTuple):
    """A grid of scales (down) and shifts (across): beta = start + t, or start + alpha t about a kink."""

    start: float
    about_kink: bool

    def beta(self, alpha: Any, t: Any) -> Any:
        return self.start + (alpha * t if self.about_kink else t)


Grid = tuple[_Family, Effects]


@lru_cache(maxsize=64)
def _grids(function: Activation) -> list[Grid]:
    families = [_Family(0.0, False), *(_Family(kink, True) for kink in kinks(function) if abs(kink) <= SHIFTS[-1])]
    alpha, t = np.meshgrid(SCALES, SHIFTS, indexing="ij")
    return [(family, effects(function, alpha, family.beta(alpha, t))) for family in families]


@lru_cache(maxsize=512)
def shape(function: Activation, growth: float) -> Shape | None:
    r"""The shape of an activation with which it multiplies gradient power by `growth` at most.

    With $a(z) = \gamma\,(\phi(\alpha z + \beta) + \delta)$ and z standard normal: $E a = 0$ and $E a^2 = 1$ by $\delta$
    and $\gamma$; $\alpha$ and $\beta$ solve $\chi = E a'^2 =$ `growth`, or the $\chi$ of the activation as it is, if
    that is less; and $Q' = E z a a' = 1$. Of several solutions that of the smallest shift is taken: odd functions that
    flatten on both sides stay odd, $\beta = 0$. Where $Q' = 1$ is out of reach, as for ReLU, there is one with
    $Q' < 1$.

    Returns None if there is none with $Q' \le 1$, or the function jumps.

    Source: Martens et al. (2021), section 6, with the bound on one layer's $C'(1) = \chi$.

    Example:
        >>> from capas import nn
        >>> from capas.weights.shaping import shape
        >>> print(*(f"{number:.6f}" for number in shape(nn.Activation("gelu"), 1.5 ** (1 / 100))))
        0.085309 0.258280 16.709007 -0.158163
    """
    as_it_is = effects(function, np.array(1.0), np.array(0.0))
    if not as_it_is.jump < SMOOTH:
        return None
    growth = min(growth, float(as_it_is.growth))
    for alpha, beta in _candidates(function, growth):
        found = effects(function, np.array(alpha), np.array(beta))
        if found.stability <= 1 + STABLE and found.growth <= growth * (1 + STABLE):
            return _standardized(function, alpha, beta)
    return None


def _standardized(function: Activation, alpha: float, beta: float) -> Shape:
    """With mean 0 and variance 1."""
    mean = 0.0 if beta == 0 and is_odd((function,)) else expectation(function, beta, alpha)
    variance = expectation(lambda z: jnp.square(function(z) - mean), beta, alpha)
    return Shape(alpha, beta, variance**-0.5, 0.0 - mean)


def _candidates(function: Activation, growth: float) -> Iterator[tuple[float, float]]:
    """Scales and shifts to take if they do, the best first."""
    as_it_is = effects(function, np.array(1.0), np.array(0.0))
    if as_it_is.growth <= growth and (is_odd((function,)) or abs(as_it_is.stability - 1) <= STABLE):
        yield 1.0, 0.0
    if is_odd((function,)):
        yield from _odd(function, growth)
    yield from _both(function, growth)
    yield from _growing(function, growth)
    yield from _within(function, growth)


def _odd(function: Activation, growth: float) -> Iterator[tuple[float, float]]:
    """The scale alone."""

    def excess(log_alpha: float) -> float:
        return float(effects(function, np.exp(np.array(log_alpha)), np.array(0.0)).growth) - growth

    excesses = effects(function, SCALES, np.zeros(len(SCALES))).growth - growth
    for i in sorted(_changes(excesses), key=lambda i: abs(math.log(SCALES[i]))):
        yield math.exp(_root(excess, math.log(SCALES[i]), math.log(SCALES[i + 1]))), 0.0


def _changes(values: Numbers) -> list[int]:
    """Places before a change of sign."""
    return [int(i) for i in np.flatnonzero(values[:-1] * values[1:] < 0)]


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    from scipy.optimize import brentq  # slow to import

    return float(brentq(function, low, high, xtol=1e-14, rtol=1e-14))


def _both(function: Activation, growth: float) -> Iterator[tuple[float, float]]:
    """Where chi is the bound and Q' is 1: Newton's method from every cell of a grid in which both are crossed."""
    from scipy.optimize import root  # slow to import

    starts = []
    for family, found in _grids(function):
        crossed = _crossed(found.growth - growth) & _crossed(found.stability - 1)
        for i, j in np.argwhere(crossed):
            alpha, t = math.sqrt(SCALES[i] * SCALES[i + 1]), (SHIFTS[j] + SHIFTS[j + 1]) / 2
            beta = float(family.beta(alpha, t))
            starts.append((round(abs(beta), 6), float(found.offset[i, j]), math.log(alpha), t, family))
    for *_, log_alpha, t, family in sorted(starts, key=lambda start: start[:2]):

        def misses(at: Numbers, family: _Family = family) -> Numbers:
            alpha = np.exp(np.clip(at[:1], -12.0, 4.0))
            now = effects(function, alpha, family.beta(alpha, at[1:]))
            return np.concatenate([now.growth - growth, now.stability - 1]) / (growth - 1)

        with warnings.catch_warnings(action="ignore"):  # on starts from which there is no way
            found = root(misses, [log_alpha, t], tol=1e-12)
        near = abs(found.x[0] - log_alpha) < 0.5 and abs(found.x[1] - t) < 0.5
        if near and np.abs(found.fun).max() < 1e-7:
            alpha = math.exp(found.x[0])
            yield alpha, float(family.beta(alpha, found.x[1]))


def _crossed(values: Numbers) -> Numbers:
    """Cells of a grid at whose corners the sign is not the same."""
    corners = np.array([values[:-1, :-1], values[1:, :-1], values[:-1, 1:], values[1:, 1:]])
    crossed: Numbers = (corners.min(0) < 0) & (corners.max(0) > 0)
    return crossed


def _growing(function: Activation, growth: float) -> Iterator[tuple[float, float]]:
    """Where chi is the bound and Q' < 1: the scale nearest to 1, and there the largest Q'."""
    edges = []
    for family, found in _grids(function):
        for i, alpha in enumerate(SCALES):
            for j in _changes(found.growth[i] - growth):
                steady = float(found.stability[i, j : j + 2].mean())
                edges.append((abs(math.log(alpha)), -round(steady, 3), -SHIFTS[j], j, float(alpha), family))
    for *_, j, alpha, family in sorted(edges, key=lambda edge: edge[:3]):

        def excess(t: float, alpha: float = alpha, family: _Family = family) -> float:
            return float(effects(function, np.array(alpha), np.array(family.beta(alpha, t))).growth) - growth

        yield alpha, float(family.beta(alpha, _root(excess, SHIFTS[j], SHIFTS[j + 1])))


def _within(function: Activation, growth: float) -> Iterator[tuple[float, float]]:
    """The largest growth within the bound, for functions that cannot reach it."""
    for family, found in _grids(function):
        fits = (found.growth <= growth) & (found.stability <= 1)
        if fits.any():
            i, j = np.unravel_index(np.argmax(np.where(fits, found.growth, 0)), fits.shape)
            yield float(SCALES[i]), float(family.beta(SCALES[i], SHIFTS[j]))
