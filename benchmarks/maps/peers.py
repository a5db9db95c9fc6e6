"""Weights that stand beside the defaults of capas: those that other libraries start from, and those of the papers.

`peer_weights.py` compares them with what the other libraries draw.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax

import capas
from capas import nn, weights

from . import ablations
from .cells import CAPAS, Cell

Choice = str | weights.Scheme | Mapping[str, weights.Scheme]
CALIBRATION_ROWS = 512


def start(network: nn.Layer, cell: Cell, x: Any) -> capas.Model:
    """A model with the weights of a cell; `x` are training inputs, for those that look at data."""
    left = cell.weights in ablations.ABLATIONS
    chosen = ablations.scheme(cell.weights, network, x.shape[1:]) if left else scheme(cell)
    model = capas.init(network, x.shape[1:], seed=cell.seed, scheme=chosen)
    if cell.weights == "pytorch":
        return replace(model, params=with_biases(model.params, jax.random.key(cell.seed)))
    if cell.weights == "lsuv":
        return lsuv(model, nn.Activation(cell.activation), jnp.asarray(x[:CALIBRATION_ROWS]))
    return model


def scheme(cell: Cell) -> Choice:
    """What `capas.init` is asked for."""
    known: dict[str, Choice] = {
        CAPAS: "auto",
        "pytorch": weights.LeCun(gain=3**-0.5, distribution="uniform"),  # U(±1/sqrt(fan_in))
        "keras": weights.Glorot(distribution="uniform"),
        "flax": weights.LeCun(distribution="truncated_normal"),
        "he": weights.He(),
        "glorot": weights.Glorot(distribution="normal"),
        "lecun": weights.LeCun(),
        "lsuv": weights.Orthogonal(),
    }
    if cell.weights == "orthogonal":
        return {"first/*": weights.Orthogonal(), "*": weights.Orthogonal(weights.gain(cell.activation))}
    return known[cell.weights]


def with_biases(layer: dict[str, Any], key: Array) -> dict[str, Any]:
    """Parameters with biases from U(±1/sqrt(fan_in)), as `torch.nn.Linear` draws them."""
    if "weight" in layer:
        limit = layer["weight"].shape[-2] ** -0.5
        return {**layer, "bias": jax.random.uniform(key, layer["bias"].shape, minval=-limit, maxval=limit)}
    keys = jax.random.split(key, len(layer))
    return {name: with_biases(inside, k) for (name, inside), k in zip(layer.items(), keys, strict=True)}


def lsuv(model: capas.Model, activation: nn.Activation, x: Array) -> capas.Model:
    """Every layer's weights divided by the standard deviation of its output on a batch, from the first to the last.

    With zero biases one division gives unit variance exactly. Source: Mishkin and Matas (2016), "All you need is a
    good init", algorithm 1, on weights that are orthogonal.
    """

    def unit(x: Array, weight: Array) -> tuple[Array, Array]:
        y = x @ weight
        return activation(y / y.std()), weight / y.std()

    first, head = model.params["first"]["weight"], model.params["head"]["weight"]
    x, first = unit(x, first)
    changed = {"first/weight": first}
    if "body" in model.params:
        x, changed["body/block/1/weight"] = lax.scan(unit, x, model.params["body"]["block"]["1"]["weight"])
    changed["head/weight"] = unit(x, head)[1]

    def swap(path: tuple[Any, ...], value: Array) -> Array:
        return changed.get("/".join(step.key for step in path), value)

    return replace(model, params=jax.tree_util.tree_map_with_path(swap, model.params))
