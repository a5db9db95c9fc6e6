"""What becomes of streams, and of the places on them, where layers join, reshape or bend them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..nn import Activation
from ..nn.parameter import Shape
from .reading import is_odd
from .streams import Place, Point, Scale, Stream


def union(*places: tuple[Place, ...]) -> tuple[Place, ...]:
    """Every path once, as it was read last."""
    return tuple({place.path: place for some in places for place in some}.values())


def outside(places: tuple[Place, ...], path: str) -> tuple[Place, ...]:
    """Those that are not under a path."""
    return tuple(place for place in places if not place.path.startswith(f"{path}/"))


def block(stream: Stream, why: str) -> None:
    """Its units are no pairs."""
    stream.root.blocked = stream.root.blocked or why


def join(ends: Sequence[Point]) -> Stream:
    """One stream of all."""
    stream = ends[0].stream
    for end in ends[1:]:
        stream = stream.join(end.stream)
    return stream


def renewed(before: Point) -> Point:
    """A place behind functions and their normalization, as the start of a signal."""
    if before.normalized is None:
        return before
    if not is_odd(before.functions):
        block(before.stream, "an activation in front of a normalization")
    return begun(before, before.scale)


def begun(before: Point, scale: Scale | None) -> Point:
    """The place behind a normalization."""
    arrives = None if scale is None else scale.stretch
    return Point(before.stream, (), arrives, before.channels, is_written=before.is_written, scale=scale)


def through(before: Point, function: Activation) -> Point:
    """The place behind a function."""
    if before.mixed:
        return replace(before, mixed=tuple((share, (*functions, function)) for share, functions in before.mixed))
    return replace(before, functions=(*before.functions, function))


def side_by_side(ends: Sequence[Point], widths: Sequence[int], stream: Stream) -> Point:
    """Branches one beside the other."""
    places, standard, total = union(*(end.places for end in ends)), all(end.standard for end in ends), sum(widths)
    raw = sum(width * end.raw for end, width in zip(ends, widths, strict=True)) / total
    together = replace(ends[0], stream=stream, channels=total, standard=standard, places=places, scale=None, raw=raw)
    if len({(end.functions, end.kept, end.mixed, end.unknown) for end in ends}) == 1:
        return together
    if len({(id(end.arrives), end.kept, end.raw) for end in ends}) == 1 and not any(
        end.mixed or end.unknown for end in ends
    ):
        mixed = tuple((width / total, end.functions) for end, width in zip(ends, widths, strict=True))
        return replace(together, functions=(), mixed=mixed)
    unknown = "power unknown behind branches of different kinds"
    return Point(stream, (), None, total, standard=standard, places=places, unknown=unknown)


def block_sum(stream: Stream, ends: Sequence[Point]) -> None:
    """An activation that is not odd, in front of a sum, leaves no pairs."""
    if not all(is_odd(functions) for end in ends for functions in end.chains):
        block(stream, "an activation in front of a sum")


def reshaped(shape: Shape, before: Point) -> Point:
    """Positions may become features, as in `Flatten`; features that become positions are no pairs."""
    channels = shape[-1] if shape else 1
    if channels % before.channels == 0:
        return before
    block(before.stream, "features that are made positions")
    return replace(before, channels=channels)
