"""Mirrored weights: they read the difference of two halves of the units, and write a half and its negative."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from .align import edges_of, run_of
from .field import Content, Field, Mixed, Pairs
from .gradient import Gradient, plus
from .law import MINUS, Law, added, constant

HALF = np.full((1, 1), 0.5)


def read_by(x: Field, w: Field, axes: Sequence[int], count: int) -> tuple[Field, int]:
    """What a weight takes up along these of its axes, and of how many entries it is the sum: pairs as differences."""
    pairs = _pairs(w, axes)
    if pairs is None:
        return x, count
    if sum(width for width, _ in x.blocks) != count:
        raise Mixed
    half = _half(pairs, count)
    ends = {0, half, *(edge % half for edge in edges_of(x) if edge < 2 * half)}
    blocks = [
        (high - low, _minus(run_of(x, low, high), run_of(x, half + low, half + high)))
        for low, high in pairwise(sorted(ends))
    ]
    if pairs.alone:
        edges = sorted({2 * half, count, *(edge for edge in edges_of(x) if edge > 2 * half)})
        blocks += [(high - low, run_of(x, low, high)) for low, high in pairwise(edges)]
    return Field(x.shape, x.roles, tuple(blocks)), sum(width for width, _ in blocks)


def written_by(w: Field, axes: Sequence[int], width: int, content: Content) -> tuple[tuple[int, Content], ...]:
    """The blocks that a weight gives along these of its axes, whose units have this law."""
    pairs = _pairs(w, axes)
    if pairs is None:
        return ((width, content),)
    half = _half(pairs, width)
    both = (half, content), (half, _negative(content))
    if pairs.size % 2 == 0:
        return both
    nothing = Gradient(()) if isinstance(content, Gradient) else constant(0.0)
    return *both, (width - 2 * half, content.units((2 * half, width)) if pairs.alone else nothing)


def _pairs(w: Field, axes: Sequence[int]) -> Pairs | None:
    return next((w.mirrored[axis] for axis in axes if axis in w.mirrored), None)


def _half(pairs: Pairs, count: int) -> int:
    """How many pairs so many entries are: of the channels at every position, where positions were made features."""
    return count // pairs.size * (pairs.size // 2)


def in_pairs(x: Field, function: Callable[[Law], Law]) -> list[tuple[int, Law]]:
    """The blocks that a linear function of laws gives, which may make new normal numbers of them.

    Where two halves are made of the same numbers and have the same power, the function is taken of their sum and of
    their difference, which are uncorrelated: the halves know of each other what they did.
    """
    if not _are_pairs(x):
        return [(width, function(law)) for width, law in x.blocks]
    (width, one), (_, other), *alone = x.blocks
    common, between = (function(added(one, other, sign)).scaled(HALF) for sign in (1.0, -1.0))
    pairs = [(width, added(common, between)), (width, added(common, between, sign=-1.0))]
    return [*pairs, *((rest, function(law)) for rest, law in alone)]


def pairs_as_units(x: Field) -> list[tuple[int, Content]]:
    """The blocks of a field that is summed over its features: two halves of pairs as half as many sums."""
    if not _are_pairs(x):
        return list(x.blocks)
    (width, one), (_, other), *alone = x.blocks
    return [(width, plus(one, other) if x.is_gradient else added(one, other)), *alone]


def _are_pairs(x: Field) -> bool:
    if not 2 <= len(x.blocks) <= 3 or x.blocks[0][0] != x.blocks[1][0]:
        return False
    one, other = (law for _, law in x.blocks[:2])
    if x.is_gradient:
        return {term.noise for term in one.terms} == {term.noise for term in other.terms}
    known = {source for latent in one.latents for source in latent.sources}
    related = any(source in known for latent in other.latents for source in latent.sources)
    return related and bool(np.allclose(one.second, other.second, rtol=1e-9, atol=0.0))


def _minus(one: Content, other: Content) -> Content:
    return plus(one, other, -1.0) if isinstance(one, Gradient) else added(one, other, sign=-1.0)


def _negative(content: Content) -> Content:
    return content.times(constant(-1.0)) if isinstance(content, Gradient) else content.scaled(MINUS)
