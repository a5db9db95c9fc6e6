"""What is refused, each refusal in one place: bad options, shapes that do not fit, the wrong kind of number."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..errors import ArgumentError, DataError, ShapeError
from .layer import Layer
from .parameter import Shape

WHOLE = (int, np.integer)

SHOWN = 60
"""Characters of what is not a layer."""


def network(what: str, value: object, input_shape: object) -> Shape:
    """A description, and the shape of one of its examples, which is returned as a tuple."""
    if not isinstance(value, Layer):
        raise ArgumentError(
            what,
            expected="a layer",
            got=repr(value)[:SHOWN],
            remedy="Wrap functions in nn.Activation, several layers in nn.Sequential; of a model, give its network.",
        )
    sizes = tuple(input_shape) if isinstance(input_shape, Iterable) else None
    if sizes is None or not all(_is_whole(n) and n > 0 for n in sizes):
        raise ArgumentError(
            what,
            expected="input_shape to be a tuple of whole numbers, the shape of one example",
            got=repr(input_shape),
            remedy="For example (784,), or (28, 28, 1).",
        )
    return tuple(map(int, sizes))


def counts(subject: str, **values: Any) -> None:
    """Settings that must be whole numbers of at least 1."""
    for name, value in values.items():
        if not (_is_whole(value) and value >= 1):
            expected, remedy = f"{name} of at least 1", "Give a whole number."
            raise ArgumentError(subject, expected=expected, got=repr(value), remedy=remedy)


def seed(subject: str, value: Any) -> None:
    """A seed, which must be a whole number of at least 0."""
    if not (_is_whole(value) and value >= 0):
        raise ArgumentError(subject, expected="seed of at least 0", got=repr(value), remedy="Give a whole number.")


def _is_whole(value: object) -> bool:
    return isinstance(value, WHOLE) and not isinstance(value, bool)


def positive(layer: Layer, **values: object) -> None:
    """Options that must be whole numbers of at least 1."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ArgumentError(
                type(layer).__name__,
                expected=f"{name} to be a whole number of at least 1",
                got=repr(value),
                remedy=f"Give it as an int, for example {name}=2.",
            )


def switches(layer: Layer, **values: object) -> None:
    """Options that must be True or False: what other libraries have in their place is a number or an activation."""
    for name, value in values.items():
        if not isinstance(value, bool):
            raise ArgumentError(
                type(layer).__name__,
                expected=f"{name} to be True or False",
                got=repr(value),
                remedy="The number of inputs is read from what comes in, and an activation is a layer of its own.",
            )


def between(layer: Layer, low: float, high: float, **values: float) -> None:
    """Options that must lie in [low, high)."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value < high:
            raise ArgumentError(
                type(layer).__name__,
                expected=f"{low} <= {name} < {high}",
                got=repr(value),
                remedy="Choose a Python number inside the interval.",
            )


def finite(layer: Layer, **values: float) -> None:
    """Options that must be finite numbers."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise ArgumentError(
                type(layer).__name__,
                expected=f"{name} to be a finite number",
                got=repr(value),
                remedy=f"Give it as a Python number, for example {name}=0.5.",
            )


def one_of(layer: Layer, choices: tuple[str, ...], **values: str) -> None:
    """Options that must be one of a few words."""
    for name, value in values.items():
        if value not in choices:
            raise ArgumentError(
                type(layer).__name__,
                expected=f"{name} to be one of {', '.join(map(repr, choices))}",
                got=repr(value),
                remedy="Choose one of them.",
            )


def divides(layer: Layer, groups: int, features: int, what: str) -> None:
    """A number of groups that must divide a number of features."""
    if features % groups:
        raise ArgumentError(
            type(layer).__name__,
            expected=f"a number of groups that divides the {features} {what}",
            got=f"groups={groups}",
            remedy=f"Choose a divisor of {features}.",
        )


def features(layer: Layer, shape: Shape) -> int:
    """The size of the last axis of an example, which must exist."""
    if not shape:
        raise ShapeError(
            type(layer).__name__,
            expected="examples with a feature axis",
            got="examples of shape ()",
            remedy="Give each example an axis: x[:, None].",
        )
    return shape[-1]


def positions(layer: Layer, shape: Shape, rank: int | None = None) -> Shape:
    """The axes of an example before its channels: `rank` of them, or at least one."""
    if len(shape) - 1 == rank or (rank is None and len(shape) > 1):
        return shape[:-1]
    wanted = {None: "positions, channels", 1: "length, channels", 2: "height, width, channels"}
    raise ShapeError(
        type(layer).__name__,
        expected=f"examples of shape ({wanted.get(rank, 'depth, height, width, channels')})",
        got=str(shape),
        remedy="Add the channel axis: x[..., None]."
        if len(shape) == rank
        else "Reshape the input with nn.Reshape, or change the rank of the window.",
    )


def finite_numbers(subject: str, name: str, array: Any, first_row: int = 0) -> None:
    """Numbers without NaN and infinity; the error gives the place of the first one."""
    with np.errstate(over="ignore", invalid="ignore"):
        if not np.issubdtype(array.dtype, np.floating) or np.isfinite(array.sum()):
            return  # a sum that only overflows is looked at again
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        row, *rest = (int(i) for i in bad[0])
        raise DataError(
            subject,
            expected="finite numbers",
            got=f"{array[tuple(bad[0])]} at {name}[{', '.join(map(str, (row + first_row, *rest)))}]",
            remedy="Remove or fill the missing values first.",
        )


def matches(layer: Layer, x: Array, channels: int, axes: int | None = None) -> None:
    """An array that must be floating, have `axes` axes (batch and channels included), and `channels` channels."""
    if not jnp.issubdtype(x.dtype, jnp.floating):
        raise DataError(
            type(layer).__name__,
            expected="x of a floating type",
            got=str(x.dtype),
            remedy="Write x.astype('float32'), and for images x / 255; turn categories into numbers with nn.Embedding.",
        )
    if x.ndim == (axes or max(x.ndim, 2)) and x.shape[-1] == channels:
        return
    raise ShapeError(
        type(layer).__name__,
        expected=f"x of shape (batch, {'..., ' if axes is None else '*, ' * (axes - 2)}{channels})",
        got=str(x.shape),
        remedy=_remedy(x.shape, channels, axes),
    )


def _remedy(shape: Shape, channels: int, axes: int | None) -> str:
    if axes is None and math.prod(shape[1:]) == channels and len(shape) > 2:
        return "Put nn.Flatten() before it."
    if len(shape) == (axes or 2) - 1 and shape[-1:] == (channels,):
        return "Add the batch axis: x[None]."
    return "Give the layer inputs like those it was initialized for, or initialize it anew."
