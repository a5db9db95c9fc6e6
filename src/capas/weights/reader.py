"""A description read for its kernels: what each reads, through which functions, and what becomes of what it writes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import jax
from jaxtyping import Array

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
    Residual,
    RMSNorm,
    Sequential,
    Shaped,
    Swish,
    WeightStandardized,
)
from ..nn.layer import Shape, paths
from ..signal.gaussian import is_elementwise
from .streams import Kernel, Place, Point, Stream, Stretch

CARRY = (Dropout, Flatten, MaxPool, AvgPool, GlobalMaxPool, GlobalAvgPool)
"""Layers that are taken to change nothing of the power, and that keep pairs of units."""

NORMALIZE = (BatchNorm, LayerNorm, RMSNorm, GroupNorm, InstanceNorm)
"""Layers that bring the power to 1, and keep pairs of units."""

OUTPUT = 0.1
"""The variance of what the last kernel writes: outputs start as noise, of a tenth of the power of a standard target."""


def read_streams(network: Layer, shape: Shape, given: Iterable[str] = ()) -> dict[str, Kernel]:
    """All kernels of a network by their paths, in the order of the computation.

    Args:
        network: the description.
        shape: of one example.
        given: paths of kernels whose scheme is not for us to choose.

    Example:
        >>> from capas import nn
        >>> from capas.weights.reader import read_streams
        >>> found = read_streams(nn.Sequential(nn.Dense(8), "relu", nn.Dropout(0.5), nn.Dense(2)), (4,))
        >>> [(path, kernel.reads.functions, kernel.reads.stream.blocked) for path, kernel in found.items()]
        [('0/weight', (), "the network's input"), ('3/weight', (nn.Activation('relu'),), '')]
    """
    reader = _Reader(frozenset(given))
    start = Point(Stream("the network's input"), (), None, shape[-1] if shape else 1, is_input=True)
    end = reader.read(network, shape, start, "")
    root = end.stream.root
    root.blocked = root.blocked or "the network's output"
    if root.ends is None:
        writers = [kernel.copies for kernel in reader.kernels.values() if kernel.writes.root is root]
        root.ends = OUTPUT if writers == [1] and not end.functions else 1.0
    return reader.kernels


class _Reader:
    """One reading of a description.

    Args:
        given: paths of kernels whose scheme is given.
    """

    def __init__(self, given: frozenset[str]) -> None:
        self.given = given
        self.kernels: dict[str, Kernel] = {}
        self.stretch, self.copies, self.outside, self.within, self.inside = Stretch(), 1, 1, 1, False

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
                return self._residual(layer, shape, before, path)
            case Parallel():
                return self._parallel(layer, shape, before, path)
            case Activation() | PReLU() | Swish() | Shaped():
                function = plain(layer)
                if function.name or is_elementwise(function):
                    here = (Place(path, self.stretch.line, self.copies // self.outside),)
                    places = _union(before.places, here) if before.standard and not before.functions else ()
                    functions = (*before.functions, function)
                    return replace(before, functions=functions, standard=False, places=places)
        if isinstance(layer, CARRY):
            return before
        if isinstance(layer, NORMALIZE):
            return self._normalized(before)
        return self._kernels(layer, shape, before, path)

    def _kernels(self, layer: Layer, shape: Shape, before: Point, path: str) -> Point:
        declared = {n: p for n, p in paths(layer.parameters(shape)) if p.role == "kernel"}
        output = layer.output_shape(shape)
        why = _unpaired(layer, declared)
        if why or any(joined(path, name) in self.given for name in declared):
            _block(before.stream, why or "a scheme that was given")
        if layer.children(shape) or not declared:
            before = replace(before, functions=(), arrives=None, is_input=False, places=())
        after = Stream(before.stream.root.blocked if why else "")
        if any(joined(path, name) in self.given for name in declared):
            after.blocked = "a scheme that was given"
        for name, parameter in declared.items():
            added = before.arrives.branches if before.arrives is not None else 0
            copies = self.copies, self.copies // self.outside, self.copies // self.within
            kernel = Kernel(parameter, layer, before, after, self.stretch, *copies, added, self.inside)
            self.kernels[joined(path, name)] = kernel
            self.stretch.kernels.append(kernel)
            self.stretch.line.append(kernel)
        arrives, channels = self.stretch if declared else None, output[-1] if output else 1
        return Point(after, (), arrives, channels, standard=bool(declared))

    def _normalized(self, before: Point) -> Point:
        before.stream.root.ends = 1.0
        self.stretch, self.within = Stretch(self.stretch.line), self.copies
        behind = Stream().join(before.stream)
        return replace(before, stream=behind, functions=(), arrives=None, is_input=False, standard=True, places=())

    def _repeat(self, layer: Repeat, shape: Shape, before: Point, path: str) -> Point:
        (block,) = layer.children(shape)
        self.copies *= layer.copies
        once = self.read(block.layer, block.shape, before, joined(path, block.name))
        if layer.copies > 1:
            first = self._forget(joined(path, block.name))
            again = replace(once, stream=once.stream.join(before.stream))
            once = self.read(block.layer, block.shape, again, joined(path, block.name))
            for name, point in first.items():
                kernel = self.kernels[name]
                kernel.reads = replace(kernel.reads, places=_union(point.places, kernel.reads.places))
            once = replace(once, stream=once.stream.join(before.stream))
        self.copies //= layer.copies
        self.within = min(self.within, self.copies)
        return once

    def _forget(self, path: str) -> dict[str, Point]:
        """Take back what was noted of the layers under a path: they are read again, behind themselves.

        Returns what every kernel read.
        """
        forgotten = {}
        for name in [name for name in self.kernels if name.startswith(f"{path}/")]:
            kernel = self.kernels.pop(name)
            forgotten[name] = kernel.reads
            kernel.stretch.kernels.remove(kernel)
            kernel.stretch.line.remove(kernel)
            if kernel.branch_of is not None:
                kernel.branch_of.branches -= kernel.copies
        return forgotten

    def _branch(self, layer: Layer, shape: Shape, before: Point, path: str, scale: float) -> Point:
        """A branch whose output is added to the signal: a stretch of its own."""
        main, self.stretch = self.stretch, Stretch()
        before_it = self.inside, self.outside, self.within
        self.inside, self.outside, self.within = True, self.copies, self.copies
        known = set(self.kernels)
        out = self.read(layer, shape, before, path)
        inner = [self.kernels[name] for name in self.kernels.keys() - known]
        place = main.branches if any(kernel.reads.arrives is main for kernel in inner) else 0
        for kernel in inner:
            if kernel.writes.root is out.stream.root and out.arrives is not None and kernel.branch_of is None:
                kernel.branch_of, kernel.scale, kernel.place = main, scale, place
                main.branches += kernel.copies
        self.stretch, (self.inside, self.outside, self.within) = main, before_it
        return out

    def _residual(self, layer: Residual, shape: Shape, before: Point, path: str) -> Point:
        children = {child.name: child for child in layer.children(shape)}
        skip = before
        if "shortcut" in children:
            skip = self.read(layer.shortcut, shape, before, joined(path, "shortcut"))  # type: ignore[arg-type]
        out = self._branch(layer.block, shape, before, joined(path, "block"), layer.scale)
        stream = skip.stream.join(out.stream)
        functions = skip.functions if skip.functions == out.functions else ()
        standard, places = all(p.standard or p.places for p in (skip, out)), _union(skip.places, out.places)
        return Point(stream, functions, skip.arrives, skip.channels, standard=standard, places=places)

    def _parallel(self, layer: Parallel, shape: Shape, before: Point, path: str) -> Point:
        ends = [self.read(child, shape, before, joined(path, name)) for name, child, shape in layer.children(shape)]
        stream = ends[0].stream
        for end in ends[1:]:
            stream = stream.join(end.stream)
        if layer.combine in {"concatenate", "product"}:
            _block(stream, f"branches combined by {layer.combine}")
        alike = layer.combine == "concatenate" and len({end.functions for end in ends}) == 1
        channels = layer.output_shape(shape)[-1]
        standard = alike and all(end.standard for end in ends)
        places = () if layer.combine == "product" else _union(*(end.places for end in ends))
        functions, arrives = (ends[0].functions, ends[0].arrives) if alike else ((), None)
        return Point(stream, functions, arrives, channels, standard=standard, places=places)


def joined(path: str, name: str) -> str:
    """A path and a name inside."""
    return f"{path}/{name}" if path else name


def _union(*places: tuple[Place, ...]) -> tuple[Place, ...]:
    """Every path once, as it was read last."""
    return tuple({place.path: place for some in places for place in some}.values())


def _block(stream: Stream, why: str) -> None:
    stream.root.blocked = stream.root.blocked or why


def _unpaired(layer: Layer, declared: dict[str, Parameter]) -> str:
    """Why a layer keeps its units from being pairs."""
    if not declared:
        return f"behind {layer!r}"
    if len(declared) > 1 or any(p.groups > 1 for p in declared.values()):
        return f"{layer!r} has groups, or several kernels"
    return "standardized weights" if isinstance(layer, WeightStandardized) else ""


def plain(layer: Activation | PReLU | Swish | Shaped) -> Activation:
    """An activation that is learned or shaped as the function that it starts as."""
    match layer:
        case PReLU(start=slope):
            return Activation("leaky_relu", negative_slope=slope)
        case Swish(start=beta):
            return Activation(_swish, beta=beta)
        case Shaped(activation, alpha, beta, gamma, delta):
            inner = plain(activation)  # type: ignore[arg-type]
            return Activation(_shaped, inner=inner, alpha=alpha, beta=beta, gamma=gamma, delta=delta)
    return layer


def _shaped(x: Array, inner: Activation, alpha: float, beta: float, gamma: float, delta: float) -> Array:
    return gamma * (inner(alpha * x + beta) + delta)


def _swish(x: Array, beta: float) -> Array:
    return x * jax.nn.sigmoid(beta * x)
