"""Networks as plain descriptions that every contestant builds in its own words, with their shapes and operations.

The parameters of a layer are named by its place: its number in the chain, then `block` inside `Residual` and `Repeat`,
`shortcut` beside a `Residual`. Kernels are (inputs, outputs) and (*window, inputs, outputs), signals channels last.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Dense:
    """Weights and biases."""

    features: int


@dataclass(frozen=True)
class Conv:
    """A convolution with odd windows, padded by half of them on either side."""

    features: int
    window: Shape
    stride: int = 1
    bias: bool = True


@dataclass(frozen=True)
class BatchNorm:
    """Normalization over the batch and all positions, with scale 1 and bias 0 to start from, epsilon 1e-5."""


@dataclass(frozen=True)
class Relu:
    """The positive part."""


@dataclass(frozen=True)
class MaxPool:
    """The maximum of windows that tile the positions; what is left over is cut off."""

    window: Shape


@dataclass(frozen=True)
class Mean:
    """The mean over all positions."""


@dataclass(frozen=True)
class Flatten:
    """Positions and channels as one axis, channels fastest."""


@dataclass(frozen=True)
class Residual:
    """A block plus what stands on the skip beside it; nothing there passes the signal as it is."""

    block: tuple[Layer, ...]
    shortcut: tuple[Layer, ...] = ()


@dataclass(frozen=True)
class Repeat:
    """Copies of a block that keeps the shape, parameters stacked along a first axis."""

    block: tuple[Layer, ...]
    copies: int


Layer = Dense | Conv | BatchNorm | Relu | MaxPool | Mean | Flatten | Residual | Repeat
Chain = tuple[Layer, ...]


def places(chain: Chain, shape: Shape, path: str = "") -> Iterator[tuple[str, Layer, Shape]]:
    """The layers of a chain, each with its path and the shape of its input."""
    for i, layer in enumerate(chain):
        yield f"{path}{i}", layer, shape
        shape = output_shape(layer, shape)


def chain_shape(chain: Chain, shape: Shape) -> Shape:
    """The output's shape, of one example."""
    for layer in chain:
        shape = output_shape(layer, shape)
    return shape


def output_shape(layer: Layer, shape: Shape) -> Shape:
    """The same of a layer."""
    match layer:
        case Dense(features):
            return (*shape[:-1], features)
        case Conv(features, _, stride):
            return (*(-(-n // stride) for n in shape[:-1]), features)
        case MaxPool(window):
            return (*(n // w for n, w in zip(shape[:-1], window, strict=True)), shape[-1])
        case Mean():
            return shape[-1:]
        case Flatten():
            return (math.prod(shape),)
        case Residual(block):
            return chain_shape(block, shape)
        case _:
            return shape


def multiply_adds(chain: Chain, shape: Shape) -> int:
    """Of kernels, forward, for one example."""
    return sum(_multiply_adds(layer, at) for _, layer, at in places(chain, shape))


def _multiply_adds(layer: Layer, shape: Shape) -> int:
    match layer:
        case Dense(features):
            return math.prod(shape) * features
        case Conv(_, window):
            return math.prod(window) * shape[-1] * math.prod(output_shape(layer, shape))
        case Residual(block, shortcut):
            return multiply_adds(block, shape) + multiply_adds(shortcut, shape)
        case Repeat(block, copies):
            return copies * multiply_adds(block, shape)
        case _:
            return 0


def operations(chain: Chain, shape: Shape) -> int:
    """Floating-point operations of a training step for one example: two for each multiply-add of a kernel.

    Forward once; backward once for the weights and once for the inputs, which the first layer does not need.
    """
    return 2 * (3 * multiply_adds(chain, shape) - multiply_adds(chain[:1], shape))
