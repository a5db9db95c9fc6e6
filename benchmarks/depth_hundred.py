"""At depth 100, for each of 14 activations: is what `capas.propagate` predicts what a batch shows, in every layer?

With the default weights: the largest difference of second moments and of gradient power, over all layers, in per cent.
With `capas.tailor`: the range over all layers of the second moment and of the mean behind the activation, and gradient
power at the first layer over that at the last, as measured. The table goes into docs/initialization.md.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import environment
import jax
import jax.numpy as jnp
import numpy as np
from maps.cells import ACTIVATIONS
from maps.grid import Grid, write
from rich.console import Console

import capas
from capas import nn

DEPTH, WIDTH, BATCH, DRAWS = 100, 256, 512, 8
COLUMNS = (
    "activation",
    "variance",
    "second moment, %",
    "gradient, %",
    "tailored: second moment",
    "mean",
    "gradient first / last",
)


class Moments(NamedTuple):
    """In every layer: mean square before the activation, mean and mean square behind it, gradient power before it."""

    second: np.ndarray[Any, Any]
    mean_behind: np.ndarray[Any, Any]
    second_behind: np.ndarray[Any, Any]
    gradient: np.ndarray[Any, Any]


def network(name: str) -> nn.Layer:
    """Square layers, each behind its activation, between a first one and a last one."""
    body = nn.Repeat(nn.Sequential(act=nn.Activation(name), dense=nn.Dense(WIDTH)), DEPTH)
    return nn.Sequential(first=nn.Dense(WIDTH), body=body, last=nn.Activation(name), head=nn.Dense(WIDTH))


def activation(net: nn.Layer) -> nn.Layer:
    """The activation of the repeated block."""
    return dict(dict(net.layers)["body"].block.layers)["act"]  # type: ignore[attr-defined,no-any-return]


def predicted(net: nn.Layer) -> Moments:
    """What the signals say: of the outputs of the first layer and of the repeated ones."""
    rows = {row.path: row for row in capas.propagate(net, input_shape=(WIDTH,)).rows}
    before = [rows["first"], *(rows[f"body/{i}/block/dense"] for i in range(DEPTH))]
    behind = [*(rows[f"body/{i}/block/act"] for i in range(DEPTH)), rows["last"]]
    columns = (("second", before), ("mean", behind), ("second", behind), ("gradient", before))
    return Moments(*(np.array([getattr(row, name) for row in some]) for name, some in columns))


def measured(net: nn.Layer) -> Moments:
    """The mean over draws of the weights, of normal inputs and of normal derivatives by the outputs."""
    draws = [
        _measured(net, activation(net), capas.init(net, (WIDTH,), seed=seed).params, seed) for seed in range(DRAWS)
    ]
    return Moments(*(np.mean(values, 0) for values in zip(*draws, strict=True)))


@partial(jax.jit, static_argnums=(0, 1))
def _measured(net: nn.Layer, act: nn.Layer, params: Any, seed: Any) -> Moments:
    one, two = jax.random.split(jax.random.key(seed))
    x = jax.random.normal(one, (BATCH, WIDTH)) @ params["first"]["weight"] + params["first"]["bias"]
    body = params["body"]["block"]["dense"]

    def layer(h: Any, inner: Any) -> Any:
        weight, bias, nothing = inner
        h = h + nothing
        behind, _ = act.apply({}, {}, h)
        return behind @ weight + bias, (h, behind)

    def output(nothing: Any) -> Any:
        h, (before, behind) = jax.lax.scan(layer, x, (body["weight"], body["bias"], nothing[:-1]))
        h = h + nothing[-1]
        last, _ = act.apply({}, {}, h)
        kept = jnp.concatenate([before, h[None]]), jnp.concatenate([behind, last[None]])
        return last @ params["head"]["weight"], kept

    y, back, (before, behind) = jax.vjp(output, jnp.zeros((DEPTH + 1, BATCH, WIDTH)), has_aux=True)
    (gradient,) = back(jax.random.normal(two, y.shape))
    over = (1, 2)
    return Moments((before**2).mean(over), behind.mean(over), (behind**2).mean(over), (gradient**2).mean(over))


def farthest(found: Any, expected: Any) -> str:
    """The largest difference in per cent."""
    return f"{100 * np.abs(found / expected - 1).max():.2f}"


def row(name: str) -> tuple[str, ...]:
    """One line of the table."""
    net = network(name)
    ours, theirs = predicted(net), measured(net)
    shaped = measured(capas.tailor(net, (WIDTH,)))
    low, high = shaped.second_behind.min(), shaped.second_behind.max()
    return (
        name,
        f"{ours.second[0]:.3g}",
        farthest(theirs.second, ours.second),
        farthest(theirs.gradient, ours.gradient),
        f"{low:.3f} to {high:.3f}",
        f"{np.abs(shaped.mean_behind).max():.4f}",
        f"{shaped.gradient[0] / shaped.gradient[-1]:.2f}",
    )


if __name__ == "__main__":
    measured_on = environment.describe()
    print(measured_on)
    title = f"{DEPTH} layers of width {WIDTH}; {BATCH} inputs and {DRAWS} draws of the weights"
    grid = Grid(title, COLUMNS, tuple(row(name) for name in ACTIVATIONS))
    Console(width=140).print(grid.rich())
    write("depth_hundred", [grid], [measured_on])
