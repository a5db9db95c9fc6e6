"""Functions given by a table of their values."""

from __future__ import annotations

import numpy as np

from .expression import Expression, Z
from .latent import Latent
from .quadrature import Numbers


def tabulated(function: Expression, latent: Latent) -> Expression:
    """The function by its values at the latent's nodes: an integral at every z, taken once, however nested."""
    z = latent.nodes[0]
    values = np.asarray(function(z), np.float64)
    values = np.broadcast_to(values, (max(len(values), len(z)), z.shape[1]))
    return Expression(interpolated, (Z, np.broadcast_to(z, values.shape), values))


def interpolated(z: Numbers, places: Numbers, values: Numbers) -> Numbers:
    """Row by row, what lies at z between values at given places."""
    if len(values) == 1:
        return np.interp(z, places[0], values[0])
    rows = np.broadcast_to(z, (len(values), z.shape[-1]))
    return np.stack([np.interp(*row) for row in zip(rows, places, values, strict=True)])
