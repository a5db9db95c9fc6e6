"""Sums and maxima over axes: over features an expectation, over the batch one given the unit, over positions a sum."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..choice import Choice
from ..field import Content, Field
from ..finite import fixed_by_squares
from ..gradient import Gradient, noise
from ..interpret import Value, Walk, refuse, rule
from ..law import constant
from ..maximum import maximum, mean_of_maximum
from ..mirror import in_pairs, pairs_as_units
from ..normal import fresh, given_unit, mixed
from ..quadrature import Numbers
from ..term import correlated
from .combine import as_field, per_site


@rule("reduce_sum")
def reduce_sum(walk: Walk, equation: Any, x: Value) -> Sequence[Value]:
    """The number of entries times their expectation, along features; a sum of dependent entries, along positions."""
    x, axes = as_field(equation, x), equation.params["axes"]
    over = {x.roles[i] for i in axes if x.shape[i] > 1}
    count = math.prod(x.shape[i] for i in axes if x.roles[i] != "position")
    mixing = _mixing(x, axes)
    if over & {"feature", "weight"}:
        found = _without(x, axes, _over_features(x, count, mixing, over, set(axes) <= x.centred))
        return [replace(found, mean_of=(x.law, frozenset(axes)) if x.is_weight and not x.is_gradient else None)]
    total = lambda content: _sum(equation, content, over, count, mixing)  # noqa: E731
    if x.is_gradient or mixing is None:
        return [_each(x, axes, total)]
    return [replace(_each(x, axes, lambda law: law), blocks=tuple(in_pairs(x, total)))]


def _mixing(x: Field, axes: Sequence[int]) -> Numbers | None:
    """The matrix that sums over some of the positions; None if there is nothing to sum."""
    positions = [i for i, role in enumerate(x.roles) if role == "position"]
    if not set(positions) & set(axes):
        return None
    sites = np.arange(x.sites).reshape(x.grid)
    kept = [k for k, i in enumerate(positions) if i not in axes]
    gone = [k for k, i in enumerate(positions) if i in axes]
    groups = sites.transpose(kept + gone).reshape(math.prod(x.grid[k] for k in kept), -1)
    matrix = np.zeros((len(groups), x.sites))
    np.put_along_axis(matrix, groups, 1.0, axis=1)
    return matrix


def _without(x: Field, axes: Sequence[int], content: Content) -> Field:
    kept = [i for i in range(len(x.shape)) if i not in axes]
    width = math.prod(x.shape[i] for i in kept if x.roles[i] == "feature")
    return Field(tuple(x.shape[i] for i in kept), tuple(x.roles[i] for i in kept), ((width, content),))


def _each(x: Field, axes: Sequence[int], function: Any) -> Field:
    kept = [i for i in range(len(x.shape)) if i not in axes]
    return x.map(function, shape=tuple(x.shape[i] for i in kept), roles=tuple(x.roles[i] for i in kept))


def _over_features(x: Field, count: int, mixing: Numbers | None, over: set[str], centred: bool) -> Content:
    """Over many features: nearly a number, for every position that is left."""
    total = sum(width for width, _ in x.blocks) or 1
    shares = [(count * width / total, content) for width, content in pairs_as_units(x)]
    if x.is_gradient:
        if "batch" not in over and (x.sites > 1 or all(len(content.second) == 1 for _, content in shares)):
            sums = [content.over_units(max(round(share), 1), centred) for share, content in shares]
            found = Gradient(tuple(term for content in sums for term in content.terms))
        else:
            between = lambda: sum(share * content.matrix(x.sites) for share, content in shares)  # noqa: E731
            power = sum(share * per_site(content.second, x.sites) for share, content in shares)
            found = noise(power, None if x.sites == 1 else lambda: correlated(between()))
        return found if mixing is None else found.mix(mixing)
    laws = [(share, given_unit(content) if "batch" in over else content) for share, content in shares]
    mean = sum(share * per_site(law.mean, x.sites) for share, law in laws)

    def moment(across: bool) -> Numbers:
        found = [(n, (law.cross if across else law.second) - np.square(law.mean), law) for n, law in laws]
        return mean**2 + sum(n * per_site(own - fixed_by_squares(law, n, across), x.sites) for n, own, law in found)

    def kernel(across: bool) -> Numbers:
        wide = np.broadcast_to(mean, (x.sites,))
        found = [(n, law.matrix(across, x.sites), np.broadcast_to(law.mean, (x.sites,)), law) for n, law in laws]
        centred = [(n, own - np.outer(m, m) - fixed_by_squares(law, n, across, x.sites)) for n, own, m, law in found]
        return np.outer(wide, wide) + sum(n * covariance for n, covariance in centred)

    law = fresh(mean, moment(False), moment(True), kernel if x.sites > 1 else None)
    law = law if mixing is None else mixed(law, mixing)
    return law if law.is_number else replace(law, concentrated=constant(law.mean))


def _sum(equation: Any, content: Content, over: set[str], count: int, mixing: Numbers | None) -> Content:
    if isinstance(content, Choice):
        return constant(1.0)
    if isinstance(content, Gradient):
        if "batch" in over:
            content = content.summed(count)
        elif count > 1:
            content = content.times(constant(float(count)))
        return content if mixing is None else content.mix(mixing)
    law = given_unit(content) if "batch" in over else content
    law = law.scaled(np.full((1, 1), float(count)))
    if mixing is None:
        return law
    if "batch" in over and not law.is_normal:
        return constant(mixing @ np.broadcast_to(law.mean, (mixing.shape[1],)))
    return mixed(law, mixing)


@rule("reduce_max")
def reduce_max(walk: Walk, equation: Any, x: Value) -> Sequence[Value]:
    """Over positions, the law of the maximum; over features its mean, which softmax only subtracts."""
    x, axes = as_field(equation, x), equation.params["axes"]
    over = {x.roles[i] for i in axes if x.shape[i] > 1}
    if x.is_gradient or over - {"feature", "position"} or len(over) > 1:
        raise refuse(equation, f"a maximum over {' and '.join(sorted(over))}")
    if over == {"feature"}:
        count = math.prod(x.shape[i] for i in axes)
        return [_without(x, axes, constant(mean_of_maximum(x.law, count)))]
    mixing = _mixing(x, axes)
    if mixing is None:
        return [_each(x, axes, lambda law: law)]
    groups = np.stack([np.flatnonzero(row) for row in mixing])
    return [_each(x, axes, lambda law: maximum(law, groups, x.sites))]
