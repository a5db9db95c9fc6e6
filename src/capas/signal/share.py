"""Shares of units that are dead, and of entries that are saturated."""

from __future__ import annotations

import numpy as np

from .expression import Expression
from .field import Field
from .function import as_function
from .law import Law
from .normal import smoothed
from .quadrature import normal_nodes

EXAMPLES = 1000
"""A unit counts as dead if it is zero for so many examples."""

FLAT = 1e-3
"""An entry counts as saturated where the derivative by its latent's value is below this."""


def dead_share(field: Field) -> float:
    r"""$E_u\,P(x = 0 \mid u)^N$: units that are zero for all of N examples, u being what examples share."""
    return _averaged(field, _dead)


def saturated_share(field: Field) -> float:
    """P(|dx / dh| < 1e-3), with h the normal signal that x is a function of; 0 where it is one itself."""
    return _averaged(field, _saturated)


def _averaged(field: Field, share: object) -> float:
    total = sum(width for width, _ in field.blocks) or len(field.blocks)
    return sum((width or 1) / total * share(law) for width, law in field.blocks if isinstance(law, Law))  # type: ignore[operator]


def _is_function(law: Law) -> bool:
    """Whether it is anything but a number or a normal number."""
    return not law.is_number and not law.is_normal and len(law.latents) == 1 and law.concentrated is None


def _dead(law: Law) -> float:
    if law.is_number:
        return float((law.offset == 0).mean())
    if not _is_function(law):
        return 0.0
    function, latent = as_function(law)
    assert latent is not None
    z, _ = latent.nodes
    zero = np.broadcast_to(function(z) == 0, (max(len(z), len(np.asarray(function(z)))), z.shape[1]))
    if not zero.any():
        return 0.0
    rho = np.sqrt(
        sum(np.square(p.coefficient) for p in latent.parts if p.source.shared and p.matrix is None) + np.zeros((1, 1))
    )
    u, u_weight = normal_nodes(np.zeros((1, 0)))
    is_zero = Expression(lambda value: (np.asarray(value) == 0) * 1.0, (function,))
    alike = smoothed(u, rho, np.sqrt(np.maximum(1 - rho * rho, 0.0)), is_zero)
    return float((np.clip(alike, 0, 1) ** EXAMPLES * u_weight).sum(-1).mean())


def _saturated(law: Law) -> float:
    if not _is_function(law):
        return 0.0
    function, latent = as_function(law)
    assert latent is not None
    z, weight = latent.nodes
    slope = (np.asarray(function(z + 1e-5), float) - np.asarray(function(z - 1e-5), float)) / 2e-5
    scale = 1.0 if latent.scale is None else latent.scale
    return float((np.broadcast_to(np.abs(slope) < FLAT * scale, (len(weight), z.shape[1])) * weight).sum(-1).mean())
