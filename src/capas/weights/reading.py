"""What a kernel reads of a normal signal, and its moments."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache, partial, reduce
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..errors import ArgumentError
from ..nn import WeightStandardized
from ..signal import UnknownPrimitive, expectation
from ..signal.propagate import propagate
from ..signal.quadrature import Numbers, normal_nodes
from .streams import Functions, Kernel

ODD = 1e-5
"""How far f(z) + f(-z) may be from 0, for an odd function of size 1."""

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
        centred: whether the weights, or a normalization behind the functions, take its mean off.
        mixed: where parts of the units have gone through different functions, these instead, each with its share.
    """

    functions: Functions
    mirrored: bool = False
    centred: bool = False
    mixed: tuple[tuple[float, Functions], ...] = ()

    def __call__(self, z: jax.Array) -> jax.Array:
        along = _chain(self.functions, z)
        return along - _chain(self.functions, -z) if self.mirrored else along

    @property
    def parts(self) -> list[tuple[float, Reading]]:
        """The shares of units that have gone through the same functions, and what is read of them."""
        return [(share, Reading(functions, centred=self.centred)) for share, functions in self.mixed] or [(1.0, self)]

    def asymmetry(self, power: float) -> float:
        """(E f)² / E f² of a normal z of this variance: the share that is the same for all inputs."""
        mean, second = _moment(self, power)
        return mean**2 / second if second > 0 else 0.0

    def second(self, power: float) -> float:
        """E f(z)² of a normal z of this variance, exactly. Raises `ArgumentError` where it is zero."""
        second = _moment(self, power)[1]
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
    if not functions:
        return True
    return _is_odd_about(functions, 0.0)


@lru_cache(maxsize=256)
def is_odd_beside_a_constant(functions: Functions) -> bool:
    """Whether f(-z) - c = -(f(z) - c) with c = f(0) other than 0, as of sigmoid."""
    here = values(functions, np.linspace(0.0, 6.0, 121))[0]
    moves = bool(np.isfinite(here[0]) and (here != here[0]).any())
    return moves and not is_odd(functions) and _is_odd_about(functions, float(here[0]))


def _is_odd_about(functions: Functions, constant: float) -> bool:
    """Whether f without a constant is odd."""
    z = np.linspace(0.01, 6.0, 120)
    there, here = (values(functions, side)[0] - constant for side in (-z, z))
    return bool(np.abs(there + here).max() <= ODD * max(np.abs(here).max(), np.abs(there).max()))


def values(functions: Functions, z: Numbers) -> tuple[Numbers, Numbers]:
    """The functions of numbers, one after another, and the derivative of all of them: in float64, if they can."""
    blocks = np.resize(z, (-(-z.size // TOGETHER), TOGETHER))
    try:
        with jax.enable_x64(True):
            found = np.array([_compiled(functions)(block) for block in blocks])
    except TypeError:  # a constant of another width inside
        found = np.array([_compiled(functions)(block.astype(np.float32)) for block in blocks], float)
    value, slope = np.moveaxis(found, 1, 0).reshape(2, -1)[:, : z.size].reshape(2, *z.shape)
    return value, slope


@lru_cache(maxsize=256)
def _compiled(functions: Functions) -> Callable[[Numbers], tuple[jax.Array, jax.Array]]:
    return jax.jit(lambda z: jax.jvp(partial(_chain, functions), (z,), (jnp.ones_like(z),)))


def moments(reading: Reading, powers: Numbers) -> Moments:
    """For normal numbers of mean zero and these variances, by quadrature between the kinks."""
    if reading.mixed:
        shares, parts = zip(*reading.parts, strict=True)
        found = np.array([moments(part, powers) for part in parts])
        mean, *others = np.tensordot(shares, [[m**2, *rest] for m, *rest in found], axes=1)
        return Moments(np.sqrt(mean), *others)
    nodes, weight = normal_nodes(np.array([kinks(reading)]) / np.sqrt(powers)[:, None])
    z = np.sqrt(powers)[:, None] * nodes
    value, slope = values(reading.functions, z)
    if reading.mirrored:
        there, falling = values(reading.functions, -z)
        value, slope = value - there, slope + falling
    if reading.centred:
        value = value - (weight * value).sum(1, keepdims=True)
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
def _moment(reading: Reading, power: float) -> tuple[float, float]:
    """E f and E f²: by the nodes of `moments` for functions that are known, adaptively for others.

    Of different functions, the root of the mean of (E f)²: weights of either sign read all means alike.
    """
    if reading.mixed:
        parts = [(share, *_moment(part, power)) for share, part in reading.parts]
        return math.sqrt(sum(share * mean**2 for share, mean, _ in parts)), sum(s * second for s, _, second in parts)
    if not reading.functions:
        return 0.0, power * (4 if reading.mirrored else 1)
    if not all(function.name for function in reading.functions):
        with suppress(TypeError):  # a constant of another width inside
            mean, second = (_expected(reading, power, exponent) for exponent in (1, 2))
            return (0.0, second - mean**2) if reading.centred else (mean, second)
    found = moments(reading, np.array([power]))
    return float(found.mean[0]), float(found.second[0])


def _expected(reading: Reading, power: float, exponent: int) -> float:
    try:
        return expectation(lambda z: reading(z) ** exponent, std=math.sqrt(power))
    except ArgumentError as error:
        got = ", ".join(map(repr, reading.functions))
        raise ArgumentError("gain", expected="a function with finite moments", got=got, remedy=error.remedy) from error


def is_centred(kernel: Kernel) -> bool:
    """Whether the mean of what a kernel reads is taken off, behind the functions."""
    return kernel.reads.is_centred or isinstance(kernel.layer, WeightStandardized)


def is_asymmetric(kernel: Kernel) -> bool:
    """Whether what a kernel reads goes through activations that are not odd, so that it may have a mean."""
    return not all(map(is_odd, kernel.reads.chains))
