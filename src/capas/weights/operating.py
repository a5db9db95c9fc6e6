"""Where a stretch of layers can work: the largest variance at which signals and gradients stay bounded to its end."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache, reduce
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..errors import ArgumentError
from ..signal import UnknownPrimitive, expectation
from ..signal.propagate import propagate
from ..signal.quadrature import Numbers, normal_nodes
from .streams import Functions, Kernel

BUDGET = 1.5
"""How much gradients may grow over a whole stretch."""

POWERS: Numbers = np.exp(np.linspace(math.log(1e-6), 0.0, 145))
"""Variances that are tried."""

ODD = 1e-5


class Reading(NamedTuple):
    """What a kernel reads of a normal signal: functions of it, or their odd part, where the kernel is mirrored.

    Attributes:
        functions: one after another.
        mirrored: whether their odd part f(z) - f(-z) is meant.
    """

    functions: Functions
    mirrored: bool = False

    def __call__(self, z: jax.Array) -> jax.Array:
        along = _chain(self.functions, z)
        return along - _chain(self.functions, -z) if self.mirrored else along

    @property
    def is_odd(self) -> bool:
        """Whether the functions are odd as they are."""
        return is_odd(self.functions)

    def asymmetry(self, power: float) -> float:
        """(E f)² / E f² of a normal z of this variance: the share that is the same for all inputs."""
        second = _second(self, power)
        return _mean(self, power) ** 2 / second if self.functions and second > 0 else 0.0

    def second(self, power: float) -> float:
        """E f(z)² of a normal z of this variance, exactly. Raises `ArgumentError` where it is zero."""
        second = _second(self, power)
        if second > 0:
            return second
        raise ArgumentError(
            "gain",
            expected="an activation that is not zero everywhere",
            got=", ".join(map(repr, self.functions)),
            remedy="No weights can restore a signal that is gone.",
        )


def _chain(functions: Functions, z: jax.Array) -> jax.Array:
    return reduce(lambda value, f: f(value), functions, z)


@lru_cache(maxsize=256)
def is_odd(functions: Functions) -> bool:
    """Whether f(-z) = -f(z)."""
    z = jnp.linspace(0.01, 6.0, 120)
    return bool(jnp.abs(_chain(functions, z) + _chain(functions, -z)).max() <= ODD)


@lru_cache(maxsize=256)
def kinks(function: Callable[[jax.Array], jax.Array]) -> tuple[float, ...]:
    """Where a function of a number is not smooth, between -9.5 and 9.5, as its program says."""
    spec = jax.ShapeDtypeStruct((2,), jnp.float32)
    try:
        flow = propagate(lambda _, z: function(z), {}, spec, backward=False)
    except UnknownPrimitive:
        return (0.0,)
    latents = flow.rows[-1].field.blocks[0][1].latents if flow.rows else ()
    return tuple(sorted({float(kink) for latent in latents for kink in latent.breaks.ravel()}))


@lru_cache(maxsize=1024)
def _mean(reading: Reading, power: float) -> float:
    return expectation(reading.__call__, std=math.sqrt(power))


@lru_cache(maxsize=1024)
def _second(reading: Reading, power: float) -> float:
    if not reading.functions:
        return power
    return expectation(lambda z: reading(z) ** 2, std=math.sqrt(power))


@lru_cache(maxsize=256)
def log_growth(reading: Reading) -> Numbers:
    r"""What one layer does, at each of `POWERS`: the log of the largest of three factors.

    With $f$ what is read and weights that keep the variance q: $\chi = q\,E f'^2 / E f^2$, by which gradient power
    grows; $Q' = \sqrt q\,E[z f f'] / E f^2$, by which a deviation of the variance does; $1/(1 - a)$ with $a = (E f)^2 /
    E f^2$, by which the share of the power shrinks that depends on the input.
    """
    nodes, weight = normal_nodes(np.array([kinks(reading)]) / np.sqrt(POWERS)[:, None])
    with jax.enable_x64(True):
        z = jnp.asarray(np.sqrt(POWERS)[:, None] * nodes)
        value, slope = (np.asarray(v) for v in jax.jvp(reading.__call__, (z,), (jnp.ones_like(z),)))
    mean, second, steep, along = (
        (weight * v).sum(1) for v in (value, value**2, slope**2, value * slope * np.asarray(z))
    )
    with np.errstate(all="ignore"):
        factors = POWERS * steep / second, along / second, 1 / np.maximum(1 - mean**2 / second, 1e-12)
        found = np.log(np.maximum.reduce(factors))
    return np.where(np.isfinite(found), np.maximum(found, 0.0), np.inf)


def total_growth(readings: Sequence[tuple[Reading, int]]) -> Numbers:
    """The sum of `log_growth` over all layers, at each of `POWERS`: what is read, and by how many layers."""
    return sum((copies * log_growth(reading) for reading, copies in readings), np.zeros(len(POWERS)))


def operating_power(readings: Sequence[tuple[Reading, int]]) -> float | None:
    """The largest variance q <= 1 at which the growth over all layers together stays within the budget.

    Args:
        readings: what is read, and by how many layers.

    Returns None if there is none. Smooth odd functions give q ~ 1/sqrt(depth), those with a bend at zero 1/depth, and
    linear ones 1.

    Source: chi by Schoenholz et al. (2017); the bound over the whole depth as in Martens et al. (2021), here reached by
    the variance instead of the shape of the activation.
    """
    total = total_growth(readings)
    fits = np.flatnonzero(total <= math.log(BUDGET) + 1e-9)
    if not len(fits):
        return None
    last = int(fits[-1])
    if last == len(POWERS) - 1:
        return 1.0
    low, high = total[last], total[last + 1]
    share = (math.log(BUDGET) - low) / (high - low) if math.isfinite(high) else 0.0
    return float(POWERS[last] * (POWERS[last + 1] / POWERS[last]) ** share)


def is_asymmetric(kernel: Kernel) -> bool:
    """Whether what a kernel reads goes through activations that are not odd, so that it may have a mean."""
    return bool(kernel.reads.functions) and not is_odd(kernel.reads.functions)
