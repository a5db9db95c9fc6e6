"""Where a stretch of layers can work: the largest variance at which signals and gradients stay bounded to its end."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache, partial, reduce
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

TOGETHER = 4096
"""Numbers that functions are computed of at once, so that each is compiled once."""


class Moments(NamedTuple):
    """Of a function of normal numbers, for some variances: E f, E f², E f'² and E z f f'."""

    mean: Numbers
    second: Numbers
    steepness: Numbers
    along: Numbers


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
        second = _moment(self, power, 2)
        return _moment(self, power, 1) ** 2 / second if second > 0 else 0.0

    def second(self, power: float) -> float:
        """E f(z)² of a normal z of this variance, exactly. Raises `ArgumentError` where it is zero."""
        second = _moment(self, power, 2)
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
    z = np.linspace(0.01, 6.0, 120)
    return bool(np.abs(values(functions, z)[0] + values(functions, -z)[0]).max() <= ODD)


def values(functions: Functions, z: Numbers) -> tuple[Numbers, Numbers]:
    """The functions of numbers, one after another, and the derivative of all of them, in float64."""
    blocks = np.resize(z, (-(-z.size // TOGETHER), TOGETHER))
    with jax.enable_x64(True):
        found = np.array([_compiled(functions)(block) for block in blocks])
    value, slope = np.moveaxis(found, 1, 0).reshape(2, -1)[:, : z.size].reshape(2, *z.shape)
    return value, slope


@lru_cache(maxsize=256)
def _compiled(functions: Functions) -> Callable[[Numbers], tuple[jax.Array, jax.Array]]:
    return jax.jit(lambda z: jax.jvp(partial(_chain, functions), (z,), (jnp.ones_like(z),)))


def moments(reading: Reading, powers: Numbers) -> Moments:
    """For normal numbers of mean zero and these variances, by quadrature between the kinks."""
    nodes, weight = normal_nodes(np.array([kinks(reading)]) / np.sqrt(powers)[:, None])
    z = np.sqrt(powers)[:, None] * nodes
    value, slope = values(reading.functions, z)
    if reading.mirrored:
        there, falling = values(reading.functions, -z)
        value, slope = value - there, slope + falling
    sums = ((weight * v).sum(1) for v in (value, value**2, slope**2, value * slope * z))
    return Moments(*sums)


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
def _moment(reading: Reading, power: float, order: int) -> float:
    """E f or E f²: by the nodes of `moments` for functions that are known, adaptively for others."""
    if not reading.functions:
        return power if order == 2 else 0.0
    if all(function.name for function in reading.functions):
        found = moments(reading, np.array([power]))
        return float((found.mean if order == 1 else found.second)[0])
    return expectation(lambda z: reading(z) ** order, std=math.sqrt(power))


@lru_cache(maxsize=256)
def log_growth(reading: Reading) -> Numbers:
    r"""What one layer does, at each of `POWERS`: the log of the largest of three factors.

    With $f$ what is read and weights that keep the variance q: $\chi = q\,E f'^2 / E f^2$, by which gradient power
    grows; $Q' = \sqrt q\,E[z f f'] / E f^2$, by which a deviation of the variance does; $1/(1 - a)$ with $a = (E f)^2 /
    E f^2$, by which the share of the power shrinks that depends on the input.
    """
    mean, second, steepness, along = moments(reading, POWERS)
    with np.errstate(all="ignore"):
        factors = POWERS * steepness / second, along / second, 1 / np.maximum(1 - mean**2 / second, 1e-12)
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
