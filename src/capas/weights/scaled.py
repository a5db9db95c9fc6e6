"""Schemes with independent entries whose variance is a power divided by a fan."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import Literal, final

from jaxtyping import Array, PRNGKeyArray

from ..nn import Parameter
from .schemes import Distribution, Law, Scheme, draw_entries, require_numbers, require_option

Mode = Literal["fan_in", "fan_out", "fan_average"]


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
            require_option(self, value in choices, expected, value, "Choose one of them.")

    @property
    @abstractmethod
    def power(self) -> float:
        """Variance times fan."""

    def sample(self, key: PRNGKeyArray, kernel: Parameter) -> Array:
        return draw_entries(self.distribution, key, kernel.shape, math.sqrt(self.law(kernel).variance))

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

    def __post_init__(self) -> None:
        super().__post_init__()
        require_numbers(self, gain=self.gain)

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

    def __post_init__(self) -> None:
        super().__post_init__()
        require_numbers(self, gain=self.gain)

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

    def __post_init__(self) -> None:
        super().__post_init__()
        require_numbers(self, slope=self.slope)

    @property
    def power(self) -> float:
        return 2 / (1 + self.slope**2)
