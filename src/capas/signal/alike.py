"""Turns of a loop that are alike: read once, if their laws differ in nothing but which random numbers they are of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from .atom import Atom, normal
from .field import Field
from .function import as_function
from .gradient import Gradient
from .interpret import Stacked
from .latent import Latent
from .law import Law, constant
from .quadrature import Numbers
from .routes import term_scaled
from .source import Source
from .term import Term

CLOSE = 1e-11
"""Difference of numbers that are taken as equal."""


class Entangled(Exception):  # noqa: N818
    """A gradient of which one turn cannot be told from the next: all of them have to be read."""


class Pattern:
    """What decides how values are read on: structure, numbers, and which random numbers they have in common.

    Args:
        values: fields and known numbers.
        exact: whether laws have to be of the same latents, and not only of as many.

    Attributes:
        size: the root mean square of the first gradient; what is compared are multiples of it.
    """

    def __init__(self, values: Sequence[Any], exact: bool = False) -> None:
        self._exact, self._known = exact, True
        gradients = [value for value in values if isinstance(value, Field) and value.is_gradient]
        self.size = (gradients[0].moment("second") ** 0.5 if gradients else 0.0) or 1.0
        self._numbers: list[Numbers] = []
        self._seen: dict[Any, int] = {}
        self._structure = tuple(self._value(value) for value in values)

    def is_like(self, other: Pattern | None) -> bool:
        """Whether both are known, and the same."""
        if other is None or not (self._known and other._known) or self._structure != other._structure:
            return False
        mine, theirs = (np.concatenate([p.ravel() for p in (np.zeros(0), *x._numbers)]) for x in (self, other))
        return bool(mine.shape == theirs.shape and np.allclose(mine, theirs, rtol=CLOSE, atol=CLOSE * CLOSE))

    def _value(self, value: Any) -> Any:
        if isinstance(value, Field):
            blocks = tuple((width, self._content(content)) for width, content in value.blocks)
            mirrored, heard = (tuple(sorted(axes.items())) for axes in (value.mirrored, value.heard))
            return value.shape, value.roles, blocks, mirrored, heard, value.orthogonal, value.delta, value.centred
        if value is None or (isinstance(value, np.ndarray) and value.size == 1):
            return None if value is None else float(value.item())
        return self._unknown()

    def _content(self, content: Any) -> Any:
        if type(content) is Law:
            return self._law(content)
        if isinstance(content, Gradient) and all(map(_is_simple, content.terms)):
            scaled = [term_scaled(term, np.full((1, 1), 1 / self.size)) for term in content.terms]
            return tuple(
                (self._source(t.noise), t.units, self._content(t.coefficient), t.outer and self._content(t.outer))
                for t in scaled
            )
        return self._unknown()

    def _law(self, law: Law) -> Any:
        if law.is_average or law.concentrated is not None or len(law.offset) > 1:
            return self._unknown()
        if len(law.latents) == 1 and not law.is_normal:
            (latent,) = law.latents
            self._numbers += [latent.breaks, np.asarray(as_function(law)[0](latent.nodes[0]), np.float64)]
        elif law.is_normal:
            self._numbers += [law.offset, *law.terms.values()]
        else:
            return self._unknown()
        return tuple(id(latent) if self._exact else self._latent(latent) for latent in law.latents)

    def _latent(self, latent: Latent) -> Any:
        if any(p.sites is not None or p.matrix is not None or len(p.coefficient) > 1 for p in latent.parts):
            return self._unknown()
        self._numbers += [np.array([latent.log_variance, latent.sphere]), *(p.coefficient for p in latent.parts)]
        return self._seen.setdefault(latent, len(self._seen)), tuple(self._source(p.source) for p in latent.parts)

    def _source(self, source: Source) -> Any:
        if source.correlation is not None:
            return self._unknown()
        return self._seen.setdefault(source, len(self._seen)), source.shared

    def _unknown(self) -> None:
        self._known = False


def successors(before: Sequence[Any], after: Sequence[Any]) -> dict[Latent, Latent]:
    """By the latents that a turn is given, those that it gives in their place."""
    found: dict[Latent, Latent] = {}
    for old, new in zip(before, after, strict=True):
        if isinstance(old, Field):
            for (_, one), (_, other) in zip(old.blocks, new.blocks, strict=True):
                found.update(zip((a.latent for a in one.terms), (a.latent for a in other.terms), strict=True))
    return found


def multiplied(value: Any, factor: float) -> Any:
    """A number times a gradient, or what a loop gave of one."""
    if value is None or factor == 1.0:
        return value
    if isinstance(value, Stacked):
        return Stacked(tuple(multiplied(step, factor) for step in value.steps))
    return value.map(lambda content: content.times(constant(factor)))


def renamed(value: Any, names: Mapping[Latent, Latent]) -> Any:
    """A gradient that depends on other latents in the same way."""
    if value is None:
        return None
    if not isinstance(value, Field):
        raise Entangled
    return value.map(lambda content: Gradient(tuple(_term(term, names) for term in _terms(content))))


def _terms(content: Any) -> Any:
    if not isinstance(content, Gradient):
        raise Entangled
    return content.terms


def _is_simple(term: Term) -> bool:
    """Whether it is a function times a noise, or a sum of that over units."""
    return term.matrix is None and not term.examples and term.sites is None


def _term(term: Term, names: Mapping[Latent, Latent]) -> Term:
    if not _is_simple(term):
        raise Entangled
    return replace(term, coefficient=_law(term.coefficient, names), outer=term.outer and _law(term.outer, names))


def _law(law: Law, names: Mapping[Latent, Latent]) -> Law:
    if type(law) is not Law or law.concentrated is not None or not all(atom.latent in names for atom in law.terms):
        raise Entangled
    return Law(law.offset, {_atom(a, names[a.latent]): c for a, c in law.terms.items()})


def _atom(atom: Atom, latent: Latent) -> Atom:
    latent.split_at(atom.latent.breaks)
    return normal(latent) if atom.is_normal else Atom(atom.value, latent)
