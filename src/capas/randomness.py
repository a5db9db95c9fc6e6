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
    return jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), purpose), step)


def host_generator(seed: int, purpose: Purpose, step: int = 0) -> np.random.Generator:
    """The same for choices made on the host: orders and splits of data."""
    return np.random.default_rng((seed, purpose, step))
