"""The same samples as `maps.peers` draws them for the networks of the maps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from maps import networks, peers
from maps.cells import Cell

from .samples import ACTIVATION, SHAPES, WEIGHTS, Sample

DEPTH = 3
"""Hidden layers of each network that is drawn."""

PLACES = dict(zip(SHAPES, (("first",), ("body", "block", "1"), ("head",)), strict=True))


def numbers(sample: Sample) -> Any:
    """One network for each seed from 0; a network has `DEPTH` hidden layers and one first and last layer."""
    (inputs, _), (_, classes) = SHAPES[0], SHAPES[-1]
    cell = Cell("fashion", "plain", ACTIVATION, DEPTH, WEIGHTS[sample.code])
    network, x = networks.build(cell, (inputs,), classes), np.zeros((1, inputs), np.float32)
    place = (*PLACES[sample.shape], "bias" if sample.is_bias else "weight")

    def draw(seed: Any) -> Array:
        found: Any = peers.start(network, replace(cell, seed=seed), x).params
        for name in place:
            found = found[name]
        return found.reshape(-1, *sample.shape[sample.is_bias :])

    copies = len(draw(0))  # not traced: gains of activations are computed by NumPy, once
    seeds = jnp.arange(-(-sample.layers // copies))
    return sample.read(np.concatenate(jax.jit(lambda: lax.map(draw, seeds))()))
