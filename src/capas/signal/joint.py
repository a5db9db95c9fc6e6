"""Functions of two normal numbers, brought back to one: the same distribution, and nearly the same company."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .atom import Atom
from .expression import Expression, Z
from .latent import Latent, correlation, correlation_matrix
from .law import Law
from .pair import series
from .quadrature import RARE, Numbers, density, hermite, panel_nodes
from .source import Part, Source
from .tabulate import interpolated

EDGES = np.array([-7.0, -4.5, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.5, 7.0])
ORDER, TERMS = 6, 12


Moments = tuple[Numbers, Numbers, Numbers | None]


def transported(
    operation: Callable[..., Any], f: Any, g: Any, first: Latent, second: Latent, moments: Moments | None = None
) -> Law:
    r"""The law of $F = \\mathrm{operation}(f(z_1), g(z_2))$ as $T(y)$ of one normal number y.

    T is the quantile transform, so that T(y) is distributed as F. y is correlated with $z_1$ and $z_2$ as F is, and
    between examples such that E F F' comes out; further dependence is that of normal numbers, an approximation.
    Mean, second and cross moment are those given, where they are known better than by quadrature.
    """
    r = correlation(first, second, across=False)[:, None]
    tilt = np.sqrt(1 - r * r)
    x, x_weight = joint_nodes(first.breaks)
    w, w_weight = joint_nodes(np.zeros((1, 0)) if r.any() else second.breaks)
    with np.errstate(all="ignore"):
        values = operation(*_at(f, x[..., None]), *_at(g, r[..., None] * x[..., None] + tilt[..., None] * w[:, None]))
    weight = x_weight[..., None] * w_weight[:, None]
    good = np.isfinite(values)
    if not good.all() and (np.where(good, 0.0, weight).sum((1, 2)) < RARE).all():
        values, weight = np.where(good, values, 0.0), np.where(good, weight, 0.0)
    values, weight = np.broadcast_arrays(values, weight / weight.sum((1, 2), keepdims=True))
    table = _coefficients(hermite(x, TERMS), hermite(w, TERMS), values * weight)
    mean, second_moment = (weight * values).sum((1, 2)), (weight * np.square(values)).sum((1, 2))
    if moments is not None:
        mean, second_moment = (np.broadcast_to(m, mean.shape) for m in moments[:2])
    std = np.sqrt(np.maximum(second_moment - mean**2, 0.0))
    if not std.any():
        return Law(mean[:, None])
    rho = [correlation(a, b, across=True) for a, b in ((first, first), (first, second), (second, second))]
    across = np.broadcast_arrays(
        rho[0], (rho[2] - 2 * r[:, 0] * rho[1] + r[:, 0] ** 2 * rho[0]) / np.maximum(tilt[:, 0] ** 2, 1e-12)
    )
    shape = quantiles(values, weight)
    trial = Atom(shape, Latent(()))
    scale = std / np.sqrt(np.maximum(trial.second - trial.mean**2, 1e-300))
    wanted = _covariance_across(np.square(std), table, np.clip(across, 0.0, 1.0))
    if moments is not None and moments[2] is not None:
        wanted = np.broadcast_to(moments[2] - mean**2, wanted.shape)
    target = _across(trial, scale, wanted)
    slope = np.maximum(trial.slope * scale, 1e-300)
    alpha, beta = (np.where(std > 0, found / slope, 0.0) for found in (table[1, 0], table[0, 1]))
    latent = _companion(first, second, alpha - beta * r[:, 0] / tilt[:, 0], beta / tilt[:, 0], target)
    latent.pair = Pair(operation, f, g, first, second, r, shape)
    offset = mean - trial.mean * scale
    known = wanted / np.maximum(np.square(scale), 1e-300) + np.square(trial.mean)
    return Law(offset[:, None], {Atom(shape, latent, known): scale[:, None]})


@dataclass(frozen=True, eq=False)
class Pair:
    """Where a latent y came from: T(y) is operation(f(z_1), g(z_2)).

    Attributes:
        operation, f, g: the function and its arguments.
        first, second: the latents.
        r: their correlation, a column.
        transform: T.
    """

    operation: Callable[..., Any]
    f: Any
    g: Any
    first: Latent
    second: Latent
    r: Numbers
    transform: Expression

    @property
    def latents(self) -> tuple[Latent, Latent]:
        """Both."""
        return self.first, self.second

    def given(self, known: Latent, function: Expression) -> Expression:
        """E (function(y) | one of the latents), as a function of that one."""
        mine, other = (self.f, self.g) if known is self.first else (self.g, self.f)
        swap = known is not self.first
        places, values = self.transform.arguments[1:]
        unknown = self.second if known is self.first else self.first
        w, weight = joint_nodes(np.zeros((1, 0)) if self.r.any() else unknown.breaks)

        def expected(z: Numbers) -> Numbers:
            here = np.asarray(mine(z))[..., None] if isinstance(mine, Expression) else np.asarray(mine)[..., None]
            tilt = np.sqrt(1 - self.r * self.r)[..., None]
            (there,) = _at(other, self.r[..., None] * z[..., None] + tilt * w[:, None])
            value = self.operation(there, here) if swap else self.operation(here, there)
            value = np.broadcast_to(value, (len(value), z.shape[1], w.shape[1]))
            y = interpolated(value.reshape(len(value), -1), values, places)
            found = np.broadcast_to(function(y), y.shape).reshape(value.shape)
            result: Numbers = (found * (weight / weight.sum(1, keepdims=True))[:, None]).sum(-1)
            return result

        return Expression(expected, (Z,))


def joint_nodes(breaks: Numbers) -> tuple[Numbers, Numbers]:
    """Nodes and weights for integrals over two numbers at once: fewer than for one."""
    fixed = np.broadcast_to(EDGES, (len(breaks), len(EDGES)))
    edges = np.sort(np.concatenate([fixed, np.clip(breaks, EDGES[0], EDGES[-1])], 1), 1)
    z, weight = panel_nodes(edges[:, :-1], edges[:, 1:], ORDER)
    z, weight = z.reshape(len(breaks), -1), weight.reshape(len(breaks), -1)
    return z, weight * density(z)


def _at(function: Any, z: Numbers) -> tuple[Numbers]:
    """Values of a function at an array of any rank behind the sites."""
    if not isinstance(function, Expression):
        return (np.asarray(function)[..., None],)
    values = np.asarray(function(z.reshape(len(z), -1)))
    return (values.reshape(len(values), *z.shape[1:]),)


def _coefficients(h: Numbers, k: Numbers, weighted: Numbers) -> Numbers:
    """On products of Hermite polynomials, shape `(terms, terms, sites)`."""
    h, k = (np.broadcast_to(v, (len(v), len(weighted), v.shape[-1])) for v in (h, k))
    return np.einsum("asx,sxb->abs", h, np.einsum("sxy,bsy->sxb", weighted, k))


def quantiles(values: Numbers, weight: Numbers) -> Expression:
    """T(z) such that T of a normal number takes these values with these weights, a row a site."""
    from scipy.special import ndtri  # slow to import, and not needed by all

    flat, mass = values.reshape(len(values), -1), weight.reshape(len(weight), -1)
    order = np.argsort(flat, axis=1, kind="stable")
    flat, mass = np.take_along_axis(flat, order, 1), np.take_along_axis(mass, order, 1)
    level = np.cumsum(mass, 1) - mass / 2
    return Expression(interpolated, (Z, ndtri(np.clip(level, 1e-15, 1 - 1e-15)), flat))


def _covariance_across(variance: Numbers, table: Numbers, rho: Numbers) -> Numbers:
    """Of F between examples, from its coefficients and the correlations of what it is a function of."""
    n = np.arange(TERMS)[:, None]
    squares = np.square(table)
    known = (squares * (rho[0][None] ** n)[:, None] * (rho[1][None] ** n)[None]).sum((0, 1)) - squares[0, 0]
    rest = np.maximum(variance + squares[0, 0] - squares.sum((0, 1)), 0.0)
    found: Numbers = known + rest * np.maximum(*rho) ** TERMS
    return found


def _across(trial: Atom, scale: Numbers, wanted: Numbers) -> Numbers:
    """The correlation between examples of y with which T(y) has this covariance between examples."""
    low, high = np.zeros_like(wanted), np.ones_like(wanted)
    for _ in range(40):
        middle = (low + high) / 2
        found = series(trial.coefficients, trial.coefficients, middle, trial.rest) - trial.mean**2
        below = found * np.square(scale) < wanted
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.where(wanted > 0, high, 0.0)


def _companion(first: Latent, second: Latent, a: Numbers, b: Numbers, rho: Numbers) -> Latent:
    """A latent a z_1 + b z_2 + what is missing to variance 1, with this correlation between examples."""
    known = [part.scaled(a[:, None]) for part in first.parts] + [part.scaled(b[:, None]) for part in second.parts]
    base = Latent(tuple(known))
    norm, shared = (_square(first, second, a, b, across) for across in (False, True))
    shrink = np.where(norm > 1, 1 / np.sqrt(np.maximum(norm, 1e-300)), 1.0)
    norm, shared = norm * shrink**2, shared * shrink**2
    rest = np.maximum(1 - norm, 0.0)
    more = np.clip(rho - shared, 0.0, rest)

    def between() -> Numbers:
        count = max(len(norm), max((len(p.coefficient) for p in known), default=1))
        found = correlation_matrix(base, base, False, count) / np.sqrt(np.outer(norm, norm))
        return np.clip(found, -1.0, 1.0)

    parts = [part.scaled(shrink[:, None]) for part in known]
    for source, power in ((Source(True, between), more), (Source(False, between), rest - more)):
        if (power > 0).any():
            parts.append(Part(source, np.sqrt(power)[:, None]))
    return Latent(tuple(parts))


def _square(first: Latent, second: Latent, a: Numbers, b: Numbers, across: bool) -> Numbers:
    found = [correlation(*pair, across) for pair in ((first, first), (first, second), (second, second))]
    return a * a * found[0] + 2 * a * b * found[1] + b * b * found[2]
