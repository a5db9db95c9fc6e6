"""What stands between one kernel and the next: the functions that a kernel's inputs have gone through."""

from __future__ import annotations

import jax
from jaxtyping import Array

from ..nn import (
    Activation,
    AvgPool,
    Dropout,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    Layer,
    MaxPool,
    Parallel,
    PReLU,
    Repeat,
    Reshape,
    Residual,
    Sequential,
    Swish,
)
from ..nn.layer import Shape, paths
from ..signal.gaussian import is_elementwise

Functions = tuple[Activation, ...]
"""Elementwise functions, one after another; none where a signal counts as standard."""

KEEP = (Dropout, Flatten, Reshape, MaxPool, AvgPool, GlobalMaxPool, GlobalAvgPool)


def feeds(network: Layer, shape: Shape) -> dict[str, Functions]:
    """For the path of every kernel, the functions between a standard signal and its inputs.

    Example:
        >>> from capas import nn
        >>> from capas.weights.feed import feeds
        >>> feeds(nn.Sequential(nn.Dense(8), "relu", nn.Dropout(0.5), nn.Dense(2)), (4,))
        {'0/weight': (), '3/weight': (nn.Activation('relu'),)}
    """
    found: dict[str, Functions] = {}
    _through(network, shape, (), "", found)
    return found


def _through(layer: Layer, shape: Shape, before: Functions, path: str, found: dict[str, Functions]) -> Functions:
    """Note what reaches the kernels inside a layer, and return what its output has gone through."""

    def child(name: str, layer: Layer, shape: Shape, before: Functions) -> Functions:
        return _through(layer, shape, before, f"{path}/{name}" if path else name, found)

    match layer:
        case Sequential():
            for inside in layer.children(shape):
                before = child(*inside, before)
            return before
        case Repeat():
            (block,) = layer.children(shape)
            return child(*block, child(*block, before))
        case Residual() | Parallel():
            ends = {child(*inside, before) for inside in layer.children(shape)}
            joined = isinstance(layer, Parallel) and layer.combine == "concatenate"
            return ends.pop() if joined and len(ends) == 1 else ()
        case Activation() | PReLU() | Swish():
            function = _plain(layer)
            return (*before, function) if function.name or is_elementwise(function) else ()
    if isinstance(layer, KEEP):
        return before
    for name, parameter in paths(layer.parameters(shape)):
        if parameter.role == "kernel":
            found[f"{path}/{name}" if path else name] = () if layer.children(shape) else before
    return ()


def _plain(layer: Activation | PReLU | Swish) -> Activation:
    """A learned activation as the function that it starts as."""
    match layer:
        case PReLU(start=slope):
            return Activation("leaky_relu", negative_slope=slope)
        case Swish(start=beta):
            return Activation(_swish, beta=beta)
    return layer


def _swish(x: Array, beta: float) -> Array:
    return x * jax.nn.sigmoid(beta * x)
