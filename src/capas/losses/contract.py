"""What all losses share: their targets are checked, values are masked, weighted and averaged per example."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from ..errors import ArgumentError, ShapeError

Shape = tuple[int, ...]
Check = Callable[[str, Shape, Array, Array | None], None]
"""`check(loss's name, shape of the outputs, targets, mask)` raises where the targets do not fit."""

Loss = Callable[..., Array]


class _Contract(NamedTuple):
    check: Check
    logits: bool


_contracts: dict[Loss, _Contract] = {}


def contract(check: Check, *, logits: bool) -> Callable[[Loss], Loss]:
    """Declare what targets a loss takes, and whether it applies the softmax or sigmoid to the outputs itself."""

    def declare(loss: Loss) -> Loss:
        _contracts[loss] = _Contract(check, logits)
        return loss

    return declare


def bare(loss: Loss) -> Loss:
    """A loss without the arguments that `functools.partial` holds for it.

    Example:
        >>> from functools import partial
        >>> from capas import losses
        >>> losses.bare(partial(losses.huber, delta=2.0)) is losses.huber
        True
    """
    while isinstance(loss, functools.partial):
        loss = loss.func
    return loss


def _declared(loss: Loss) -> tuple[str, _Contract | None]:
    loss = bare(loss)
    return getattr(loss, "__name__", repr(loss)), _contracts.get(loss)


def check_targets(loss: Loss, outputs_shape: Shape, targets: ArrayLike) -> None:
    """Refuse targets that a loss of this package does not take for outputs of this shape; others are not checked.

    Values are checked where there are any: inside `jax.jit` only the shape and type are.

    Example:
        >>> from capas import losses
        >>> losses.check_targets(losses.softmax_cross_entropy, (2, 3), [0, 3])
        Traceback (most recent call last):
        capas.errors.DataError: softmax_cross_entropy: expected classes from 0 to 2, got 3 at position (1,). Number the
        classes from 0, and give the network one output per class.
    """
    name, known = _declared(loss)
    if known is not None:
        known.check(name, tuple(outputs_shape), _array(targets), None)


def from_logits(loss: Loss) -> bool:
    """Whether a loss applies the softmax or sigmoid itself, so that the network must not end in one.

    Example:
        >>> from capas import losses
        >>> losses.from_logits(losses.softmax_cross_entropy), losses.from_logits(losses.mse)
        (True, False)
    """
    known = _declared(loss)[1]
    return known is not None and known.logits


def prepare(loss: Loss, outputs: ArrayLike, targets: ArrayLike, mask: ArrayLike | None) -> tuple[Array, Array]:
    """Outputs in float32 or better, targets that the loss takes (classes stay integers); zeros where the mask is False.

    Zeros before the computation, not after: a gradient through an infinite value would be NaN even times zero.
    """
    outputs, targets = _array(outputs), _array(targets)
    name, known = _declared(loss)
    kept = None if mask is None else _boolean(name, mask)
    if known is not None:
        known.check(name, outputs.shape, targets, kept)
    precise = jnp.issubdtype(outputs.dtype, jnp.floating) and outputs.dtype.itemsize >= 4
    outputs = outputs if precise else outputs.astype(jnp.float32)
    if targets.ndim == outputs.ndim:
        targets = targets.astype(outputs.dtype)
    if kept is None:
        return outputs, targets
    return _zeroed(name, kept, outputs), _zeroed(name, kept, targets)


def _zeroed(name: str, kept: Array, values: Array) -> Array:
    return jnp.where(spread(name, "mask", kept, values.shape), values, jnp.zeros((), values.dtype))


def _boolean(name: str, mask: ArrayLike) -> Array:
    mask = _array(mask)
    if mask.dtype == bool:
        return mask
    raise ArgumentError(
        name,
        expected="a mask of booleans, True where a value counts",
        got=str(mask.dtype),
        remedy="Write mask != 0; fractions are weights.",
    )


def spread(name: str, what: str, values: Array, shape: Shape) -> Array:
    """Weights or a mask with an axis of size 1 for each axis that they do not have."""
    if values.ndim and values.shape == shape[: values.ndim]:
        return values.reshape(values.shape + (1,) * (len(shape) - values.ndim))
    raise ShapeError(
        name,
        expected=f"{what} of shape {shape[:1]}" + (f" or {shape}" if len(shape) > 1 else ""),
        got=str(values.shape),
        remedy="Give one entry per example, or one per value.",
    )


def per_example(loss: Loss, values: Array, weights: ArrayLike | None, mask: ArrayLike | None) -> Float[Array, "batch"]:
    r"""$\ell_i = \sum_j m_{ij} w_{ij} v_{ij} / \sum_j m_{ij}$, and 0 where no value of an example counts."""
    name = _declared(loss)[0]
    if weights is not None:
        values = values * spread(name, "weights", _array(weights).astype(values.dtype), values.shape)
    axes = tuple(range(1, values.ndim))
    if mask is None:
        return values.mean(axes)
    kept = jnp.broadcast_to(spread(name, "mask", _array(mask), values.shape), values.shape)
    return jnp.where(kept, values, 0).sum(axes) / jnp.maximum(kept.sum(axes), 1).astype(values.dtype)


def mean(values: Float[Array, "batch"], weights: ArrayLike | None = None, mask: ArrayLike | None = None) -> Array:
    r"""The mean over examples, $\sum_i m_i w_i v_i / \sum_i m_i w_i$, and 0 where nothing counts.

    An example of weight 0 does not count, even where its value is NaN.

    Args:
        values: shape `(batch,)`.
        weights: nonnegative, shape `(batch,)`.
        mask: booleans, shape `(batch,)`.

    Example:
        >>> import jax.numpy as jnp
        >>> from capas import losses
        >>> losses.mean(jnp.array([1.0, 4.0, jnp.nan]), weights=jnp.array([1.0, 2.0, 0.0])).item()
        3.0
    """
    if weights is None and mask is None:
        return values.mean()
    given = jnp.ones_like(values) if weights is None else _array(weights).astype(values.dtype)
    factors = spread("mean", "weights", given, values.shape)
    if mask is not None:
        factors = jnp.where(spread("mean", "mask", _boolean("mean", mask), values.shape), factors, 0)
    total = factors.sum()
    return jnp.where(factors > 0, values * factors, 0).sum() / jnp.where(total > 0, total, 1)


def _array(values: ArrayLike) -> Array:
    return values if isinstance(values, jax.Array) else jnp.asarray(values)
