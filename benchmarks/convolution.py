"""The gradient of a convolution's kernel, written in several equivalent ways: which is the fastest for which shape?

XLA:CPU computes it at half the speed of the forward pass. Equivalent programs: `lax`, its own transpose; `taps`, one
matrix product for each place of the window; `rows`, the places along one axis side by side, one product for each of the
other; `columns`, all places side by side, one product. Prints GFLOP/s, medians of repeats in turn, and the forward
pass beside them.
"""

from __future__ import annotations

import math
import statistics
import sys
import time
from collections.abc import Callable
from itertools import product
from typing import Any

import environment
import jax
import jax.numpy as jnp
from jax import Array, lax
from rich.console import Console
from rich.table import Table

SHAPES = (
    # examples, positions, window, channels in and out
    (128, (28, 28), (3, 3), 1, 32),
    (128, (28, 28), (3, 3), 32, 64),
    (128, (14, 14), (3, 3), 32, 64),
    (128, (14, 14), (3, 3), 64, 64),
    (64, (32, 32), (3, 3), 3, 16),
    (64, (32, 32), (3, 3), 16, 16),
    (64, (16, 16), (3, 3), 32, 32),
    (64, (8, 8), (3, 3), 64, 64),
    (64, (32, 32), (1, 1), 16, 32),
    (128, (100,), (5,), 6, 64),
    (128, (50,), (5,), 64, 64),
)
ROUNDS, SECONDS = 7, 0.2


def numbers(rank: int) -> tuple[str, str, str]:
    """Channels last."""
    axes = "DHW"[-rank:]
    return f"N{axes}C", f"{axes}IO", f"N{axes}C"


def forward(x: Array, w: Array) -> Array:
    """The convolution itself, padded so that it keeps the positions."""
    rank = w.ndim - 2
    return lax.conv_general_dilated(x, w, (1,) * rank, "SAME", dimension_numbers=numbers(rank))


def by_lax(x: Array, g: Array, window: tuple[int, ...]) -> Array:
    """What JAX makes of it."""
    w = jnp.zeros((*window, x.shape[-1], g.shape[-1]))
    return jax.vjp(lambda w: forward(x, w), w)[1](g)[0]


def padded(x: Array, window: tuple[int, ...]) -> Array:
    """Zeros around it, as the convolution sees it."""
    return jnp.pad(x, ((0, 0), *(((k - 1) // 2, k // 2) for k in window), (0, 0)))


def shifted(x: Array, offsets: tuple[int, ...], sizes: tuple[int, ...]) -> Array:
    """What one place of the window meets."""
    return x[(slice(None), *(slice(o, o + n) for o, n in zip(offsets, sizes, strict=True)))]


def contracted(x: Array, g: Array) -> Array:
    """Over examples and positions."""
    axes = tuple(range(x.ndim - 1))
    return lax.dot_general(x, g, ((axes, axes), ((), ())))


def by_taps(x: Array, g: Array, window: tuple[int, ...]) -> Array:
    """One product for each place of the window."""
    x, sizes = padded(x, window), g.shape[1:-1]
    parts = [contracted(shifted(x, places, sizes), g) for places in product(*map(range, window))]
    return jnp.stack(parts).reshape(*window, x.shape[-1], g.shape[-1])


def by_rows(x: Array, g: Array, window: tuple[int, ...]) -> Array:
    """The places along the last axis side by side, and one product for each of the others."""
    x, sizes = padded(x, window), g.shape[1:-1]
    outer = (*x.shape[1:-2], sizes[-1])
    zeros = (0,) * (len(window) - 1)
    wide = jnp.concatenate([shifted(x, (*zeros, i), outer) for i in range(window[-1])], -1)
    parts = [contracted(shifted(wide, (*places, 0), sizes), g) for places in product(*map(range, window[:-1]))]
    return jnp.stack(parts).reshape(*window, x.shape[-1], g.shape[-1])


def by_columns(x: Array, g: Array, window: tuple[int, ...]) -> Array:
    """All places side by side, and one product."""
    x, sizes = padded(x, window), g.shape[1:-1]
    wide = jnp.concatenate([shifted(x, places, sizes) for places in product(*map(range, window))], -1)
    return contracted(wide, g).reshape(*window, x.shape[-1], g.shape[-1])


WAYS: dict[str, Callable[[Array, Array, tuple[int, ...]], Array]] = {
    "lax": by_lax,
    "taps": by_taps,
    "rows": by_rows,
    "columns": by_columns,
}


def programs(shape: Any) -> tuple[dict[str, Callable[[], Array]], float]:
    """The compiled programs of a shape, which must agree, and the floating-point operations of one."""
    n, positions, window, inputs, outputs = shape
    one, two, three = jax.random.split(jax.random.key(0), 3)
    x = jax.random.normal(one, (n, *positions, inputs))
    g = jax.random.normal(two, (n, *positions, outputs))
    w = jax.random.normal(three, (*window, inputs, outputs))
    made: dict[str, Callable[[], Array]] = {"forward": _bound(jax.jit(forward), x, w)}
    expected = by_lax(x, g, window)
    for name, way in WAYS.items():
        made[name] = _bound(jax.jit(way, static_argnums=2), x, g, window)
        assert jnp.allclose(made[name](), expected, rtol=1e-3, atol=1e-2 * float(jnp.abs(expected).mean())), name
    return made, 2.0 * n * math.prod(positions) * math.prod(window) * inputs * outputs


def _bound(function: Any, *values: Any) -> Callable[[], Array]:
    return lambda: jax.block_until_ready(function(*values))


def rates(made: dict[str, Callable[[], Array]], operations: float, rounds: int) -> dict[str, float]:
    """GFLOP/s of each, one after the other in every round."""
    seen: dict[str, list[float]] = {name: [] for name in made}
    for _ in range(rounds):
        for name, run in made.items():
            start, count = time.perf_counter(), 0
            while time.perf_counter() - start < SECONDS or not count:
                run()
                count += 1
            seen[name].append(operations * count / (time.perf_counter() - start) / 1e9)
    return {name: statistics.median(values) for name, values in seen.items()}


if __name__ == "__main__":
    console = Console(width=120)
    console.print(environment.describe())
    table = Table(
        "examples", "positions", "window", "channels", "forward", *WAYS, title="GFLOP/s", title_justify="left"
    )
    for shape in SHAPES:
        found = rates(*programs(shape), 1 if "--smoke" in sys.argv else ROUNDS)
        n, positions, window, inputs, outputs = shape
        sides = ("x".join(map(str, positions)), "x".join(map(str, window)), f"{inputs} to {outputs}")
        table.add_row(str(n), *sides, *(f"{rate:.0f}" for rate in found.values()))
    console.print(table)
