"""A description read for its kernels: what each reads, through which functions, and what becomes of what it writes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from ..nn import (
    Activation,
    AvgPool,
    BatchNorm,
    Dropout,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    GroupNorm,
    InstanceNorm,
    Layer,
    LayerNorm,
    MaxPool,
    Parallel,
    Parameter,
    PReLU,
    Repeat,
    Reshape,
    Residual,
    RMSNorm,
    Sequential,
    Shaped,
    Swish,
    WeightStandardized,
)
from ..nn.layer import Child
from ..nn.parameter import Shape
from ..nn.walk import joined, paths
from ..signal.gaussian import is_elementwise
from .branches import Branches
from .functions import plain
from .notes import Notes
from .points import begun, block, outside, renewed, reshaped, through, union
from .streams import Kernel, Point, Scale, Stream

CARRY = (Flatten, MaxPool, AvgPool, GlobalMaxPool, GlobalAvgPool)
"""Layers that are taken to change nothing of the power, and that keep pairs of units."""

NORMALIZE = (BatchNorm, LayerNorm, RMSNorm, GroupNorm, InstanceNorm)
"""Layers that bring the power to the square of their scale, in training, and keep pairs of units."""

OUTPUT = 0.1
"""The variance of what the last kernel writes: outputs start as noise, of a tenth of the power of a standard target."""


def read_kernels(network: Layer, shape: Shape, given: Iterable[str] = ()) -> dict[str, Kernel]:
    """All kernels of a network by their paths, in the order of the computation.

    Args:
        network: the description.
        shape: of one example.
        given: paths of kernels whose scheme is not for us to choose.

    Example:
        >>> from capas import nn
        >>> from capas.weights.reader import read_kernels
        >>> found = read_kernels(nn.Sequential(nn.Dense(8), "relu", nn.Dropout(0.5), nn.Dense(2)), (4,))
        >>> [(path, kernel.reads.functions, kernel.reads.stream.blocked) for path, kernel in found.items()]
        [('0/weight', (), "the network's input"), ('3/weight', (nn.Activation('relu'),), '')]
    """
    return read_kernels_and_scales(network, shape, given)[0]


def read_kernels_and_scales(
    network: Layer, shape: Shape, given: Iterable[str] = ()
) -> tuple[dict[str, Kernel], dict[str, Scale]]:
    """The same, and the scales of all normalizations."""
    notes = Notes(frozenset(given))
    start = Point(Stream("the network's input", raw=True), (), None, shape[-1] if shape else 1, raw=1.0)
    end = _Reader(notes).read(network, shape, start, "")
    block(end.stream, "the network's output")
    notes.end("", end)
    root = end.stream.root
    writers = [kernel.copies for kernel in notes.kernels.values() if kernel.writes.root is root]
    root.ends = OUTPUT if writers == [1] and not end.functions and not root.normalized else 1.0
    return notes.kernels, notes.scales


class _Reader(Branches):
    """One reading of a description."""

    def read(self, layer: Layer, shape: Shape, before: Point, path: str) -> Point:
        """Note the kernels inside a layer; the place behind it."""
        match layer:
            case Sequential():
                for name, child, inner in layer.children(shape):
                    before = self.read(child, inner, before, joined(path, name))
                return before
            case Repeat():
                return self._repeat(layer, shape, before, path)
            case Residual():
                return self.residual(layer, shape, before, path)
            case Parallel():
                return self.parallel(layer, shape, before, path)
            case Dropout(rate):
                return replace(before, kept=before.kept * (1 - rate))
            case Reshape():
                return reshaped(layer.output_shape(shape), before)
            case Activation() | PReLU() | Swish() | Shaped():
                before, function = renewed(before), plain(layer)
                if function.name or is_elementwise(function):
                    bare = before.standard and not before.functions
                    places = union(before.places, (self.notes.place(path),)) if bare else ()
                    return replace(through(before, function), standard=False, places=places)
        if isinstance(layer, CARRY):
            return before
        if isinstance(layer, NORMALIZE):
            return self._normalized(layer, shape, before, path)
        return self._kernels(layer, shape, before, path)

    def _kernels(self, layer: Layer, shape: Shape, before: Point, path: str) -> Point:
        declared = {n: p for n, p in paths(layer.parameters(shape)) if p.role == "kernel"}
        output = layer.output_shape(shape)
        why = _unpaired(layer, declared)
        given = "a scheme that was given" if any(joined(path, name) in self.notes.given for name in declared) else ""
        if why or given:
            block(before.stream, why or given)
        if layer.children(shape) or not declared:
            unknown = f"power unknown {'behind' if not declared else 'inside'} {layer!r}"
            before = Point(before.stream, (), None, before.channels, is_written=before.is_written, unknown=unknown)
        after, sizes = Stream(given or why), (math.prod(shape), math.prod(output))
        for name, parameter in declared.items():
            self.notes.kernel(joined(path, name), parameter, layer, sizes, before, after)
        channels = output[-1] if output else 1
        if not declared:
            return replace(before, stream=after, channels=channels, standard=False)
        stretch = self.notes.stretch
        return Point(after, (), stretch, channels, is_written=True, since=stretch.branches)

    def _normalized(self, layer: Layer, shape: Shape, before: Point, path: str) -> Point:
        scale = self.notes.normalized(path, scaled="scale" in layer.parameters(shape))
        behind = begun(before, scale)
        if not before.functions:
            before.stream.root.normalized = True
            before.stream.root.batch |= isinstance(layer, BatchNorm)
            return behind
        normalized = before.normalized if before.is_centred else layer
        return replace(behind, functions=before.functions, arrives=before.arrives, normalized=normalized)

    def _repeat(self, layer: Repeat, shape: Shape, before: Point, path: str) -> Point:
        (child,) = layer.children(shape)
        inside = joined(path, child.name)
        with self.notes.repeated(layer.copies):
            once = self.read(child.layer, child.shape, before, inside)
            if layer.copies > 1:
                once = self._again(child, before, once, inside)
        return once

    def _again(self, child: Child, before: Point, once: Point, path: str) -> Point:
        """Read what is repeated behind itself."""
        first = self.notes.forget(path)
        since = min(once.since, once.arrives.branches) if once.arrives else 0
        again = replace(once, stream=once.stream.join(before.stream), since=since)
        twice = self.read(child.layer, child.shape, again, path)
        for name, point in first.items():
            kernel, before_it = self.notes.kernels[name], outside(point.places, path)
            kernel.reads = replace(kernel.reads, places=union(before_it, kernel.reads.places))
        return replace(twice, stream=twice.stream.join(before.stream))


def _unpaired(layer: Layer, declared: dict[str, Parameter]) -> str:
    """Why a layer keeps its units from being pairs."""
    if not declared:
        return f"behind {layer!r}"
    if len(declared) > 1 or any(p.groups > 1 for p in declared.values()):
        return f"{layer!r} has groups, or several kernels"
    return "standardized weights" if isinstance(layer, WeightStandardized) else ""
