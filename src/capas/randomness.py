"""One seed: every random choice has a purpose and a step, so that any of them can be repeated alone."""

from __future__ import annotations

from enum import IntEnum

import jax
import numpy as np
from jaxtyping import Array, PRNGKeyArray


class Purpose(IntEnum):
    """What a random number is for."""

    WEIGHTS = 0
    SPLIT = 1
    ORDER = 2
    DROPOUT = 3


def derive(seed: int, purpose: Purpose, step: int | Array = 0) -> PRNGKeyArray:
    """The key of one step of one purpose; `step` may be traced."""
    return _derive(np.int64(seed), int(purpose), step)  # an int beyond 32 bits is no argument of a program


@jax.jit
def _derive(seed: int | Array, purpose: int | Array, step: int | Array) -> PRNGKeyArray:
    """As one program, since each part of it alone takes as long to compile."""
    return jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), purpose), step)


def host_generator(seed: int, purpose: Purpose, step: int = 0) -> np.random.Generator:
    """The same for choices made on the host: orders and splits of data."""
    return np.random.default_rng((seed, purpose, step))


def enough(count: int, base: int, least: int) -> int:
    """A power of `base`, times `least`, that is no less than a count.

    JAX compiles a program for every number of random numbers. The first of many are those of few, so all can be drawn
    in a few sizes.
    """
    size = least
    while size < count:
        size *= base
    return size
