"""Arrays that an operation combines entry by entry, brought to the same axes, sites and features."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from .field import ORDER, Content, Field, Role, whole
from .law import constant
from .parameter import of_array
from .quadrature import Numbers


def aligned(shape: tuple[int, ...], values: Sequence[Any]) -> tuple[tuple[Role, ...], list[tuple[int, list[Content]]]]:
    """Roles of the result, and, for each run of features that have the same laws, its width and the inputs' laws."""
    fields = [value for value in values if isinstance(value, Field)]
    roles = merged_roles(shape, fields)
    ready = [expanded(v if isinstance(v, Field) else of_known(v, shape, roles), shape, roles) for v in values]
    width = math.prod(n for n, role in zip(shape, roles, strict=True) if role == "feature")
    return roles, runs_of(ready, width)


def merged_roles(shape: tuple[int, ...], fields: Sequence[Field]) -> tuple[Role, ...]:
    """Per axis, what it ranges over: a parameter goes along with the signal that it is combined with."""
    whole_rank = [f.roles for f in fields if len(f.roles) == len(shape)]
    return tuple(
        max((roles[i] for roles in whole_rank), key=ORDER.__getitem__, default="one") for i in range(len(shape))
    )


def edges_of(field: Field) -> list[int]:
    """Where the runs of features that have one law end."""
    return [int(edge) for edge in np.cumsum([width for width, _ in field.blocks])]


def runs_of(fields: Sequence[Field], width: int) -> list[tuple[int, list[Content]]]:
    """Runs of features in each of which every field has one law: the run's width, and the laws."""
    edges = sorted({0, width, *(edge for f in fields if len(f.blocks) > 1 for edge in edges_of(f))})
    if len(edges) <= 2:
        return [(width, [f.blocks[0][1] for f in fields])]
    return [(high - low, [run_of(f, low, high) for f in fields]) for low, high in pairwise(edges)]


def run_of(field: Field, low: int, high: int) -> Content:
    """The law of a run of features within one block: other units than the rest of it, if the field has units at all."""
    if not {"feature", "weight"} & set(field.roles):
        return field.blocks[0][1]
    start = 0
    for width, content in field.blocks:
        if low == start and high == start + width:
            found = content
        elif start <= low < start + width:
            found = content.units((low - start, high - start))
        else:
            start += width
            continue
        return found
    return field.blocks[-1][1]


def sites_of(field: Field) -> Numbers:
    """The number of every position, on the axes of the array that are positions."""
    grid = [n if role == "position" else 1 for n, role in zip(field.shape, field.roles, strict=True)]
    return np.arange(field.sites).reshape(grid)


def expanded(field: Field, shape: tuple[int, ...], roles: tuple[Role, ...]) -> Field:
    """A field on all positions of the result: where it has none along an axis, it is the same there."""
    if len(field.roles) != len(shape):
        return field
    ours = [role == "position" for role in field.roles]
    theirs = [role == "position" for role in roles]
    if ours == theirs:
        return field
    grid = [n if position else 1 for n, position in zip(shape, theirs, strict=True)]
    sites = np.broadcast_to(sites_of(field), grid).ravel()
    return field.map(lambda content: content.gather(sites))


def of_known(array: Any, shape: tuple[int, ...], roles: tuple[Role, ...]) -> Field:
    """Known numbers: one per site where they differ along positions alone; else a parameter drawn at random."""
    values = np.asarray(array, np.float64)
    if values.ndim != len(shape) or values.size == 1:
        return (
            whole(constant(values.ravel()[0]), values.shape, ["one"] * values.ndim)
            if values.size == 1
            else of_array(values)
        )
    first = values[tuple(slice(None) if role == "position" else slice(0, 1) for role in roles)]
    if (values == first).all():
        column = np.broadcast_to(first, [n if role == "position" else 1 for n, role in zip(shape, roles, strict=True)])
        return whole(constant(compressed(column.reshape(-1, 1))), shape, roles)
    return of_array(values)


def compressed(column: Numbers) -> Numbers:
    """One number where all are equal."""
    return column[:1] if len(column) > 1 and (column == column[0]).all() else column
