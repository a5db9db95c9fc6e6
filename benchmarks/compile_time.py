"""Does compile time grow with depth? Dense layers as one `Repeat` (a scan) against the same layers one by one.

Prints seconds from description to compiled program, for the forward pass and for one training step.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import environment
import jax
import jax.numpy as jnp

from capas import init, losses, nn

WIDTH, BATCH = 64, 128


def networks(depth: int) -> dict[str, nn.Layer]:
    """The same plain network, in two ways."""
    block = nn.Sequential(nn.Dense(WIDTH), "relu")
    return {"Repeat": nn.Repeat(block, depth), "one by one": nn.Sequential(*[block] * depth)}


def seconds_to_compile(function: Callable[..., Any], *args: Any) -> float:
    """Tracing, lowering and compiling, for arguments of these shapes."""
    jax.clear_caches()
    start = time.perf_counter()
    jax.jit(function).lower(*args).compile()
    return time.perf_counter() - start


def measure(network: nn.Layer) -> tuple[float, float]:
    """Seconds for the forward pass and for the loss with its gradient."""
    model = init(network, (WIDTH,))
    x, y = jnp.ones((BATCH, WIDTH)), jnp.zeros(BATCH, int)

    def forward(params: Any, x: jax.Array) -> jax.Array:
        return network.apply(params, model.state, x)[0]

    def loss(params: Any, x: jax.Array, y: jax.Array) -> jax.Array:
        return losses.softmax_cross_entropy(forward(params, x), y).mean()

    return seconds_to_compile(forward, model.params, x), seconds_to_compile(
        jax.value_and_grad(loss), model.params, x, y
    )


if __name__ == "__main__":
    print(environment.describe())
    print(f"{'dense layers':>12}  {'written as':<10}  {'forward, s':>10}  {'training, s':>11}")
    for depth in (10, 50, 200):
        for name, network in networks(depth).items():
            forward, training = measure(network)
            print(f"{depth:>12}  {name:<10}  {forward:>10.2f}  {training:>11.2f}")
