"""What a scheme is, and those that do not look at the size of the layer."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from numbers import Real
from typing import Literal, NamedTuple, final

import jax
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from ..errors import ArgumentError
from ..nn import Parameter

Distribution = Literal["normal", "uniform", "truncated_normal"]

_density_at_2 = math.exp(-2) / math.sqrt(2 * math.pi)
TRUNCATED_STD = math.sqrt(1 - 4 * _density_at_2 / math.erf(math.sqrt(2)))
"""Standard deviation of a standard normal that is cut off at ±2: 0.8796."""


class Law(NamedTuple):
    """What is known of the entries of a kernel before they are drawn.

    Attributes:
        mean: of one entry.
        variance: of one entry; of those that are not 0 for want of a pair, if it is mirrored.
        structure: "independent" entries, or how they depend on each other.
        mirrored: axes along which units are pairs, each with how many belong together, as in `capas.signal.Entries`.
        centred: axes along which entries sum to zero, each with how many of them do; the variance is n/(n - 1) times
            that of what is drawn, n along the inputs: what independent entries need for the same power.
    """

    mean: float
    variance: float
    structure: Literal["independent", "orthogonal", "delta_orthogonal", "identity"] = "independent"
    mirrored: tuple[tuple[int, int], ...] = ()
    centred: tuple[tuple[int, int], ...] = ()


class Scheme(ABC):
    """A way to fill a kernel: it samples, and states the law of what it samples. A frozen dataclass.

    Example:
        >>> import jax
        >>> from capas import nn, weights
        >>> kernel = nn.Parameter((300, 100), "kernel", fan_in=300, fan_out=100)
        >>> weights.LeCun().law(kernel)
        Law(mean=0.0, variance=0.0033333333333333335, structure='independent', mirrored=(), centred=())
        >>> weights.LeCun().sample(jax.random.key(0), kernel).shape
        (300, 100)
    """

    @abstractmethod
    def sample(self, key: PRNGKeyArray, kernel: Parameter) -> Array:
        """One kernel of shape `kernel.shape`, in float32 (float64 where JAX is set to it)."""

    @abstractmethod
    def law(self, kernel: Parameter) -> Law:
        """Mean and variance of its entries, and their structure."""


def draw_entries(distribution: Distribution, key: PRNGKeyArray, shape: tuple[int, ...], std: float) -> Array:
    """Independent entries of mean 0 and exactly this standard deviation."""
    if distribution == "normal":
        return std * jax.random.normal(key, shape)
    if distribution == "uniform":
        limit = math.sqrt(3) * std
        return jax.random.uniform(key, shape, minval=-limit, maxval=limit)
    return std / TRUNCATED_STD * jax.random.truncated_normal(key, -2, 2, shape)


def require_option(scheme: Scheme, fact: bool, expected: str, got: object, remedy: str) -> None:
    """Refuse an option unless the fact holds."""
    if not fact:
        raise ArgumentError(type(scheme).__name__, expected=expected, got=repr(got), remedy=remedy)


def require_numbers(scheme: Scheme, **options: object) -> None:
    """Refuse options that are no finite numbers."""
    for name, value in options.items():
        fact = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
        remedy = "That of an activation is weights.gain(activation)." if name == "gain" else "Give a Python number."
        require_option(scheme, fact, f"{name} to be a finite number", value, remedy)


@final
@dataclass(frozen=True)
class Constant(Scheme):
    """Every entry the same. All units of a layer then stay the same for ever; for tests and for scalars.

    Args:
        value: the entry.

    Example:
        >>> import jax
        >>> from capas import nn, weights
        >>> weights.Constant(0.5).sample(jax.random.key(0), nn.Parameter((1, 2), "kernel")).tolist()
        [[0.5, 0.5]]
    """

    value: float

    def __post_init__(self) -> None:
        require_numbers(self, value=self.value)

    def sample(self, key: PRNGKeyArray, kernel: Parameter) -> Array:
        return jnp.full(kernel.shape, self.value, float)

    def law(self, kernel: Parameter) -> Law:
        return Law(self.value, 0.0)


@final
@dataclass(frozen=True)
class Zeros(Scheme):
    """All zero: for a last layer whose outputs should start equal, or the last layer of a residual branch.

    Example:
        >>> from capas import nn, weights
        >>> weights.Zeros().law(nn.Parameter((1, 2), "kernel"))
        Law(mean=0.0, variance=0.0, structure='independent', mirrored=(), centred=())
    """

    def sample(self, key: PRNGKeyArray, kernel: Parameter) -> Array:
        return jnp.zeros(kernel.shape, float)

    def law(self, kernel: Parameter) -> Law:
        return Law(0.0, 0.0)


@final
@dataclass(frozen=True)
class Normal(Scheme):
    """Independent N(mean, std²), whatever the size of the layer: for experiments, and for reproducing papers.

    Args:
        std: standard deviation, >= 0.
        mean: of every entry.

    Example:
        >>> from capas import nn, weights
        >>> weights.Normal(0.5).law(nn.Parameter((1, 2), "kernel")).variance
        0.25
    """

    std: float
    mean: float = 0.0

    def __post_init__(self) -> None:
        require_numbers(self, std=self.std, mean=self.mean)
        require_option(self, self.std >= 0, "std >= 0", self.std, "It is a standard deviation.")

    def sample(self, key: PRNGKeyArray, kernel: Parameter) -> Array:
        return self.mean + draw_entries("normal", key, kernel.shape, self.std)

    def law(self, kernel: Parameter) -> Law:
        return Law(self.mean, self.std**2)


@final
@dataclass(frozen=True)
class Uniform(Scheme):
    """Independent and uniform between two numbers, whatever the size of the layer.

    Args:
        low: the smallest entry.
        high: the largest entry.

    Example:
        >>> from capas import nn, weights
        >>> weights.Uniform(-0.3, 0.3).law(nn.Parameter((1, 2), "kernel")).variance
        0.03
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        require_numbers(self, low=self.low, high=self.high)
        require_option(self, self.low <= self.high, "low <= high", (self.low, self.high), "Swap them.")

    def sample(self, key: PRNGKeyArray, kernel: Parameter) -> Array:
        return jax.random.uniform(key, kernel.shape, minval=self.low, maxval=self.high)

    def law(self, kernel: Parameter) -> Law:
        return Law((self.low + self.high) / 2, (self.high - self.low) ** 2 / 12)


@final
@dataclass(frozen=True)
class TruncatedNormal(Scheme):
    """N(mean, std²) without the entries beyond two standard deviations, as in Keras and PyTorch.

    Cutting makes the standard deviation of what is left smaller, 0.8796 std; the law says so.

    Args:
        std: standard deviation before cutting, >= 0.
        mean: of every entry.

    Example:
        >>> from capas import nn, weights
        >>> f"{weights.TruncatedNormal(1.0).law(nn.Parameter((1, 2), 'kernel')).variance:.6f}"
        '0.773741'
    """

    std: float
    mean: float = 0.0

    def __post_init__(self) -> None:
        require_numbers(self, std=self.std, mean=self.mean)
        require_option(self, self.std >= 0, "std >= 0", self.std, "It is a standard deviation.")

    def sample(self, key: PRNGKeyArray, kernel: Parameter) -> Array:
        return self.mean + draw_entries("truncated_normal", key, kernel.shape, TRUNCATED_STD * self.std)

    def law(self, kernel: Parameter) -> Law:
        return Law(self.mean, (TRUNCATED_STD * self.std) ** 2)
