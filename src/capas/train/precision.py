"""In how many bits training computes."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from ..compiler import has_half_products
from ..errors import ArgumentError

FULL, HALF = "float32", "bfloat16"

COARSE = 32.0
"""Standard deviations from zero to the mean of a feature, from which on 8 bits leave too little of it."""


def cast(tree: Any, precision: str) -> Any:
    """Floating arrays of a tree in the precision of the computation."""
    if precision == FULL:
        return tree
    return jax.tree.map(lambda a: a.astype(precision) if jnp.issubdtype(a.dtype, jnp.floating) else a, tree)


def usable(precision: str) -> str:
    """The precision that was asked for, or float32 with a warning, where bfloat16 would be slower than that.

    Nothing is scaled for bfloat16: its exponents are those of float32, and gradients do not vanish in it as they do in
    float16.
    """
    if precision not in {FULL, HALF}:
        raise ArgumentError(
            "fit",
            expected='precision to be "float32" or "bfloat16"',
            got=repr(precision),
            remedy="bfloat16 computes in half the bits and keeps the weights in float32.",
        )
    if precision == FULL or has_half_products():
        return precision
    text = (
        f"fit: JAX {jax.__version__} has no products in bfloat16 on this processor and would compute them in float32, "
        "with what it takes to convert them. Training is done in float32. JAX 0.12 has them on processors that do."
    )
    warnings.warn(text, stacklevel=3)
    return FULL


def warn_of_coarse(inputs: Mapping[str, Mapping[str, jax.Array]], precision: str) -> None:
    """Warn where raw features lose what tells examples apart: numbers of bfloat16 have 8 significant bits."""
    if precision != HALF:
        return
    worst = max((float(jnp.abs(m["mean"] / m["std"]).max()) for m in inputs.values()), default=0.0)
    if worst > COARSE:
        text = (
            f"fit: the mean of a feature is {worst:.3g} of its standard deviations, and bfloat16 rounds it to 1/256 of "
            "the mean. Take the mean off before, or train in float32."
        )
        warnings.warn(text, stacklevel=3)
