"""Schemes with independent entries."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal, NamedTuple, final

import jax
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from ..errors import ArgumentError
from ..nn import Parameter

Mode = Literal["fan_in", "fan_out", "fan_average"]
Distribution = Literal["normal", "uniform", "truncated_normal"]

_density_at_2 = math.exp(-2) / math.sqrt(2 * math.pi)
TRUNCATED_STD = math.sqrt(1 - 4 * _density_at_2 / math.erf(math.sqrt(2)))
"""Standard deviation of a standard normal that is cut off at ±2: 0.8796."""


class Law(NamedTuple):
    """What is known of the entries of a kernel before they are drawn.

    Attributes:
        mean: of one entry.
        variance: of one entry.
        structure: "independent" entries, or how they depend on each other.
    """

    mean: float
    variance: float
    structure: Literal["independent", "orthogonal", "delta_orthogonal", "identity"] = "independent"


class Scheme(ABC):
    """A way to fill a kernel: it samples, and states the law of what it samples. A frozen dataclass.

    Example:
        >>> import jax
        >>> from capas import nn, weights
        >>> kernel = nn.Parameter((300, 100), "kernel", fan_in=300, fan_out=100)
        >>> weights.LeCun().law(kernel)
        Law(mean=0.0, variance=0.0033333333333333335, structure='independent')
        >>> weights.LeCun().sample(jax.random.key(0), kernel).shape
        (300, 100)
    """

    @abstractmethod
    def sample(self, key: PRNGKeyArray, kernel: Parameter) -> Array:
        """One kernel of shape `kernel.shape`, in float32 (float64 where JAX is set to it)."""

    @abstractmethod
    def law(self, kernel: Parameter) -> Law:
        """Mean and variance of its entries, and their structure."""


def _draw(distribution: Distribution, key: PRNGKeyArray, shape: tuple[int, ...], std: float) -> Array:
    """Independent entries of mean 0 and exactly this standard deviation."""
    if distribution == "normal":
        return std * jax.random.normal(key, shape)
    if distribution == "uniform":
        limit = math.sqrt(3) * std
        return jax.random.uniform(key, shape, minval=-limit, maxval=limit)
    return std / TRUNCATED_STD * jax.random.truncated_normal(key, -2, 2, shape)


def _require(scheme: Scheme, fact: bool, expected: str, got: object, remedy: str) -> None:
    if not fact:
        raise ArgumentError(type(scheme).__name__, expected=expected, got=repr(got), remedy=remedy)


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
        Law(mean=0.0, variance=0.0, structure='independent')
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
        _require(self, self.std >= 0, "std >= 0", self.std, "It is a standard deviation.")

    def sample(self, key: PRNGKeyArray, kernel: Parameter) -> Array:
        return self.mean + _draw("normal", key, kernel.shape, self.std)

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
        _require(self, self.low <= self.high, "low <= high", (self.low, self.high), "Swap them.")

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
        _require(self, self.std >= 0, "std >= 0", self.std, "It is a standard deviation.")

    def sample(self, key: PRNGKeyArray, kernel: Parameter) -> Array:
        return self.mean + _draw("truncated_normal", key, kernel.shape, TRUNCATED_STD * self.std)

    def law(self, kernel: Parameter) -> Law:
        return Law(self.mean, (TRUNCATED_STD * self.std) ** 2)


class _Scaled(Scheme):
    """Independent entries of mean 0 and variance power / fan; its subclasses say the power, and their defaults."""

    mode: Mode
    distribution: Distribution

    def __post_init__(self) -> None:
        known: dict[str, tuple[str, ...]] = {
            "mode": ("fan_in", "fan_out", "fan_average"),
            "distribution": ("normal", "uniform", "truncated_normal"),
        }
        for name, choices in known.items():
            value = getattr(self, name)
            expected = f"{name} to be one of {', '.join(map(repr, choices))}"
            _require(self, value in choices, expected, value, "Choose one of them.")

    @property
    @abstractmethod
    def power(self) -> float:
        """Variance times fan."""

    def sample(self, key: PRNGKeyArray, kernel: Parameter) -> Array:
        return _draw(self.distribution, key, kernel.shape, math.sqrt(self.law(kernel).variance))

    def law(self, kernel: Parameter) -> Law:
        fans = {
            "fan_in": kernel.fan_in,
            "fan_out": kernel.fan_out,
            "fan_average": (kernel.fan_in + kernel.fan_out) / 2,
        }
        return Law(0.0, self.power / fans[self.mode])


@final
@dataclass(frozen=True)
class LeCun(_Scaled):
    r"""Variance $\mathrm{gain}^2 / \mathrm{fan}$: keeps the variance of a layer alone, without its activation.

    For SELU, for normalized inputs, and for last layers. Sources: LeCun et al. (1998), section 4.6; Klambauer et al.
    (2017) for SELU.

    Args:
        gain: factor on the weights, for instance `weights.gain(activation)`.
        mode: "fan_in" keeps the signal, "fan_out" the gradient, "fan_average" is between them.
        distribution: "normal", "uniform" or "truncated_normal" (at ±2), all with this variance.

    Example:
        >>> from capas import nn, weights
        >>> kernel = nn.Parameter((100, 25), "kernel", fan_in=100, fan_out=25)
        >>> weights.LeCun().law(kernel).variance, weights.LeCun(mode="fan_out").law(kernel).variance
        (0.01, 0.04)
    """

    gain: float = 1.0
    mode: Mode = "fan_in"
    distribution: Distribution = "normal"

    @property
    def power(self) -> float:
        return self.gain**2


@final
@dataclass(frozen=True)
class Glorot(_Scaled):
    r"""Variance $2\,\mathrm{gain}^2 / (\mathrm{fan_{in}} + \mathrm{fan_{out}})$: between keeping signal and gradient.

    For activations that are the identity near 0, such as tanh, in networks of few layers; the default of Keras.
    Source: Glorot and Bengio (2010), equation 12.

    Args:
        gain: factor on the weights.
        mode: which fan.
        distribution: "normal", "uniform" or "truncated_normal" (at ±2), all with this variance.

    Example:
        >>> from capas import nn, weights
        >>> weights.Glorot().law(nn.Parameter((100, 300), "kernel", fan_in=100, fan_out=300)).variance
        0.005
    """

    gain: float = 1.0
    mode: Mode = "fan_average"
    distribution: Distribution = "uniform"

    @property
    def power(self) -> float:
        return self.gain**2


@final
@dataclass(frozen=True)
class He(_Scaled):
    r"""Variance $2 / ((1 + \mathrm{slope}^2)\,\mathrm{fan})$: keeps the second moment through ReLU.

    For ReLU and leaky ReLU. Source: He et al. (2015), equations 10 and 15.

    Args:
        slope: of the negative half; 0 for ReLU.
        mode: "fan_in" keeps the signal, "fan_out" the gradient, "fan_average" is between them.
        distribution: "normal", "uniform" or "truncated_normal" (at ±2), all with this variance.

    Example:
        >>> from capas import nn, weights
        >>> weights.He().law(nn.Parameter((200, 10), "kernel", fan_in=200, fan_out=10)).variance
        0.01
    """

    slope: float = 0.0
    mode: Mode = "fan_in"
    distribution: Distribution = "normal"

    @property
    def power(self) -> float:
        return 2 / (1 + self.slope**2)
