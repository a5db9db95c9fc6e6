"""Losses for classes, from logits."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, ArrayLike, Float

from ..errors import ArgumentError
from .contract import contract, per_example, prepare
from .targets import classes_or_distributions, distributions, signs, within

probabilities = within(0, 1, "Targets are 0, 1, or a probability between them.")


@contract(classes_or_distributions, logits=True)
def softmax_cross_entropy(
    outputs: ArrayLike,
    targets: ArrayLike,
    *,
    label_smoothing: float = 0.0,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
) -> Float[Array, "batch"]:
    r"""Cross-entropy of classes, $-\sum_k t_k \log \mathrm{softmax}(o)_k$, from logits of any size.

    Args:
        outputs: logits, shape `(batch, ..., classes)`.
        targets: integer classes of shape `(batch, ...)`, or one-hot or soft targets of the shape of the outputs.
        label_smoothing: the share $\alpha$ of a target that all classes divide, $(1 - \alpha)t_k + \alpha/K$.
        weights: factors, shape `(batch,)` or `(batch, ...)`.
        mask: booleans, False leaves a position out, whatever its class; shape `(batch,)` or `(batch, ...)`.

    Raises `DataError` for a class out of range; inside `jax.jit`, where no values are known, its loss is NaN.

    Label smoothing: Szegedy et al. (2016), section 7.

    Example:
        >>> import jax.numpy as jnp
        >>> from capas import losses
        >>> logits = jnp.array([[0.0, 1e4], [0.0, 1e4]])
        >>> losses.softmax_cross_entropy(logits, jnp.array([0, 1])).tolist()
        [10000.0, 0.0]
        >>> losses.softmax_cross_entropy(logits, jnp.array([[0.25, 0.75], [0.5, 0.5]])).tolist()
        [2500.0, 5000.0]
    """
    if not 0 <= label_smoothing < 1:
        raise ArgumentError(
            "softmax_cross_entropy",
            expected="0 <= label_smoothing < 1",
            got=repr(label_smoothing),
            remedy="0.1 is usual.",
        )
    o, t = prepare(softmax_cross_entropy, outputs, targets, mask)
    values = _of_classes(o, t) if t.ndim < o.ndim else optax.softmax_cross_entropy(o, t)
    if label_smoothing:
        uniform = jax.nn.logsumexp(o, axis=-1) - o.mean(-1)
        values = (1 - label_smoothing) * values + label_smoothing * uniform
    return per_example(softmax_cross_entropy, values, weights, mask)


def _of_classes(logits: Array, classes: Array) -> Array:
    """A class out of range reads NaN; a negative one, left alone, would count from the end."""
    classes = classes.astype(jnp.int32)  # in 8 bits there may be no number that is out of range
    outside = jnp.where(classes < 0, logits.shape[-1], classes)
    return optax.softmax_cross_entropy_with_integer_labels(logits, outside)


@contract(probabilities, logits=True)
def binary_cross_entropy(
    outputs: ArrayLike, targets: ArrayLike, *, weights: ArrayLike | None = None, mask: ArrayLike | None = None
) -> Float[Array, "batch"]:
    r"""$-t \log \sigma(o) - (1 - t) \log(1 - \sigma(o))$, from logits of any size: one yes or no per output.

    Args:
        outputs: logits, shape `(batch, ...)`.
        targets: 0, 1 or probabilities, of the same shape.
        weights: factors, shape `(batch,)` or that of the outputs.
        mask: booleans, False leaves a value out; shape `(batch,)` or that of the outputs.

    Example:
        >>> import jax.numpy as jnp
        >>> from capas import losses
        >>> losses.binary_cross_entropy(jnp.array([1e4, 1e4]), jnp.array([0, 1])).tolist()
        [10000.0, 0.0]
    """
    o, t = prepare(binary_cross_entropy, outputs, targets, mask)
    return per_example(binary_cross_entropy, optax.sigmoid_binary_cross_entropy(o, t), weights, mask)


@contract(probabilities, logits=True)
def focal(
    outputs: ArrayLike,
    targets: ArrayLike,
    *,
    gamma: float = 2.0,
    alpha: float | None = None,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
) -> Float[Array, "batch"]:
    r"""Binary cross-entropy times $(1 - p_t)^\gamma$: examples that are already right count less.

    $p_t$ is the probability $\sigma(o)$ gives to the target. Other arguments as in `binary_cross_entropy`.

    Source: Lin et al. (2017), "Focal loss for dense object detection".

    Args:
        gamma: >= 0; at 0 it is the binary cross-entropy.
        alpha: weight of positive targets against $1 - \alpha$ for negative ones, in [0, 1]; None weighs both by 1.

    Example:
        >>> import jax.numpy as jnp
        >>> from capas import losses
        >>> losses.focal(jnp.array([0.0, 1e4]), jnp.array([1, 1])).round(4).tolist()
        [0.17329999804496765, 0.0]
    """
    if not gamma >= 0:
        raise ArgumentError("focal", expected="gamma >= 0", got=repr(gamma), remedy="2 is usual.")
    if alpha is not None and not 0 <= alpha <= 1:
        raise ArgumentError("focal", expected="0 <= alpha <= 1", got=repr(alpha), remedy="0.25 is usual with gamma=2.")
    o, t = prepare(focal, outputs, targets, mask)
    return per_example(focal, optax.sigmoid_focal_loss(o, t, alpha=alpha, gamma=gamma), weights, mask)


@contract(signs, logits=False)
def hinge(
    outputs: ArrayLike, targets: ArrayLike, *, weights: ArrayLike | None = None, mask: ArrayLike | None = None
) -> Float[Array, "batch"]:
    r"""$\max(0, 1 - t\,o)$ for targets of -1 or 1: zero once an output is on the right side by 1.

    Source: Cortes and Vapnik (1995), "Support-vector networks". Shapes as in `binary_cross_entropy`.

    Example:
        >>> import jax.numpy as jnp
        >>> from capas import losses
        >>> losses.hinge(jnp.array([0.5, 2.0, 2.0]), jnp.array([1, 1, -1])).tolist()
        [0.5, 0.0, 3.0]
    """
    o, t = prepare(hinge, outputs, targets, mask)
    return per_example(hinge, optax.hinge_loss(o, t), weights, mask)


@contract(distributions, logits=True)
def kl_divergence(
    outputs: ArrayLike, targets: ArrayLike, *, weights: ArrayLike | None = None, mask: ArrayLike | None = None
) -> Float[Array, "batch"]:
    r"""$\sum_k t_k (\log t_k - \log \mathrm{softmax}(o)_k)$ from logits; 0 where the two distributions agree.

    Source: Kullback and Leibler (1951).

    Args:
        outputs: logits, shape `(batch, ..., classes)`.
        targets: probabilities of the same shape.
        weights: factors, shape `(batch,)` or `(batch, ...)`.
        mask: booleans, False leaves a position out; shape `(batch,)` or `(batch, ...)`.

    Example:
        >>> import jax.numpy as jnp
        >>> from capas import losses
        >>> losses.kl_divergence(jnp.zeros((2, 2)), jnp.array([[0.5, 0.5], [1.0, 0.0]])).round(4).tolist()
        [0.0, 0.6930999755859375]
    """
    o, t = prepare(kl_divergence, outputs, targets, mask)
    return per_example(kl_divergence, optax.kl_divergence(jax.nn.log_softmax(o), t), weights, mask)
