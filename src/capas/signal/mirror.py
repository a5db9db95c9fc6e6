"""Mirrored weights: they read the difference of two halves of the units, and write a half and its negative."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from .align import edges_of, run_of
from .field import Content, Field, Mixed
from .gradient import Gradient, plus
from .law import MINUS, added, constant


def read_by(x: Field, w: Field, axes: Sequence[int], count: int) -> tuple[Field, int]:
    """What a weight takes up along these of its axes, and of how many entries it is the sum: pairs as differences."""
    if not set(axes) & set(w.mirrored):
        return x, count
    if sum(width for width, _ in x.blocks) != count:
        raise Mixed
    half = count // 2
    ends = {0, half, *(edge % half for edge in edges_of(x))}
    blocks = tuple(
        (high - low, _minus(run_of(x, low, high), run_of(x, half + low, half + high)))
        for low, high in pairwise(sorted(ends))
    )
    return Field(x.shape, x.roles, blocks), half


def written_by(w: Field, axes: Sequence[int], width: int, content: Content) -> tuple[tuple[int, Content], ...]:
    """The blocks that a weight gives along these of its axes, whose units have this law."""
    if not set(axes) & set(w.mirrored):
        return ((width, content),)
    return ((width // 2, content), (width - width // 2, _negative(content)))


def _minus(one: Content, other: Content) -> Content:
    return plus(one, other, -1.0) if isinstance(one, Gradient) else added(one, other, sign=-1.0)


def _negative(content: Content) -> Content:
    return content.times(constant(-1.0)) if isinstance(content, Gradient) else content.scaled(MINUS)
