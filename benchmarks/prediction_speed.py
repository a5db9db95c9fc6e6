"""How long does a prediction take, and how long would the same numbers take by sampling?

Forward and backward, after import: 1000 dense layers as `Repeat` and one by one, a residual network of 50 convolutions;
then at other widths and batches, of which a prediction knows nothing. Beside them, in the same run: (a) the same
statistics sampled, from one batch of 256 through the network at width 1024, forward and backward; (b) one pass of LSUV
(Mishkin and Matas 2016), a batch through the network for every layer until its output has unit variance.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import environment
import jax
import jax.numpy as jnp
from rich.console import Console
from rich.table import Table

import capas
from capas import nn, weights

REPEATS, DEPTH, WIDTH, BATCH = 5, 1000, 1024, 256
HE = weights.He()


def deep(width: int = 64, activation: str = "relu") -> nn.Layer:
    """1000 layers as one loop."""
    return nn.Sequential(nn.Dense(width), nn.Repeat(nn.Sequential(activation, nn.Dense(width)), DEPTH))


def with_head(activation: str) -> nn.Layer:
    """The same, and an output: what a loop writes last is no pairs where the network ends."""
    return nn.Sequential(deep(activation=activation), activation, nn.Dense(10))


def unrolled(width: int = 64) -> nn.Layer:
    """The same, one by one."""
    return nn.Sequential(nn.Dense(width), *[layer for _ in range(DEPTH) for layer in ("relu", nn.Dense(width))])


def residual(channels: int = 16) -> nn.Layer:
    """50 weight layers: a stem, 24 blocks of two convolutions with zero padding, a head."""
    block = nn.Sequential("relu", nn.Conv(channels, (3, 3)), "relu", nn.Conv(channels, (3, 3)))
    blocks = [nn.Residual(block)] * 24
    return nn.Sequential(nn.Conv(channels, (3, 3)), *blocks, "relu", nn.GlobalAvgPool(), nn.Dense(10))


DEFAULT = ", default weights"
"""Ends the names of cases that are read with these, and not with He's."""

CASES: dict[str, tuple[nn.Layer, tuple[int, ...]]] = {
    **{f"1000 layers, Repeat, {f}{DEFAULT}": (with_head(f), (64,)) for f in ("relu", "tanh", "sigmoid")},
    "1000 layers, Repeat, ReLU": (deep(), (64,)),
    "1000 layers, Repeat, tanh": (deep(activation="tanh"), (64,)),
    "1000 layers, Repeat, ReLU, width 4096": (deep(4096), (4096,)),
    "1000 layers, one by one": (unrolled(), (64,)),
    "50 convolutions, 8 x 8": (residual(), (8, 8, 3)),
    "50 convolutions, 8 x 8, 256 channels": (residual(256), (8, 8, 3)),
    "50 convolutions, 14 x 14": (residual(), (14, 14, 3)),
}


def median(function: Callable[[], Any], repeats: int = REPEATS) -> float:
    """Seconds, after one call that is not counted."""
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return sorted(times)[repeats // 2]


def sampled() -> Callable[[], Any]:
    """(a): moments of every layer's output and gradient of 1000 layers of width 1024, from one batch, compiled."""
    keys = jax.random.split(jax.random.key(0), DEPTH)

    @jax.jit
    def statistics(x: jax.Array, g: jax.Array) -> Any:
        def forward(x: jax.Array, key: jax.Array) -> tuple[jax.Array, Any]:
            y = jax.nn.relu(x @ (jax.random.normal(key, (WIDTH, WIDTH)) * (2 / WIDTH) ** 0.5))
            return y, (y.mean(), jnp.square(y).mean(), jnp.square(y.sum(0)).mean(), y > 0)

        def backward(g: jax.Array, step: Any) -> tuple[jax.Array, Any]:
            key, alive = step
            g = (g * alive) @ (jax.random.normal(key, (WIDTH, WIDTH)) * (2 / WIDTH) ** 0.5).T
            return g, jnp.square(g).mean()

        _, (*moments, alive) = jax.lax.scan(forward, x, keys)
        return moments, jax.lax.scan(backward, g, (keys, alive), reverse=True)[1]

    x, g = (jax.random.normal(jax.random.key(i), (BATCH, WIDTH)) for i in (1, 2))
    return lambda: jax.block_until_ready(statistics(x, g))


def lsuv() -> Callable[[], Any]:
    """(b): every layer rescaled by what one batch measures behind it, forward only."""
    keys = jax.random.split(jax.random.key(0), DEPTH)

    @jax.jit
    def scales(x: jax.Array) -> Any:
        def layer(x: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array]:
            z = x @ jax.random.orthogonal(key, WIDTH)
            scale = 1 / z.std()
            return jax.nn.relu(z * scale), scale

        return jax.lax.scan(layer, x, keys)[1]

    x = jax.random.normal(jax.random.key(1), (BATCH, WIDTH))
    return lambda: jax.block_until_ready(scales(x))


if __name__ == "__main__":
    console = Console(width=110)
    console.print(environment.describe())
    table = Table("what", title="seconds, median of 5", title_justify="left")
    for column in ("forward", "forward and backward"):
        table.add_column(column, justify="right")
    for name, (network, shape) in CASES.items():
        read = partial(capas.propagate, network, input_shape=shape, scheme="auto" if name.endswith(DEFAULT) else HE)
        seconds = [median(partial(read, backward=backward)) for backward in (False, True)]
        table.add_row(name, *(f"{s:.2f}" for s in seconds))
    table.add_row("(a) sampled: 1000 layers, width 1024, batch 256", "", f"{median(sampled(), 1):.2f}")
    table.add_row("(b) LSUV: 1000 layers, width 1024, batch 256", f"{median(lsuv(), 1):.2f}", "")
    console.print(table)
