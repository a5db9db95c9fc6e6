"""Losses for numbers."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, ArrayLike, Float

from ..errors import ArgumentError
from .contract import contract, per_example, prepare
from .targets import same_shape, within


@contract(same_shape, logits=False)
def mse(
    outputs: ArrayLike, targets: ArrayLike, *, weights: ArrayLike | None = None, mask: ArrayLike | None = None
) -> Float[Array, "batch"]:
    r"""Mean squared error, $(o - t)^2$, averaged over the outputs of an example.

    Args:
        outputs: shape `(batch, ...)`.
        targets: of the same shape, exactly.
        weights: factors, shape `(batch,)` or that of the outputs.
        mask: booleans, False leaves a value out; shape `(batch,)` or that of the outputs.

    Raises `ShapeError` where shapes differ: (N,) against (N, 1) would broadcast to all pairs.

    Example:
        >>> import jax.numpy as jnp
        >>> from capas import losses
        >>> losses.mse(jnp.array([[1.0, 2.0], [3.0, 4.0]]), jnp.array([[1.0, 4.0], [3.0, 3.0]])).tolist()
        [2.0, 0.5]
    """
    o, t = prepare(mse, outputs, targets, mask)
    return per_example(mse, optax.squared_error(o, t), weights, mask)


@contract(same_shape, logits=False)
def mae(
    outputs: ArrayLike, targets: ArrayLike, *, weights: ArrayLike | None = None, mask: ArrayLike | None = None
) -> Float[Array, "batch"]:
    r"""Mean absolute error, $|o - t|$; its minimum is the median. Arguments as in `mse`.

    Example:
        >>> import jax.numpy as jnp
        >>> from capas import losses
        >>> losses.mae(jnp.array([1.0, 5.0]), jnp.array([2.0, 2.0])).tolist()
        [1.0, 3.0]
    """
    o, t = prepare(mae, outputs, targets, mask)
    return per_example(mae, jnp.abs(o - t), weights, mask)


@contract(same_shape, logits=False)
def huber(
    outputs: ArrayLike,
    targets: ArrayLike,
    *,
    delta: float = 1.0,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
) -> Float[Array, "batch"]:
    r"""$e^2/2$ for an error of $|e| \le \delta$, and $\delta(|e| - \delta/2)$ beyond. Other arguments as in `mse`.

    Source: Huber (1964), "Robust estimation of a location parameter".

    Args:
        delta: the error from which on it counts linearly, > 0.

    Example:
        >>> import jax.numpy as jnp
        >>> from capas import losses
        >>> losses.huber(jnp.array([0.5, 3.0]), jnp.array([0.0, 0.0])).tolist()
        [0.125, 2.5]
    """
    if not delta > 0:
        raise ArgumentError("huber", expected="delta > 0", got=repr(delta), remedy="For delta near 0 use losses.mae.")
    o, t = prepare(huber, outputs, targets, mask)
    return per_example(huber, optax.huber_loss(o, t, delta=delta), weights, mask)


@contract(within(0, np.inf, "Counts are never negative."), logits=True)
def poisson(
    outputs: ArrayLike, targets: ArrayLike, *, weights: ArrayLike | None = None, mask: ArrayLike | None = None
) -> Float[Array, "batch"]:
    r"""Negative log-likelihood of counts, $e^o - t\,o$, for outputs that are log rates; $\log t!$ is left out.

    Arguments as in `mse`. From $o > 88$ on the rate is infinite in float32, and so is the loss.

    Example:
        >>> import jax.numpy as jnp
        >>> from capas import losses
        >>> losses.poisson(jnp.array([0.0, 0.0]), jnp.array([0, 3])).tolist()
        [1.0, 1.0]
    """
    o, t = prepare(poisson, outputs, targets, mask)
    return per_example(poisson, jnp.exp(o) - t * o, weights, mask)
