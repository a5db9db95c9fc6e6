"""What the machine can do: the rate of large matrix products."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

SIZE = 2048
REPEATS = 3


def rates() -> dict[str, float]:
    """Operations per second, in 10^9, of the fastest of some products of square matrices."""
    ones = np.ones((SIZE, SIZE), np.float32)
    product = jax.jit(jnp.matmul)
    single, half = (jnp.asarray(ones, dtype) for dtype in (jnp.float32, jnp.bfloat16))
    return {
        "numpy": _rate(lambda: ones @ ones),
        "jax": _rate(lambda: jax.block_until_ready(product(single, single))),
        "jax_bfloat16": _rate(lambda: jax.block_until_ready(product(half, half))),
    }


def _rate(multiply: Callable[[], Any]) -> float:
    multiply()
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        multiply()
        seconds.append(time.perf_counter() - start)
    return 2 * SIZE**3 / min(seconds) / 1e9
