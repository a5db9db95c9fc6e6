"""Functions of one latent: what elementwise operations make of it, evaluated wherever they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import reduce
from typing import Any

import numpy as np

from .quadrature import Numbers

Operation = Callable[..., Any]


class Expression:
    """A function of a standard normal number z, as a graph of elementwise operations.

    Args:
        operation: takes arrays of the values of the arguments, then the inner functions; None for z itself.
        arguments: expressions of the same z, or numbers per site, shape `(sites or 1, any)`.
        inner: functions that are evaluated elsewhere than at z.
    """

    __slots__ = ("_seen", "_values", "arguments", "inner", "operation")

    def __init__(
        self, operation: Operation | None, arguments: tuple[Any, ...] = (), inner: tuple[Expression, ...] = ()
    ) -> None:
        self.operation, self.arguments, self.inner = operation, arguments, inner
        self._seen: Numbers | None = None
        self._values: Any = None

    def __call__(self, z: Numbers) -> Any:
        """Values at z, shape `(sites or 1, nodes)`. The last answer is kept: neighbours in the graph ask for it."""
        if self.operation is None:
            return z
        if self._seen is not z:
            values = (a(z) if isinstance(a, Expression) else a for a in self.arguments)
            with np.errstate(all="ignore"):
                self._values = self.operation(*values, *self.inner)
            self._seen = z
        return self._values

    def gather(self, sites: Numbers, done: dict[int, Any]) -> Expression:
        """The same function at other sites: every column of numbers is read there."""
        if self.operation is None:
            return self
        if id(self) not in done:
            arguments = tuple(
                a.gather(sites, done) if isinstance(a, Expression) else gather_column(a, sites) for a in self.arguments
            )
            inner = tuple(function.gather(sites, done) for function in self.inner)
            done[id(self)] = Expression(self.operation, arguments, inner)
        found: Expression = done[id(self)]
        return found


Z = Expression(None)
"""z itself."""


def combination(terms: Iterable[tuple[Expression, Any]]) -> Expression:
    """A sum of functions, each times a column."""
    scaled = (value if _is_one(factor) else Expression(np.multiply, (value, factor)) for value, factor in terms)
    return reduce(lambda one, other: Expression(np.add, (one, other)), scaled)


def _is_one(column: Any) -> bool:
    return len(column) == 1 and bool(column[0, 0] == 1.0)


def gather_column(column: Any, sites: Numbers) -> Any:
    """A column of numbers at other sites; one number for all sites stays."""
    return column[sites] if np.ndim(column) > 0 and len(column) > 1 else column


def crossings(function: Operation, z: Numbers) -> Numbers:
    """Where the sign of a function changes between nodes: shape `(sites, any)`, filled up with infinity.

    A function that is zero on an interval changes sign at its ends. Found by cutting intervals in sixteen.
    """
    signs = np.sign(function(z))
    site, place = np.nonzero(signs[:, 1:] != signs[:, :-1])
    if not len(site):
        return np.full((1, 0), np.inf)
    rows = np.broadcast_to(z, signs.shape)
    low, high = _fill(len(signs), site, rows[site, place]), _fill(len(signs), site, rows[site, place + 1])
    left = np.sign(function(low))
    for _ in range(13):
        grid = low[..., None] + (high - low)[..., None] * np.linspace(0, 1, 17)
        here = np.sign(function(grid.reshape(len(low), -1))).reshape(grid.shape)
        step = np.argmax(here != left[..., None], axis=-1)
        step = np.maximum(step, 1)
        low, high = (np.take_along_axis(grid, (step - k)[..., None], -1)[..., 0] for k in (1, 0))
    return np.where(np.isfinite(high), high, np.inf)


def _fill(sites: int, site: Numbers, values: Numbers) -> Numbers:
    """One row a site; where a site has fewer values than others, its row repeats 40, beyond all panels."""
    counts = np.bincount(site, minlength=sites)
    filled = np.full((sites, counts.max()), 40.0)
    column = np.arange(len(site)) - np.concatenate([[0], np.cumsum(counts)[:-1]])[site]
    filled[site, column] = values
    return filled
