"""The networks of the maps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax

import capas
from capas import nn

from .cells import LINEAR, LINEAR_MODEL, Cell

WIDTH = 64
Shape = tuple[int, ...]


def build(cell: Cell, shape: Shape, classes: int) -> nn.Layer:
    """The network of a cell."""
    if cell.variant == LINEAR_MODEL:
        return nn.Sequential(nn.Flatten(), nn.Dense(classes)) if len(shape) > 1 else nn.Dense(classes)
    if cell.variant == "shallow":
        return shallow(cell, shape, classes)
    if cell.variant == "tailored":
        return capas.tailor(dense(cell, classes, plain), shape)
    if cell.variant in BLOCKS:
        options = {"remat": True} if cell.variant == "remat" else {}
        return dense(cell, classes, BLOCKS[cell.variant], **options)
    width, padding = cell.variant.split()
    return convolutional(cell, classes, int(width), padding)


def activate(cell: Cell) -> tuple[nn.Layer, ...]:
    """The activation; none in the linear deep network."""
    return () if cell.activation == LINEAR else (nn.Activation(cell.activation),)


def plain(cell: Cell) -> nn.Layer:
    """A square layer after its activation."""
    return nn.Sequential(*activate(cell), nn.Dense(WIDTH))


def residual(cell: Cell) -> nn.Layer:
    """The same with a skip, scaled so that the variance of all of them together stays bounded."""
    return nn.Residual(plain(cell), scale=cell.depth**-0.5)


def normalized(cell: Cell) -> nn.Layer:
    """The same with batch normalization before the activation."""
    return nn.Sequential(nn.BatchNorm(), *activate(cell), nn.Dense(WIDTH))


BLOCKS: dict[str, Callable[[Cell], nn.Layer]] = {
    "plain": plain,
    "remat": plain,
    "residual": residual,
    "batch norm": normalized,
}


def dense(cell: Cell, classes: int, block: Callable[[Cell], nn.Layer], **options: Any) -> nn.Layer:
    """`depth` square blocks between the first layer and the last: depth + 2 weight matrices."""
    body = {"body": nn.Repeat(block(cell), cell.depth, **options)} if cell.depth else {}
    return _chain(cell, nn.Dense(WIDTH), body, nn.Dense(classes))


def _chain(cell: Cell, first: nn.Layer, body: Mapping[str, nn.Layer], head: nn.Layer) -> nn.Layer:
    last = dict(zip(("last",), activate(cell), strict=False))
    return nn.Sequential(**{"first": first, **body, **last, "head": head})


def shallow(cell: Cell, shape: Shape, classes: int) -> nn.Layer:
    """One hidden layer, as wide as gives the number of parameters of the plain network of that depth."""
    total = parameters(dense(cell, classes, plain), shape)
    hidden = round((total - classes) / (shape[0] + 1 + classes))
    return _chain(cell, nn.Dense(hidden), {}, nn.Dense(classes))


def convolutional(cell: Cell, classes: int, width: int, padding: str) -> nn.Layer:
    """Two strided convolutions to 7 x 7 positions, `depth` more that keep them, and a dense layer.

    At 28 x 28 positions a single run at depth 100 and width 32 would take hours on a core.
    """

    def conv(stride: int) -> nn.Layer:
        return nn.Conv(width, (3, 3), stride=stride, padding=padding)

    body = {"body": nn.Repeat(nn.Sequential(*activate(cell), conv(1)), cell.depth)} if cell.depth else {}
    stem = nn.Sequential(conv(2), *activate(cell), conv(2))
    return _chain(cell, stem, body, nn.Sequential(nn.Flatten(), nn.Dense(classes)))


def parameters(network: nn.Layer, shape: Shape) -> int:
    """How many numbers are trained."""
    return sum(parameter.size for parameter in jax.tree.leaves(network.parameters(shape)))
