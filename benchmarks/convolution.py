"""The gradient of a convolution's kernel, written in several equivalent ways: which is the fastest for which shape?

Equivalent programs: `lax`, what JAX makes of it; `capas`, what `capas.nn.convolve` does; `taps`, one matrix product for
each place of the window; `rows`, the places along one axis side by side, one product for each of the other; `columns`,
all places side by side, one product. The first two also as a body of a loop. Prints GFLOP/s, medians of repeats in
turn, and the forward pass beside them.
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
from maps.grid import Grid, write
from rich.console import Console

from capas.nn.convolve import Geometry, convolve

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
    (16, (28, 28), (3, 3), 256, 256),
    (32, (7, 7), (3, 3), 512, 512),
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
    return transposed(lambda w: forward(x, w), x, g, window)


def transposed(function: Callable[[Array], Array], x: Array, g: Array, window: tuple[int, ...]) -> Array:
    """The gradient of a kernel, of which this is a function."""
    w = jnp.zeros((*window, x.shape[-1], g.shape[-1]))
    return jax.vjp(function, w)[1](g)[0]


def around(window: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """Zeros below and above that keep the positions."""
    return tuple(((k - 1) // 2, k // 2) for k in window)


def padded(x: Array, window: tuple[int, ...]) -> Array:
    """Zeros around it, as the convolution sees it."""
    return jnp.pad(x, ((0, 0), *around(window), (0, 0)))


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


def by_capas(x: Array, g: Array, window: tuple[int, ...]) -> Array:
    """With the axes in the fast order, and for a few examples at a time."""
    rank = len(window)
    geometry = Geometry((1,) * rank, around(window), (1,) * rank, (1,) * rank)
    return transposed(lambda w: convolve(x, w, geometry), x, g, window)


Way = Callable[[Array, Array, tuple[int, ...]], Array]
LOOP = 2
"""Rounds of a loop."""

LARGE = 5e9
"""Operations from which on no loop is tried: with JAX alone it would take a minute."""


def looped(way: Way) -> Way:
    """The same as the body of a loop, whose rounds cannot be taken together."""

    def loop(x: Array, g: Array, window: tuple[int, ...]) -> Array:
        start = jnp.zeros((*window, x.shape[-1], g.shape[-1]))
        return lax.fori_loop(0, LOOP, lambda _, last: way(x, g + 0 * last.sum(), window), start)

    return loop


WAYS: dict[str, Way] = {
    "lax": by_lax,
    "capas": by_capas,
    "lax, loop": looped(by_lax),
    "capas, loop": looped(by_capas),
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
    operations = 2.0 * n * math.prod(positions) * math.prod(window) * inputs * outputs
    for name, way in WAYS.items():
        if name.endswith("loop") and operations > LARGE:
            continue
        made[name] = _bound(jax.jit(way, static_argnums=2), x, g, window)
        assert jnp.allclose(made[name](), expected, rtol=1e-3, atol=1e-2 * float(jnp.abs(expected).mean())), name
    return made, operations


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
            times = count * (LOOP if name.endswith("loop") else 1)
            seen[name].append(operations * times / (time.perf_counter() - start) / 1e9)
    return {name: statistics.median(values) for name, values in seen.items()}


def main() -> None:
    """Measure all shapes, print the table, and write it for the docs."""
    smoke, ways, rows = "--smoke" in sys.argv, ("forward", *WAYS), []
    measured_on = environment.describe()
    print(measured_on)
    for shape in SHAPES:
        found = rates(*programs(shape), 1 if smoke else ROUNDS)
        n, positions, window, inputs, outputs = shape
        sides = ("x".join(map(str, positions)), "x".join(map(str, window)), f"{inputs} to {outputs}")
        rows.append((str(n), *sides, *(f"{found[way]:.0f}" if way in found else "" for way in ways)))
    columns = ("examples", "positions", "window", "channels", *ways)
    grid = Grid("Gradient of a kernel, GFLOP/s", columns, tuple(rows))
    Console(width=140).print(grid.rich())
    if not smoke:
        write("convolution", [grid], [measured_on])


if __name__ == "__main__":
    main()
