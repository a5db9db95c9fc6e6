"""Copies of a block, one after another, as one loop."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, final

import jax
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from ..errors import ShapeError, located
from . import require
from .activation import as_layer
from .compose import child_shapes, nonempty
from .keep import keep_what_is_dear
from .layer import Child, Layer, is_observed, run
from .parameter import Shape, Tree
from .plain import is_plain
from .walk import ends_in_kernel, has_windows


@final
@dataclass(frozen=True, repr=False)
class Repeat(Layer):
    r"""`copies` copies of a block, one after another, each with parameters of its own.

    Parameters and state are stacked along a first axis and the block runs as one `jax.lax.scan`, so compile time does
    not grow with depth. For the way back it keeps products and sums, and computes the rest anew.

    With `remat` the way back computes signals anew instead of keeping them: of L copies about $2\sqrt L$ signals are
    kept, and the way forward is gone three times instead of once. Source: Chen et al. (2016), "Training deep nets with
    sublinear memory cost".

    Args:
        block: a layer that keeps the shape of its input.
        copies: how many.
        remat: whether signals are computed anew on the way back.

    Example:
        >>> import jax
        >>> from capas import nn
        >>> deep = nn.Repeat(nn.Sequential(nn.Dense(64), "tanh"), 100)
        >>> deep.init(jax.random.key(0), (64,))[0]["block"]["0"]["weight"].shape
        (100, 64, 64)
    """

    block: Layer
    copies: int
    remat: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "block", as_layer(self.block))
        require.positive(self, copies=self.copies)
        require.switches(self, remat=self.remat)

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
        if self.remat and not is_plain():
            return self._in_groups(block, x, (params, state, keys))
        if not (is_plain() or has_windows(self.block, x.shape[1:])):
            block = keep_what_is_dear(block, comparisons=not ends_in_kernel(self.block, x.shape[1:]))
        return jax.lax.scan(block, x, (params, state, keys), length=self.copies)

    def _in_groups(self, block: Any, x: Array, stacked: Any) -> tuple[Array, Tree]:
        """About the root of `copies` groups: what is inside one is kept only while the way back goes through it."""
        again = partial(jax.checkpoint, prevent_cse=False)
        size = _group(self.copies)
        cut = self.copies - self.copies % size
        whole, rest = (jax.tree.map(lambda a, part=part: a[part], stacked) for part in (slice(cut), slice(cut, None)))
        groups = jax.tree.map(lambda a: a.reshape(-1, size, *a.shape[1:]), whole)

        @again
        def group(x: Array, inner: Any) -> tuple[Array, Tree]:
            return jax.lax.scan(again(block), x, inner)

        x, states = jax.lax.scan(group, x, groups)
        if cut == self.copies:
            return x, jax.tree.map(lambda a: a.reshape(cut, *a.shape[2:]), states)
        x, last = group(x, rest)
        return x, jax.tree.map(lambda a, b: jnp.concatenate([a.reshape(cut, *a.shape[2:]), b]), states, last)

    def _one_by_one(self, block: Any, x: Array, stacked: Any) -> tuple[Array, Tree]:
        states = []
        for i in range(self.copies):
            with located(str(i)):
                x, new = block(x, jax.tree.map(lambda a, i=i: a[i], stacked))
            states.append(new)
        return x, jax.tree.map(lambda *copies: jnp.stack(copies), *states)


def _group(copies: int) -> int:
    """How many copies are a group: about the root, and if possible a divisor, since what is left over is copied."""
    root = math.isqrt(copies)
    divisors = [n for n in range(root // 2 + 1, 2 * root) if copies % n == 0]
    return min(divisors, key=lambda n: abs(n - root), default=root)
