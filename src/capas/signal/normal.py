"""New normal numbers with given moments, and sums of normal numbers over sites and examples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .atom import Atom, normal
from .expression import Expression, Z
from .latent import Latent, correlation
from .law import ONE, ZERO, Law, constant
from .quadrature import Numbers, normal_nodes
from .source import Part, Source, covariance_matrix
from .tabulate import tabulated

Kernel = Callable[[bool], Numbers]
"""E of the products between all sites: `kernel(across)`, of one example or of two."""


def fresh(mean: Any, second: Any, cross: Any, kernel: Kernel | None = None) -> Law:
    """Normal numbers that are independent of everything before them, with these moments, shape `(sites or 1,)`.

    Args:
        mean: E x.
        second: E x².
        cross: E of the product of two examples.
        kernel: moments between sites; None where there is one site.
    """
    mean, second, cross = np.broadcast_arrays(
        *(np.atleast_1d(np.asarray(v, np.float64)) for v in (mean, second, cross))
    )
    variance = np.maximum(second - mean**2, 0.0)
    variance = np.where(variance < 1e-14 * second, 0.0, variance)
    shared = np.clip(cross - mean**2, 0.0, variance)
    shared = np.where(shared < 1e-14 * variance, 0.0, shared)
    if not variance.any():
        return constant(mean)
    std = np.sqrt(variance)
    safe = np.where(std > 0, std, 1.0)
    parts = []
    for is_shared, power in ((True, shared), (False, variance - shared)):
        if power.any():
            correlation = None if kernel is None else _correlation(is_shared, kernel, mean, power)
            parts.append(Part(Source(is_shared, correlation), (np.sqrt(power) / safe)[:, None]))
    return Law(_column(mean), {normal(scaled_latent(tuple(parts), mean, std)): _column(std)})


WIDE = 2.0
"""Standard deviations beyond which functions are sharp on the scale of the panels."""


def scaled_latent(parts: tuple[Part, ...], mean: Numbers, std: Numbers) -> Latent:
    """The latent of a signal; where that is wide, panels are narrow around its zero, where functions bend."""
    latent = Latent(parts, scale=_column(std))
    if (std > WIDE).any():
        around = np.array([-6.0, -3.0, -1.0, 0.0, 1.0, 3.0, 6.0])
        latent.split_at((around - _column(mean)) / np.maximum(_column(std), 1e-300))
    return latent


def _column(values: Numbers) -> Numbers:
    return np.array(values, np.float64).reshape(-1, 1)


def _correlation(shared: bool, kernel: Kernel, mean: Numbers, power: Numbers) -> Callable[[], Numbers]:
    def between() -> Numbers:
        across = kernel(True)
        means = np.outer(*[np.broadcast_to(mean, (len(across),))] * 2)
        covariance = across - means if shared else kernel(False) - across
        std = np.sqrt(np.broadcast_to(power, (len(across),)))
        scale = np.outer(std, std)
        found: Numbers = np.where(scale > 0, covariance / np.where(scale > 0, scale, 1.0), 0.0)
        return np.clip(found, -1.0, 1.0)

    return between


def mixed(law: Law, mixing: Numbers) -> Law:
    """A matrix times a law, along its sites, shape `(new sites, sites)`.

    A sum of normal numbers stays one, exactly. Of other functions it becomes a new normal number with the sum's
    moments, independent of what it is made of.
    """
    sites = mixing.shape[1]
    offset = mixing @ np.broadcast_to(law.offset, (sites, 1))
    if law.is_number:
        return constant(offset)
    if not law.is_normal:
        return _averaged(law, mixing)
    total: dict[Any, Any] = {}
    for atom, factor in law.terms.items():
        parts = tuple(part.scaled(factor).mix(mixing) for part in atom.latent.parts)
        variance = np.maximum(np.diagonal(_covariance(parts)), 0.0)
        std = np.sqrt(variance)[:, None]
        inverse = np.where(std > 0, 1 / np.where(std > 0, std, 1.0), 0.0)
        if variance.any():
            total[normal(Latent(tuple(part.scaled(inverse) for part in parts)))] = std
    return Law(offset, total)


def _covariance(parts: tuple[Part, ...]) -> Numbers:
    count = len(parts[0].matrix)  # type: ignore[arg-type]
    total = np.zeros((count, count))
    for one in parts:
        for other in parts:
            if one.source is other.source:
                total += covariance_matrix(one, other, count)
    return total


def _averaged(law: Law, mixing: Numbers) -> Law:
    sites = mixing.shape[1]
    kernels: dict[bool, Numbers] = {}

    def kernel(across: bool) -> Numbers:
        if across not in kernels:
            kernels[across] = mixing @ law.matrix(across, sites) @ mixing.T
        return kernels[across]

    mean = mixing @ np.broadcast_to(law.mean, (sites,))
    found = fresh(mean, np.diagonal(kernel(False)), np.diagonal(kernel(True)), kernel if len(mixing) > 1 else None)
    return Law(found.offset, found.terms, is_average=True)


def given_unit(law: Law) -> Law:
    """E (x | what all examples share): the mean over a large batch."""
    total = Law(law.offset)
    for atom, factor in law.terms.items():
        found = _atom_given_unit(atom)
        terms = {a: c * factor for a, c in found.terms.items()}
        total = Law(total.offset + factor * found.offset, {**total.terms, **terms}, law.is_average)
    return total


def _atom_given_unit(atom: Atom) -> Law:
    if atom.given_unit is None:
        atom.given_unit = _conditional(atom)
    found: Law = atom.given_unit
    return found


def _conditional(atom: Atom) -> Law:
    parts = [part for part in atom.latent.parts if part.source.shared]
    rho = np.zeros(1)
    if parts:
        trial = Latent(tuple(parts))
        rho = correlation(trial, trial, across=True)
    if not rho.any():
        return constant(atom.mean)
    norm = np.sqrt(rho)[:, None]
    inverse = np.where(norm > 0, 1 / np.where(norm > 0, norm, 1.0), 0.0)
    latent = _shared_latent(atom.latent, parts, inverse)
    if atom.is_normal:
        return Law(ZERO, {normal(latent): norm})
    own = np.sqrt(np.maximum(1 - norm * norm, 0.0))
    smooth = tabulated(Expression(smoothed, (Z, norm, own), (atom.value,)), latent)
    return Law(ZERO, {Atom(smooth, latent): ONE})


def smoothed(u: Numbers, along: Numbers, across: Numbers, function: Expression) -> Numbers:
    """E f(along u + across w) over a normal number w, at every u."""
    w, weight = normal_nodes(np.zeros((1, 0)))
    centre, spread = np.broadcast_arrays(along * u, across)
    inside = (centre[..., None] + spread[..., None] * w[0]).reshape(len(centre), -1)
    values = np.asarray(function(inside))
    values = np.broadcast_to(values, (max(len(values), len(inside)), inside.shape[1]))
    found: Numbers = values.reshape(-1, centre.shape[1], len(w[0])) @ weight[0]
    return found


def _shared_latent(latent: Latent, parts: list[Part], inverse: Numbers) -> Latent:
    """Always the same for one latent, so that functions of it can be compared."""
    if latent.shared is None:
        latent.shared = Latent(tuple(part.scaled(inverse) for part in parts))
    found: Latent = latent.shared
    return found
