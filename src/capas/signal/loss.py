"""The power of a loss's gradient at the outputs of a network, before any training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import losses
from ..errors import ArgumentError
from .quadrature import normal_nodes

Power = Callable[[int, float, float], float]


def softmax_power(outputs: int, mean: float, variance: float) -> float:
    r"""Of softmax cross-entropy, per logit: $E p^2 + 1/n - 2/n^2$ for n independent normal logits and any one class.

    With $1/S^2 = \int_0^\infty t\,e^{-tS}\,dt$ for the sum S of the exponentials, $E p^2 = \int t\,E[e^{2z - t e^z}]\,
    E[e^{-t e^z}]^{n-1}\,dt$. A shared mean changes nothing.

    Example:
        >>> from capas.signal.loss import softmax_power
        >>> print(f"{softmax_power(10, 0.0, 1.0):.7f} {softmax_power(10, 0.0, 0.0):.3f}")
        0.0994687 0.090
    """
    if variance <= 0:
        return (1 - 1 / outputs) / outputs
    z, weight = normal_nodes(np.zeros((1, 0)))
    powers = np.exp(np.sqrt(variance) * z[0])

    def integrand(log_t: float) -> float:
        t = np.exp(log_t)
        decay = np.exp(-t * powers)
        others = float((weight[0] * decay).sum()) ** (outputs - 1)
        return float(t * t * (weight[0] * powers**2 * decay).sum() * others)

    from scipy.integrate import quad  # half the import time of capas, were it at the top

    spread = 8 * np.sqrt(variance) + 12
    square = quad(integrand, -spread - np.log(outputs), spread, epsabs=1e-12, epsrel=1e-9, limit=200)[0]
    return float(square + 1 / outputs - 2 / outputs**2)


def mse_power(outputs: int, mean: float, variance: float) -> float:
    r"""Of the mean square error over n outputs, with independent standard targets: $4 (E y^2 + 1) / n^2$.

    Example:
        >>> from capas.signal.loss import mse_power
        >>> mse_power(4, 0.0, 1.0)
        0.5
    """
    return 4 * (variance + mean**2 + 1) / outputs**2


powers: dict[Any, Power] = {losses.softmax_cross_entropy: softmax_power, losses.mse: mse_power}


def output_power(loss: Any, outputs: int, mean: float, variance: float) -> float:
    """Mean square of the derivative of one example's loss by one output.

    Raises `ArgumentError` for a loss of which it is not known.
    """
    if loss in powers:
        return powers[loss](outputs, mean, variance)
    raise ArgumentError(
        "propagate",
        expected="loss=losses.softmax_cross_entropy or losses.mse",
        got=getattr(loss, "__name__", repr(loss)),
        remedy="Give output_gradient, the mean square of its derivative by one output, instead.",
    )
