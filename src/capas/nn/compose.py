"""Layers made of layers: chains, residual and parallel branches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from typing import Any, final

import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from ..errors import ArgumentError, ShapeError, located
from . import require
from .activation import as_layer
from .layer import Child, Layer, child_key, run
from .parameter import Shape, Tree


@final
@dataclass(frozen=True, repr=False, init=False)
class Sequential(Layer):
    r"""A chain: $y = f_n(\dots f_2(f_1(x)))$.

    Layers are named by position, or all by keyword: `nn.Sequential(encoder=..., head=...)`. Functions and names of
    activations become `Activation` layers.

    Example:
        >>> import jax
        >>> from capas import nn
        >>> net = nn.Sequential(nn.Dense(256), jax.nn.relu, nn.Dense(10))
        >>> net
        nn.Sequential(nn.Dense(256), nn.Activation('relu'), nn.Dense(10))
        >>> net.output_shape((784,))
        (10,)
        >>> nn.Sequential(encoder=nn.Dense(32), head=nn.Dense(10)).init(jax.random.key(0), (784,))[0].keys()
        dict_keys(['encoder', 'head'])
    """

    layers: tuple[tuple[str, Layer], ...]

    def __init__(self, *layers: object, **named: object) -> None:
        if layers and named:
            raise ArgumentError(
                "Sequential",
                expected="all layers with names or all without",
                got=f"{len(layers)} without and {len(named)} with",
                remedy="Name every layer.",
            )
        items = named.items() if named else ((str(i), layer) for i, layer in enumerate(layers))
        object.__setattr__(self, "layers", tuple(_named_layers(items)))

    def call(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        if all(name == str(i) for i, (name, _) in enumerate(self.layers)):
            return tuple(layer for _, layer in self.layers), {}
        return (), dict(self.layers)

    def children(self, shape: Shape) -> tuple[Child, ...]:
        found = []
        for name, layer in self.layers:
            found.append(Child(name, layer, shape))
            with located(name):
                shape = layer.output_shape(shape)
        return tuple(found)

    def output_shape(self, shape: Shape) -> Shape:
        for name, layer in self.layers:
            with located(name):
                shape = layer.output_shape(shape)
        return shape

    def apply(
        self, params: Tree, state: Tree, x: Array, *, key: PRNGKeyArray | None = None, training: bool = False
    ) -> tuple[Array, Tree]:
        states = {}
        for i, (name, layer) in enumerate(self.layers):
            x, states[name] = run(name, layer, params, state, x, key=child_key(key, i), training=training)
        return x, nonempty(states)


def _named_layers(items: Any) -> Iterator[tuple[str, Layer]]:
    for name, value in items:
        with located(name):
            if "/" in name:
                raise ArgumentError(
                    "Sequential", expected="names without '/'", got=repr(name), remedy="Nest chains instead."
                )
            yield name, as_layer(value)


def nonempty(states: Tree) -> Tree:
    """Without the children that have no state."""
    return {name: state for name, state in states.items() if state}


@final
@dataclass(frozen=True, repr=False)
class Residual(Layer):
    r"""A skip around a block: $y = \mathrm{shortcut}(x) + \mathrm{scale} \cdot \mathrm{block}(x)$.

    Source: He et al. (2016), "Deep residual learning".

    Args:
        block: the branch with the work in it.
        shortcut: what stands on the skip; None passes x as it is, and needs a block that keeps the shape.
        scale: factor on the block's output; $1/\sqrt{L}$ keeps the variance of L of them bounded by e.

    Example:
        >>> import jax
        >>> from capas import nn
        >>> nn.Residual(nn.Sequential("relu", nn.Dense(64))).output_shape((64,))
        (64,)
        >>> nn.Residual(nn.Dense(32), shortcut=nn.Dense(32, bias=False), scale=0.5).output_shape((64,))
        (32,)
    """

    block: Layer
    shortcut: Layer | None = None
    scale: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "block", as_layer(self.block))
        if self.shortcut is not None:
            object.__setattr__(self, "shortcut", as_layer(self.shortcut))

    def children(self, shape: Shape) -> tuple[Child, ...]:
        block = Child("block", self.block, shape)
        return (block,) if self.shortcut is None else (block, Child("shortcut", self.shortcut, shape))

    def output_shape(self, shape: Shape) -> Shape:
        shapes = child_shapes(self, shape)
        skip = shapes.get("shortcut", shape)
        if shapes["block"] != skip:
            raise ShapeError(
                "Residual",
                expected=f"a block that gives {skip}, the shape on the skip",
                got=str(shapes["block"]),
                remedy="Give it a shortcut that makes the same shape: nn.Dense(n), or nn.Conv(n, (1, 1), stride=...).",
            )
        return skip

    def apply(
        self, params: Tree, state: Tree, x: Array, *, key: PRNGKeyArray | None = None, training: bool = False
    ) -> tuple[Array, Tree]:
        self.output_shape(x.shape[1:])
        y, states = _run_all(self, params, state, x, key, training)
        skip = y.get("shortcut", x)
        return skip + (y["block"] if self.scale == 1 else self.scale * y["block"]), states


def child_shapes(layer: Layer, shape: Shape) -> dict[str, Shape]:
    """What every child gives, by its name."""
    shapes = {}
    for name, child, child_shape in layer.children(shape):
        with located(name):
            shapes[name] = child.output_shape(child_shape)
    return shapes


def _run_all(
    layer: Layer, params: Tree, state: Tree, x: Array, key: PRNGKeyArray | None, training: bool
) -> tuple[dict[str, Array], Tree]:
    """Every child on the same input."""
    outputs, states = {}, {}
    for i, (name, child, _) in enumerate(layer.children(x.shape[1:])):
        outputs[name], states[name] = run(name, child, params, state, x, key=child_key(key, i), training=training)
    return outputs, nonempty(states)


@final
@dataclass(frozen=True, repr=False)
class Parallel(Layer):
    r"""Several branches on the same input, combined.

    Args:
        branches: the layers.
        combine: "sum", "mean", "product" (elementwise, as in gating), or "concatenate" (along the channels).

    Example:
        >>> from capas import nn
        >>> nn.Parallel((nn.Conv(16, (1, 1)), nn.Conv(16, (3, 3))), combine="concatenate").output_shape((28, 28, 8))
        (28, 28, 32)
    """

    branches: tuple[Layer, ...]
    combine: str = "sum"

    def __post_init__(self) -> None:
        require.one_of(self, ("sum", "mean", "product", "concatenate"), combine=self.combine)
        if not isinstance(self.branches, (tuple, list)) or not self.branches:
            raise ArgumentError(
                "Parallel",
                expected="a tuple of at least one branch",
                got=repr(self.branches),
                remedy="Write nn.Parallel((first, second)).",
            )
        object.__setattr__(self, "branches", tuple(map(as_layer, self.branches)))

    def children(self, shape: Shape) -> tuple[Child, ...]:
        return tuple(Child(str(i), branch, shape) for i, branch in enumerate(self.branches))

    def output_shape(self, shape: Shape) -> Shape:
        shapes = list(child_shapes(self, shape).values())
        joined = self.combine == "concatenate"
        kept = {s[:-1] if joined else s for s in shapes}
        if len(kept) > 1 or (joined and () in shapes):
            raise ShapeError(
                "Parallel",
                expected=f"branches of one shape{' but for their channels' if joined else ''}",
                got=", ".join(map(str, shapes)),
                remedy='Change the last layer of a branch, or use combine="concatenate".',
            )
        return (*shapes[0][:-1], sum(s[-1] for s in shapes)) if joined else shapes[0]

    def apply(
        self, params: Tree, state: Tree, x: Array, *, key: PRNGKeyArray | None = None, training: bool = False
    ) -> tuple[Array, Tree]:
        self.output_shape(x.shape[1:])
        outputs, states = _run_all(self, params, state, x, key, training)
        ys = list(outputs.values())
        if self.combine == "concatenate":
            return jnp.concatenate(ys, axis=-1), states
        if self.combine == "product":
            return reduce(jnp.multiply, ys), states
        total = reduce(jnp.add, ys)
        return (total / len(ys) if self.combine == "mean" else total), states
