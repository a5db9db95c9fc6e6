"""A description read for its kernels: what each reads, through which functions, and what becomes of what it writes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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
from ..nn.layer import Shape, has_kernels, joined, paths
from ..signal.gaussian import is_elementwise
from .functions import plain
from .points import block, block_sum, join, outside, reshaped, side_by_side, through, union
from .streams import Kernel, Place, Point, Stream, Stretch

CARRY = (Flatten, MaxPool, AvgPool, GlobalMaxPool, GlobalAvgPool)
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
    block(end.stream, "the network's output")
    root = end.stream.root
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
            case Dropout(rate):
                return replace(before, kept=before.kept * (1 - rate))
            case Reshape():
                return reshaped(layer.output_shape(shape), before)
            case Activation() | PReLU() | Swish() | Shaped():
                function = plain(layer)
                if function.name or is_elementwise(function):
                    here = (Place(path, self.stretch.line, self.copies // self.outside),)
                    places = union(before.places, here) if before.standard and not before.functions else ()
                    return replace(through(before, function), standard=False, places=places)
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
            block(before.stream, why or "a scheme that was given")
        if layer.children(shape) or not declared:
            unknown = f"power unknown {'behind' if not declared else 'inside'} {layer!r}"
            before = Point(before.stream, (), None, before.channels, unknown=unknown)
        after = Stream(why)
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
        unknown = "" if declared else before.unknown
        return Point(after, (), arrives, channels, standard=bool(declared), unknown=unknown)

    def _normalized(self, before: Point) -> Point:
        before.stream.root.ends = 1.0
        self.stretch, self.within = Stretch(self.stretch.line), self.copies
        behind = Stream().join(before.stream)
        return Point(behind, (), None, before.channels)

    def _repeat(self, layer: Repeat, shape: Shape, before: Point, path: str) -> Point:
        (child,) = layer.children(shape)
        inside = joined(path, child.name)
        self.copies *= layer.copies
        once = self.read(child.layer, child.shape, before, inside)
        if layer.copies > 1:
            first = self._forget(inside)
            again = replace(once, stream=once.stream.join(before.stream))
            once = self.read(child.layer, child.shape, again, inside)
            for name, point in first.items():
                kernel, before_it = self.kernels[name], outside(point.places, inside)
                kernel.reads = replace(kernel.reads, places=union(before_it, kernel.reads.places))
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
                kernel.branch_of.branches -= kernel.copies // kernel.turns
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
        for kernel in self._last_of(inner, out) if out.arrives is not None else ():
            kernel.branch_of, kernel.scale, kernel.place = main, scale, place
            main.branches += self.copies
        self.stretch, (self.inside, self.outside, self.within) = main, before_it
        return out

    def _residual(self, layer: Residual, shape: Shape, before: Point, path: str) -> Point:
        children = {child.name: child for child in layer.children(shape)}
        skip = before
        if "shortcut" in children:
            skip = self.read(layer.shortcut, shape, before, joined(path, "shortcut"))  # type: ignore[arg-type]
        out = self._branch(layer.block, shape, before, joined(path, "block"), layer.scale)
        stream = skip.stream.join(out.stream)
        alike = skip.functions == out.functions
        if not alike:
            block_sum(stream, [out])
        standard, places = skip.standard and out.standard, union(skip.places, out.places)
        return replace(skip, stream=stream, functions=skip.functions if alike else (), standard=standard, places=places)

    def _parallel(self, layer: Parallel, shape: Shape, before: Point, path: str) -> Point:
        if layer.combine in {"sum", "mean"}:
            return self._sum(layer, shape, before, path)
        ends = [self.read(child, shape, before, joined(path, name)) for name, child, shape in layer.children(shape)]
        stream = join(ends)
        block(stream, f"branches combined by {layer.combine}")
        if layer.combine == "product":
            unknown = "power unknown behind branches that are multiplied"
            return Point(stream, (), None, ends[0].channels, standard=False, unknown=unknown)
        widths = [child.layer.output_shape(child.shape)[-1] for child in layer.children(shape)]
        return side_by_side(ends, widths, stream)

    def _sum(self, layer: Parallel, shape: Shape, before: Point, path: str) -> Point:
        """Branches of which one passes the signal on are added to it; others are parts of a sum of the usual power."""
        children = [(joined(path, name), child, inner) for name, child, inner in layer.children(shape)]
        weighted = [has_kernels(child, inner) for _, child, inner in children]
        count, own = len(children), sum(weighted)
        if 0 < own < count and layer.combine == "sum":
            ends = [
                self._branch(child, inner, before, name, 1.0) if has else self.read(child, inner, before, name)
                for has, (name, child, inner) in zip(weighted, children, strict=True)
            ]
        else:
            part = (1 if layer.combine == "sum" else count**2 - (count - own) ** 2) / max(own, 1)
            ends = [self._part(child, inner, before, name, part, own - 1) for name, child, inner in children]
        stream = join(ends)
        block_sum(stream, ends)
        bent = any(end.functions for has, end in zip(weighted, ends, strict=True) if not has)
        unknown = "power unknown behind a sum of activations" if bent else ""
        arrives = self.stretch if own else before.arrives
        standard = all(end.standard and not end.functions for end in ends)
        return Point(stream, (), arrives, ends[0].channels, standard=standard, unknown=unknown)

    def _part(self, layer: Layer, shape: Shape, before: Point, path: str, part: float, beside: int) -> Point:
        """A branch that is a part of a sum."""
        known = set(self.kernels)
        end = self.read(layer, shape, before, path)
        for kernel in self._last_of([self.kernels[name] for name in self.kernels.keys() - known], end):
            kernel.part, kernel.beside = part, beside
        return end

    def _last_of(self, kernels: Iterable[Kernel], end: Point) -> Iterator[Kernel]:
        """Those that write what a branch ends with; with each is noted what follows it there."""
        for kernel in kernels:
            if kernel.writes.root is end.stream.root and kernel.branch_of is None:
                kernel.behind, kernel.kept, kernel.turns = end.functions, end.kept, kernel.copies // self.copies
                yield kernel


def _unpaired(layer: Layer, declared: dict[str, Parameter]) -> str:
    """Why a layer keeps its units from being pairs."""
    if not declared:
        return f"behind {layer!r}"
    if len(declared) > 1 or any(p.groups > 1 for p in declared.values()):
        return f"{layer!r} has groups, or several kernels"
    return "standardized weights" if isinstance(layer, WeightStandardized) else ""
