"""How layers with branches are read, which are added to a signal, added up, multiplied, or set side by side."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace

from ..nn import Layer, Parallel, Residual
from ..nn.parameter import Shape
from ..nn.walk import has_kernels, joined
from .notes import Notes
from .points import block, block_sum, join, renewed, side_by_side, union
from .streams import Point

BENT = "power unknown behind a sum of activations"
"""Of sums of which a part has gone through functions that others have not."""


class Branches(ABC):
    """A reader of layers with branches; what stands in them is read by a subclass.

    Args:
        notes: where kernels and scales are noted.
    """

    def __init__(self, notes: Notes) -> None:
        self.notes = notes

    @abstractmethod
    def read(self, layer: Layer, shape: Shape, before: Point, path: str) -> Point:
        """Note the kernels inside a layer; the place behind it."""

    def residual(self, layer: Residual, shape: Shape, before: Point, path: str) -> Point:
        """A branch that is added to the signal, or to what a shortcut makes of it."""
        children = {child.name: child for child in layer.children(shape)}
        skip = before
        if "shortcut" in children:
            skip = self.read(layer.shortcut, shape, before, joined(path, "shortcut"))  # type: ignore[arg-type]
        out = self._branch(layer.block, shape, before, joined(path, "block"), layer.scale)
        skip, out = renewed(skip), renewed(out)
        stream = skip.stream.join(out.stream)
        alike = skip.functions == out.functions
        if not alike:
            block_sum(stream, [out])
        functions, standard = skip.functions if alike else (), skip.standard and out.standard
        unknown = skip.unknown or ("" if alike else BENT)
        places = union(skip.places, out.places)
        return replace(
            skip, stream=stream, functions=functions, standard=standard, places=places, scale=None, unknown=unknown
        )

    def parallel(self, layer: Parallel, shape: Shape, before: Point, path: str) -> Point:
        """Branches that read the same signal."""
        if layer.combine in {"sum", "mean"}:
            return self._sum(layer, shape, before, path)
        children = _branches(layer, shape, path)
        with self.notes.side_by_side(_count(children)):
            ends = [renewed(self.read(child, inner, before, name)) for name, child, inner in children]
        stream = join(ends)
        block(stream, f"branches combined by {layer.combine}")
        if layer.combine == "product":
            unknown = "power unknown behind branches that are multiplied"
            return Point(stream, (), None, ends[0].channels, is_written=True, standard=False, unknown=unknown)
        widths = [child.output_shape(inner)[-1] for _, child, inner in children]
        return side_by_side(ends, widths, stream)

    def _branch(self, layer: Layer, shape: Shape, before: Point, path: str, factor: float) -> Point:
        """A branch whose output is added to the signal."""
        with self.notes.branch() as main:
            out = self.read(layer, shape, before, path)
            self.notes.end(path, out)
            reads_main = any(kernel.reads.arrives is main for kernel in self.notes.under(path))
            place = main.branches - before.since if reads_main else 0
            for kernel in self.notes.last_of(path, out) if out.arrives is not None else ():
                kernel.branch_of, kernel.factor, kernel.place = main, factor, place
                main.add_branches(self.notes.copies)
        return out

    def _sum(self, layer: Parallel, shape: Shape, before: Point, path: str) -> Point:
        """Branches of which one passes the signal on are added to it; others are parts of a sum of the usual power."""
        children = _branches(layer, shape, path)
        weighted = [has_kernels(child, inner) for _, child, inner in children]
        count, own = len(children), sum(weighted)
        added = 0 < own < count and layer.combine == "sum"
        if added:
            ends = [
                self._branch(child, inner, before, name, 1.0) if has else self.read(child, inner, before, name)
                for has, (name, child, inner) in zip(weighted, children, strict=True)
            ]
        else:
            part = (1 if layer.combine == "sum" else count**2 - (count - own) ** 2) / max(own, 1)
            with self.notes.side_by_side(_count(children)):
                ends = [self._part(child, inner, before, name, part, own - 1) for name, child, inner in children]
        ends = [renewed(end) for end in ends]
        stream = join(ends)
        block_sum(stream, ends)
        bent = any(end.functions for has, end in zip(weighted, ends, strict=True) if not has)
        unknown = BENT if bent else ""
        arrives = self.notes.stretch if own else before.arrives
        standard = all(end.standard and not end.functions for end in ends)
        since = before.since if added else arrives.branches if arrives else 0
        written = any(end.is_written for end in ends)
        return Point(
            stream,
            functions=(),
            arrives=arrives,
            channels=ends[0].channels,
            is_written=written,
            since=since,
            standard=standard,
            unknown=unknown,
        )

    def _part(self, layer: Layer, shape: Shape, before: Point, path: str, part: float, beside: int) -> Point:
        """A branch that is a part of a sum."""
        end = self.read(layer, shape, before, path)
        self.notes.end(path, end)
        for kernel in self.notes.last_of(path, end):
            kernel.part, kernel.beside = part, beside
        return end


def _count(children: list[tuple[str, Layer, Shape]]) -> int:
    """How many branches have kernels; all, if none has."""
    return sum(has_kernels(child, inner) for _, child, inner in children) or len(children)


def _branches(layer: Parallel, shape: Shape, path: str) -> list[tuple[str, Layer, Shape]]:
    return [(joined(path, name), child, inner) for name, child, inner in layer.children(shape)]
