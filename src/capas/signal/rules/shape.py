"""Primitives that move entries about: the law stays, the axes and sites change."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..align import expanded, sites_of
from ..field import Field, Role, whole
from ..interpret import Value, Walk, never_computed, refuse, rule
from ..law import constant
from .combine import as_field

LARGE = 1 << 16
"""Known arrays of more entries that all are one number are not made."""

never_computed.add("broadcast_in_dim")


def moved(x: Field, sites: Any, shape: Sequence[int], roles: Sequence[Role]) -> Field:
    """The entries at other sites, given as an array of them on the new axes; -1 where there is nothing."""
    flat = np.asarray(sites).ravel()
    same = len(flat) == x.sites and (flat == np.arange(x.sites)).all()
    return replace(
        x if same else x.map(lambda law: law.gather(flat)),
        shape=tuple(shape),
        roles=tuple(roles),
        array=None,
        mirrored={},
        heard={},
    )


@rule("transpose")
def transpose(walk: Walk, equation: Any, x: Value) -> Sequence[Value]:
    """Axes in another order."""
    x, order = as_field(equation, x), equation.params["permutation"]
    sites = sites_of(x).transpose(order)
    result = moved(x, sites, [x.shape[i] for i in order], [x.roles[i] for i in order])
    kept = x.order or tuple(range(len(x.shape)))
    centred = frozenset(order.index(i) for i in x.centred)
    mirrored = {order.index(i): half for i, half in x.mirrored.items()}
    heard = {order.index(i): share for i, share in x.heard.items()}
    around = tuple(kept[i] for i in order)
    return [replace(result, centred=centred, mirrored=mirrored, heard=heard, order=around)]


@rule("rev")
def reverse(walk: Walk, equation: Any, x: Value) -> Sequence[Value]:
    """Entries in another order."""
    x = as_field(equation, x)
    axes = [i for i in equation.params["dimensions"] if x.roles[i] == "position"]
    result = moved(x, np.flip(sites_of(x), tuple(axes)), x.shape, x.roles)
    return [replace(result, mirrored=x.mirrored, heard=x.heard, flipped=not x.flipped)]


@rule("broadcast_in_dim")
def broadcast(walk: Walk, equation: Any, x: Value, *sizes: Value) -> Sequence[Value]:
    """New axes along which all entries are one number; axes of size one that are repeated."""
    shape, places = equation.params["shape"], equation.params["broadcast_dimensions"]
    if not isinstance(x, Field):
        if np.size(x) == 1 and math.prod(shape) > LARGE:
            return [whole(constant(np.asarray(x, np.float64)), shape, ["one"] * len(shape))]
        if not (isinstance(x, np.ndarray) or np.isscalar(x)):
            raise refuse(equation, "what a loop gave, whole")
        return [np.broadcast_to(np.reshape(x, _spread(np.shape(x), places, len(shape))), shape)]
    roles: list[Role] = ["one"] * len(shape)
    for place, role, size in zip(places, x.roles, x.shape, strict=True):
        roles[place] = role if size == shape[place] else "one"
    return [replace(x, shape=tuple(shape), roles=tuple(roles), array=None, mirrored={}, heard={})]


def _spread(shape: tuple[int, ...], places: Sequence[int], rank: int) -> list[int]:
    sizes = [1] * rank
    for place, size in zip(places, shape, strict=True):
        sizes[place] = size
    return sizes


@rule("squeeze", "expand_dims", "reshape")
def reshape(walk: Walk, equation: Any, x: Value, *sizes: Value) -> Sequence[Value]:
    """Axes merged and split: positions merged with features are features."""
    x, shape = as_field(equation, x), equation.outvars[0].aval.shape
    x = _repeats_on_positions(x, shape)
    roles = _regrouped(walk, equation, x, shape)
    old, new = (
        math.prod(n for n, role in zip(sizes, kinds, strict=True) if role == "feature")
        for sizes, kinds in ((x.shape, x.roles), (shape, roles))
    )
    blocks = tuple((width * new // old, content) for width, content in x.blocks)
    return [Field(shape, roles, blocks, mean_of=x.mean_of)]


def _repeats_on_positions(x: Field, shape: tuple[int, ...]) -> Field:
    """Axes along which all is the same number, as positions, where there are positions."""
    if "position" not in x.roles or not any(r == "one" and n > 1 for n, r in zip(x.shape, x.roles, strict=True)):
        return x
    first, last = x.roles.index("position"), len(x.roles) - 1 - x.roles[::-1].index("position")
    near = range(max(first - 1, 0), min(last + 2, len(x.roles)))
    roles: tuple[Role, ...] = tuple("position" if i in near and r == "one" else r for i, r in enumerate(x.roles))
    return replace(expanded(x, x.shape, roles), roles=roles)


def _regrouped(walk: Walk, equation: Any, x: Field, shape: tuple[int, ...]) -> tuple[Role, ...]:
    """Old and new axes are read off side by side, in the smallest groups of equal size."""
    roles: list[Role] = []
    old = [(n, role) for n, role in zip(x.shape, x.roles, strict=True) if n != 1]
    new = [n for n in shape if n != 1]
    while new:
        group, count = [old.pop(0)], 1
        wide, size = group[0][0], new[0]
        while wide != size:
            if wide < size:
                group.append(old.pop(0))
                wide *= group[-1][0]
            else:
                size *= new[count]
                count += 1
        roles += _changed(walk, equation, group, tuple(new[:count]))
        new = new[count:]
    found = iter(roles)
    return tuple("one" if n == 1 else next(found) for n in shape)


def _changed(walk: Walk, equation: Any, group: list[tuple[int, Role]], sizes: tuple[int, ...]) -> list[Role]:
    """What axes of these sizes are that were made of a group of others. Features that had been positions are again."""
    before: list[Role] = [role for _, role in group]
    if before == ["feature"] and sizes in walk.merged:
        return list(walk.merged[sizes])
    role = _merged(equation, before)
    if len(sizes) == 1 and role == "feature" and "position" in before:
        walk.merged[tuple(n for n, _ in group)] = tuple(before)
    return [role] * len(sizes)


def _merged(equation: Any, roles: list[Role]) -> Role:
    kinds = set(roles) if len(set(roles)) == 1 else set(roles) - {"one"}
    if kinds <= {"position", "feature"} or (len(kinds) == 1 and kinds != {"batch"}) or set(roles) == {"batch"}:
        return "feature" if "feature" in kinds else kinds.pop()
    raise refuse(equation, f"axes of {' and '.join(sorted(set(roles)))} made one")
