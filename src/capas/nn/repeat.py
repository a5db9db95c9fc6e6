"""Copies of a block, one after another, as one loop."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, final

import jax
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from ..errors import ShapeError, located
from . import require
from .activation import as_layer
from .compose import child_shapes, nonempty
from .conv import Conv, ConvTranspose
from .layer import Child, Layer, Shape, Tree, is_observed, run


@final
@dataclass(frozen=True, repr=False)
class Repeat(Layer):
    """`copies` copies of a block, one after another, each with parameters of its own.

    Parameters and state are stacked along a first axis and the block runs as one `jax.lax.scan`, so compile time does
    not grow with depth. Blocks with convolutions are unrolled on CPU, where XLA runs a convolution inside a loop on
    one thread, ten to twenty times slower.

    Args:
        block: a layer that keeps the shape of its input.
        copies: how many.

    Example:
        >>> import jax
        >>> from capas import nn
        >>> deep = nn.Repeat(nn.Sequential(nn.Dense(64), "tanh"), 100)
        >>> deep.init(jax.random.key(0), (64,))[0]["block"]["0"]["weight"].shape
        (100, 64, 64)
    """

    block: Layer
    copies: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "block", as_layer(self.block))
        require.positive(self, copies=self.copies)

    def children(self, shape: Shape) -> tuple[Child, ...]:
        return (Child("block", self.block, shape),)

    def output_shape(self, shape: Shape) -> Shape:
        found = child_shapes(self, shape)["block"]
        if found == shape:
            return shape
        raise ShapeError(
            "Repeat",
            expected=f"a block that keeps the shape {shape} of its input",
            got=str(found),
            remedy="Change the block's last layer, or put a layer before the Repeat that makes the block's shape.",
        )

    def parameters(self, shape: Shape) -> Tree:
        return self._stack(Layer.parameters(self, shape))

    def statistics(self, shape: Shape) -> Tree:
        return self._stack(Layer.statistics(self, shape))

    def _stack(self, tree: Tree) -> Tree:
        stacked: Tree = jax.tree.map(lambda p: replace(p, copies=(self.copies, *p.copies)), tree)
        return stacked

    def apply(
        self, params: Tree, state: Tree, x: Array, *, key: PRNGKeyArray | None = None, training: bool = False
    ) -> tuple[Array, Tree]:
        self.output_shape(x.shape[1:])

        def block(x: Array, inner: tuple[Tree, Tree, PRNGKeyArray | None]) -> tuple[Array, Tree]:
            params, state, key = inner
            y, new = run("block", self.block, params, state, x, key=key, training=training)
            return y, nonempty({"block": new})

        keys = None if key is None else jax.random.split(key, self.copies)
        if is_observed():
            return self._one_by_one(block, x, (params, state, keys))
        unroll = jax.default_backend() == "cpu" and contains(self.block, (Conv, ConvTranspose))
        return jax.lax.scan(block, x, (params, state, keys), length=self.copies, unroll=self.copies if unroll else 1)

    def _one_by_one(self, block: Any, x: Array, stacked: Any) -> tuple[Array, Tree]:
        states = []
        for i in range(self.copies):
            with located(str(i)):
                x, new = block(x, jax.tree.map(lambda a, i=i: a[i], stacked))
            states.append(new)
        return x, jax.tree.map(lambda *copies: jnp.stack(copies), *states)


def contains(layer: Layer, kinds: tuple[type[Layer], ...]) -> bool:
    """Whether a layer is, or has inside, one of `kinds`."""
    if isinstance(layer, kinds):
        return True
    return any(
        contains(child, kinds) for child in jax.tree.leaves(list(vars(layer).values())) if isinstance(child, Layer)
    )
