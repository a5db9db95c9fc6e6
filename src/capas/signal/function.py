"""Functions of laws: along one latent exactly; of two latents by their joint law, brought back to one latent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from .atom import Atom, normal
from .expression import Expression, Z, combination, crossings
from .joint import Moments, transported
from .latent import Latent, correlation
from .law import ONE, ZERO, Law, add, constant
from .quadrature import Numbers
from .source import Column, Part

Operation = Callable[..., Any]


def apply(operation: Operation, laws: Sequence[Law], compared: Sequence[tuple[int, int | None]] = ()) -> Law:
    """The law of an elementwise function of laws.

    Args:
        operation: of NumPy arrays.
        laws: of its arguments.
        compared: pairs of arguments where it is not smooth if they are equal; None stands for zero.
    """
    fixed = [law.concentrated or law for law in laws]
    if any(law.concentrated is not None for law in laws):
        if not all(law.is_number for law in fixed):
            return apply(operation, fixed, compared)
        return _near(operation, laws, [law.offset for law in fixed])
    laws = [_settled(law) for law in laws]
    if all(law.is_number for law in laws):
        with np.errstate(all="ignore"):
            return constant(operation(*(law.offset for law in laws)))
    parts = [as_function(law) for law in laws]
    latents = [latent for _, latent in parts if latent is not None]
    merged = [_onto(function, latent, latents[0]) for function, latent in parts]
    if any(function is None for function in merged):
        return _fold(operation, laws)
    for i, j in compared:
        _split(merged[i], ZERO if j is None else merged[j], latents[0])
    return Law(ZERO, {Atom(Expression(operation, tuple(merged)), latents[0]): ONE})


def _near(operation: Operation, laws: Sequence[Law], centres: list[Column]) -> Law:
    """A function of what is nearly a number: its line there, and half its curvature times the variance."""
    with np.errstate(all="ignore"):
        value = np.asarray(operation(*centres))
        if value.dtype == bool:
            return constant(value)
        middle = value.astype(np.float64)
        total = constant(middle)
        for i, law in enumerate(laws):
            if law.concentrated is None:
                continue
            step = 1e-3 * np.maximum(np.abs(centres[i]), np.sqrt(law.variance)[:, None]) + 1e-300
            above, below = (
                np.asarray(operation(*centres[:i], centres[i] + sign * step, *centres[i + 1 :]), np.float64)
                for sign in (1, -1)
            )
            slope, bend = (above - below) / (2 * step), (above - 2 * middle + below) / np.square(step)
            moving = add(replace(law, concentrated=None), constant(-law.mean)).scaled(slope)
            total = add(total, add(moving, constant(bend / 2 * law.variance[:, None])))
    return replace(total, concentrated=constant(middle))


def _settled(law: Law) -> Law:
    """A law without its randomness, if that is rounding."""
    if law.is_number or (law.is_normal and len(law.terms) == 1):
        return law
    if (law.variance <= 1e-13 * np.maximum(law.second, 1e-300)).all():
        return constant(law.mean)
    return law


def as_function(law: Law) -> tuple[Any, Latent | None]:
    """The law as a function of one latent, which is made if there are several; a column, if it is a number."""
    if law.is_number:
        return law.offset, None
    if len(law.latents) > 1:
        law = closed(law)
    if law.is_number:
        return law.offset, None
    function = combination((atom.value, factor) for atom, factor in law.terms.items())
    return Expression(np.add, (law.offset, function)) if law.offset.any() else function, law.latents[0]


def closed(law: Law) -> Law:
    """The same law as a function of one latent; always the same one for the same object."""
    if len(law.latents) < 2:
        return law
    if law.closure is None:
        law.closure = _sum_of_normals(law) if law.is_normal else _fold_terms(law)
    return law.closure


def _sum_of_normals(law: Law) -> Law:
    std = np.sqrt(law.variance)[:, None]
    inverse = np.where(std > 0, 1 / np.where(std > 0, std, 1.0), 0.0)
    parts: dict[Any, Part] = {}
    for atom, factor in law.terms.items():
        for part in atom.latent.parts:
            scaled = part.scaled(factor * inverse)
            key = (part.source, None if part.sites is None else part.sites.tobytes(), id(part.matrix))
            if key in parts and part.matrix is None:
                scaled = Part(part.source, parts[key].coefficient + scaled.coefficient, part.sites)
            parts[key] = scaled
    return Law(law.offset, {normal(Latent(tuple(parts.values()), scale=std)): std})


def _fold_terms(law: Law) -> Law:
    """Latent by latent: first all that is normal, then one function after another."""
    groups: dict[Any, Law] = {}
    for atom, factor in law.terms.items():
        key = "normal" if atom.is_normal else id(atom.latent)
        groups[key] = add(groups.get(key, constant(0.0)), Law(ZERO, {atom: factor}))
    first, *rest = groups.values()
    total = closed(add(first, Law(law.offset)))
    for group in rest:
        function, latent = as_function(group)
        ours, target = as_function(total)
        moved = None if target is None else _onto(function, latent, target)
        if moved is None or target is None:
            products = (product_of(total, group, across) for across in (False, True))
            total = join(np.add, total, group, _sum_moments(total, group, *products))
        else:
            total = Law(ZERO, {Atom(Expression(np.add, (ours, moved)), target): ONE})
    return total


def product_of(one: Law, other: Law, across: bool) -> Numbers:
    """E of the product of two laws, in one example or two."""
    if one is other:
        return one.cross if across else one.second
    return (add(one, other).moment(across) - one.moment(across) - other.moment(across)) / 2


def _sum_moments(one: Law, other: Law, same: Numbers, across: Numbers) -> Moments:
    return one.mean + other.mean, one.second + other.second + 2 * same, one.cross + other.cross + 2 * across


def _fold(operation: Operation, laws: Sequence[Law]) -> Law:
    """Of laws of two latents; or two at a time, where the first two have one together."""
    moving = [closed(law) for law in laws if not law.is_number]
    latents = list({id(law.latents[0]): law.latents[0] for law in moving}.values())
    if len(moving) == 2:
        places = [i for i, law in enumerate(laws) if not law.is_number]
        fixed = [law.offset for law in laws]

        def between(x: Any, y: Any) -> Any:
            values: list[Any] = list(fixed)
            values[places[0]], values[places[1]] = x, y
            return operation(*values)

        one, other = moving
        return join(between, one, other, _product_moments(one, other) if operation is np.multiply else None)
    raise NotImplementedError(f"an operation on {len(latents)} different random numbers at once")


def _product_moments(one: Law, other: Law) -> Moments:
    """Of the product of two functions of normal numbers."""
    if not correlation(one.latents[0], other.latents[0], across=False).any():
        return one.mean * other.mean, one.second * other.second, one.cross * other.cross
    squares = [apply(np.square, [law]) for law in (one, other)]
    return product_of(one, other, False), product_of(squares[0], squares[1], False), None


def _onto(function: Any, latent: Latent | None, target: Latent) -> Any:
    """The function as one of another latent that is the same number, or its negative; None if it is not."""
    if latent is None or latent is target:
        return function
    r = correlation(latent, target, across=False)
    sign = np.sign(r[0])
    if (np.abs(r - sign) > 1e-12).any() or sign == 0:
        return None
    target.split_at(sign * latent.breaks)
    if sign > 0:
        return function
    return Expression(_mirrored, (Z,), (function,)) if isinstance(function, Expression) else function


def _mirrored(z: Numbers, function: Expression) -> Any:
    return function(-z)


def _split(one: Any, other: Any, latent: Latent) -> None:
    """Note where two functions of a latent are equal."""
    lines = [_line(f) for f in (one, other)]
    if lines[0] is not None and lines[1] is not None:
        (a, b), (c, d) = lines
        slope = b - d
        with np.errstate(all="ignore"):
            latent.split_at(np.where(slope != 0, (c - a) / np.where(slope != 0, slope, 1.0), 40.0))
        return

    def difference(z: Numbers) -> Any:
        with np.errstate(all="ignore"):
            values = [f(z) if isinstance(f, Expression) else f for f in (one, other)]
            return np.asarray(np.subtract(*np.broadcast_arrays(*(np.asarray(v, float) for v in values), z)[:2]))

    latent.split_at(crossings(difference, latent.nodes[0]))


def _line(function: Any) -> tuple[Any, Any] | None:
    """(a, b) of a function a + b z, if it was built as one."""
    if not isinstance(function, Expression):
        return np.asarray(function, float), np.zeros((1, 1))
    if function is Z:
        return np.zeros((1, 1)), np.ones((1, 1))
    if function.operation in {np.add, np.subtract, np.multiply}:
        lines = [_line(argument) for argument in function.arguments]
        if None not in lines:
            (a, b), (c, d) = lines
            if function.operation is not np.multiply:
                sign = 1.0 if function.operation is np.add else -1.0
                return a + sign * c, b + sign * d
            if not b.any() or not d.any():
                return a * c, a * d + b * c
    return None


def join(operation: Operation, one: Law, other: Law, moments: Moments | None = None) -> Law:
    """The law of a function of two laws of different latents, as a function of one; see `transported`."""
    (f, first), (g, second) = (as_function(law) for law in (one, other))
    if first is None or second is None or first is second:
        return apply(operation, (one, other))
    return transported(operation, f, g, first, second, moments)
