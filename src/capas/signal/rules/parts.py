"""Parts of signals, and signals put beside each other: along features others units, along positions other sites."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..align import run_of, runs_of, sites_of
from ..field import Field, Role
from ..gradient import noise, plus
from ..interpret import Value, Walk, refuse, rule
from ..law import Law, add, constant
from .combine import as_field
from .shape import moved


@rule("slice", "dynamic_slice")
def part(walk: Walk, equation: Any, x: Value, *starts: Value) -> Sequence[Value]:
    """Some of the entries."""
    x, shape = as_field(equation, x), equation.outvars[0].aval.shape
    if any(isinstance(start, Field) for start in starts):
        raise refuse(equation, "a part whose place depends on a signal")
    low = equation.params.get("start_indices", [int(np.asarray(s).ravel()[0]) for s in starts])
    step = equation.params.get("strides") or (1,) * len(shape)
    cuts = [slice(a, a + (n - 1) * s + 1, s) for a, n, s in zip(low, shape, step, strict=True)]
    return [_cut(equation, x, shape, cuts)]


def _cut(equation: Any, x: Field, shape: Sequence[int], cuts: list[slice]) -> Field:
    sites = sites_of(x)
    sites = sites[tuple(cut if role == "position" else slice(None) for cut, role in zip(cuts, x.roles, strict=True))]
    x = _features(equation, x, cuts)
    roles: list[Role] = ["one" if n == 1 and r != "feature" else r for n, r in zip(shape, x.roles, strict=True)]
    return moved(x, sites, shape, roles)


def _features(equation: Any, x: Field, cuts: list[slice]) -> Field:
    """A run of features."""
    axes = [i for i, r in enumerate(x.roles) if r == "feature"]
    cut_axes = [i for i in axes if cuts[i] != slice(0, x.shape[i], cuts[i].step)]
    if not cut_axes:
        return x
    if len(axes) > 1 or (cuts[axes[0]].step or 1) != 1:
        if len(x.blocks) > 1:
            raise refuse(equation, "features of different laws, cut along several axes or by steps")
        width = math.prod(c.stop - c.start for i, c in enumerate(cuts) if i in axes)
        return replace(x, blocks=((width, x.law.units((cuts[cut_axes[0]].start, cuts[cut_axes[0]].stop))),))
    cut, start, kept = cuts[axes[0]], 0, []
    for width, _ in x.blocks:
        low, high = max(start, cut.start), min(start + width, cut.stop)
        if low < high:
            kept.append((high - low, run_of(x, low, high)))
        start += width
    return replace(x, blocks=tuple(kept))


@rule("pad")
def pad(walk: Walk, equation: Any, x: Value, fill: Value) -> Sequence[Value]:
    """Zeros around and between positions, or beside the features."""
    x, shape, config = as_field(equation, x), equation.outvars[0].aval.shape, equation.params["padding_config"]
    sites, fill_law = sites_of(x), as_field(equation, fill).law
    if all(c == (0, 0, 0) for c in config):
        return [x]
    roles: list[Role] = [
        "position" if r == "one" and c != (0, 0, 0) else r for r, c in zip(x.roles, config, strict=True)
    ]
    x = replace(x, roles=tuple(roles))
    for axis, (low, high, inner) in enumerate(config):
        if x.roles[axis] == "feature" and (low or high or inner):
            x = _beside(equation, x, low, high, inner)
        elif x.roles[axis] == "position" and (low, high, inner) != (0, 0, 0):
            sites = _spaced(sites, axis, low, high, inner)
        elif (low, high, inner) != (0, 0, 0):
            raise refuse(equation, f"an axis of {x.roles[axis]} padded")
    result = moved(x, sites, shape, x.roles)
    if fill_law.is_zero or (sites >= 0).all():
        return [result]
    return [result.map(lambda law: _filled(equation, law, sites.ravel() < 0, fill_law))]


def _spaced(sites: Any, axis: int, low: int, high: int, inner: int) -> Any:
    """Sites with -1 around and between them; negative padding cuts."""
    size = sites.shape[axis] + inner * (sites.shape[axis] - 1)
    wide = np.full([size if i == axis else n for i, n in enumerate(sites.shape)], -1)
    wide[tuple(slice(None, None, inner + 1) if i == axis else slice(None) for i in range(wide.ndim))] = sites
    wide = np.pad(
        wide, [(max(low, 0), max(high, 0)) if i == axis else (0, 0) for i in range(wide.ndim)], constant_values=-1
    )
    stop = wide.shape[axis] + min(high, 0)
    return wide[tuple(slice(max(-low, 0), stop) if i == axis else slice(None) for i in range(wide.ndim))]


def _beside(equation: Any, x: Field, low: int, high: int, inner: int) -> Field:
    if inner or low < 0 or high < 0:
        raise refuse(equation, "features padded between each other, or cut")
    zero = noise(0.0) if x.is_gradient else constant(0.0)
    ends = [((low, zero),) if low else (), ((high, zero),) if high else ()]
    return replace(x, blocks=(*ends[0], *x.blocks, *ends[1]))


def _filled(equation: Any, law: Any, outside: Any, fill: Any) -> Law:
    """Another number than zero where there is nothing."""
    if not isinstance(law, Law) or not fill.is_number:
        raise refuse(equation, "a gradient padded with numbers, or a padding that is a signal")
    offset = np.where(outside[:, None], fill.offset, law.offset)
    return Law(offset, law.terms)


@rule("split")
def split(walk: Walk, equation: Any, x: Value) -> Sequence[Value]:
    """Parts one after another along an axis."""
    x, axis, start, parts = as_field(equation, x), equation.params["axis"], 0, []
    for size in equation.params["sizes"]:
        cuts = [slice(start, start + size) if i == axis else slice(0, n) for i, n in enumerate(x.shape)]
        parts.append(_cut(equation, x, [c.stop - c.start for c in cuts], cuts))
        start += size
    return parts


@rule("concatenate")
def concatenate(walk: Walk, equation: Any, *inputs: Value) -> Sequence[Value]:
    """Features side by side, each with its law; or positions, at the sites of which the laws are."""
    fields, shape = [as_field(equation, value) for value in inputs], equation.outvars[0].aval.shape
    axis = equation.params["dimension"]
    role: Role = next((f.roles[axis] for f in fields if f.roles[axis] != "one"), "one")
    if role == "feature":
        blocks = tuple(block for f in fields for block in f.blocks)
        return [Field(shape, _roles(fields, axis, role), _joined(blocks))]
    if role == "position" or (role == "one" and len(fields) > 1):
        runs = runs_of(fields, max(sum(width for width, _ in f.blocks) for f in fields))
        parts = [
            [replace(f, blocks=((width, law),)) for f, law in zip(fields, laws, strict=True)] for width, laws in runs
        ]
        joined = [_side_by_side(equation, part, shape, axis) for part in parts]
        return [replace(joined[0], blocks=tuple(block for field in joined for block in field.blocks))]
    raise refuse(equation, f"{role}s side by side")


def _roles(fields: Sequence[Field], axis: int, role: Role) -> tuple[Role, ...]:
    roles = list(fields[0].roles)
    roles[axis] = role
    return tuple(roles)


def _joined(blocks: Sequence[tuple[int, Any]]) -> tuple[tuple[int, Any], ...]:
    """Neighbours of the same law made one."""
    done: list[tuple[int, Any]] = []
    for width, content in blocks:
        if done and done[-1][1] is content:
            done[-1] = (done[-1][0] + width, content)
        else:
            done.append((width, content))
    return tuple(done)


def _side_by_side(equation: Any, fields: Sequence[Field], shape: tuple[int, ...], axis: int) -> Field:
    """Each put at its sites, with nothing elsewhere, and added up; or, of one signal, gathered."""
    roles = _roles(fields, axis, "position")
    grid = [n if r == "position" else 1 for n, r in zip(shape, roles, strict=True)]
    start, total = 0, None
    gathered = _of_one_signal(fields, grid, axis)
    if gathered is not None:
        return Field(shape, roles, ((fields[0].blocks[0][0], gathered),))
    for field in fields:
        sites = np.full(grid, -1)
        cut = tuple(slice(start, start + field.shape[axis]) if i == axis else slice(None) for i in range(len(grid)))
        sites[cut] = np.broadcast_to(sites_of(field), sites[cut].shape)
        start += field.shape[axis]
        placed = moved(field, sites, shape, roles)
        total = placed if total is None else _plus(equation, total, placed)
    assert total is not None
    return total


def _of_one_signal(fields: Sequence[Field], grid: Sequence[int], axis: int) -> Any:
    """The law, where all that stands side by side are places of one signal, as in circular padding."""
    if any(field.is_gradient or len(field.blocks) > 1 for field in fields):
        return None
    laws = [field.law for field in fields]
    origins = [law.origin or (law, np.arange(field.sites)) for law, field in zip(laws, fields, strict=True)]
    if len({id(root) for root, _ in origins}) > 1:
        return None
    places = [
        np.broadcast_to(
            there.reshape(sites_of(field).shape), [field.shape[i] if i == axis else n for i, n in enumerate(grid)]
        )
        for (_, there), field in zip(origins, fields, strict=True)
    ]
    return origins[0][0].gather(np.concatenate(places, axis).ravel())


def _plus(equation: Any, one: Field, other: Field) -> Field:
    join = plus if one.is_gradient else add
    return one.map(lambda content: join(content, other.law))
