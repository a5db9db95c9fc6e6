"""The standardization of a network's input, folded into the first layers."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from ..errors import ArgumentError
from ..nn import Dense, Layer
from ..nn.parameter import Shape, Tree, lecun, materialize
from ..nn.walk import changed
from ..signal.quadrature import Numbers
from .data import BEFORE, InputData
from .reader import read_kernels
from .streams import Kernel

TRIED, TOLERANCE = 16, 0.02
"""Examples on which a folded network is held against the one it stands for, and what rounding may do."""

MEAN, STD = 1.0, 2.0
"""Moments that a fold is tried with: whether one is possible does not depend on them, and nothing cancels at these."""


def standardize(network: Layer, shape: Shape, params: Tree, data: InputData) -> Tree:
    r"""Fold $(x_i - \mu_i) / \sigma_i$ into the first layers: $w_i / \sigma_i$ and $b - \sum_i w_i \mu_i / \sigma_i$.

    Raises `ArgumentError` where it cannot be folded: convolutions pad with zeros, skips pass the input on, a layer has
    no bias; and `DataError` for columns whose numbers lie too close together for float32.
    """
    readers = {path: kernel for path, kernel in read_kernels(network, shape).items() if kernel.reads.is_input}
    for path, kernel in readers.items():
        _require_foldable(path, kernel)
    if not readers:
        raise _unfoldable("no dense layer that reads it")
    if not _is_foldable(network, shape, params, readers):
        raise _unfoldable("a network that passes the input on beside them")
    data.require_spread()
    return _folded(params, readers, data.mean, data.std)


def _require_foldable(path: str, kernel: Kernel) -> None:
    if not isinstance(kernel.layer, Dense) or not kernel.layer.bias or kernel.reads.functions or kernel.copies > 1:
        raise _unfoldable(f"{path}, {kernel.layer!r}")


def _is_foldable(network: Layer, shape: Shape, params: Tree, readers: Iterable[str]) -> bool:
    """Whether nothing but the readers sees the input: tried on standard normal examples, with moments of any kind."""
    folded = _folded(params, readers, np.full(shape[-1], MEAN), np.full(shape[-1], STD))
    z = np.random.default_rng(0).standard_normal((TRIED, *shape)).astype(np.float32)
    state = materialize(network.statistics(shape), jax.random.key(0), lecun)
    raw, standard = (network.apply(p, state, jnp.asarray(x))[0] for p, x in ((folded, MEAN + STD * z), (params, z)))
    return not jnp.abs(raw - standard).max() > TOLERANCE * (1 + jnp.abs(standard).max())


def _unfoldable(got: str) -> ArgumentError:
    return ArgumentError(
        "init",
        expected="standardize=True with dense layers that read the input as it is and have a bias",
        got=got,
        remedy=f"{BEFORE}, and leave it out.",
    )


def _folded(params: Tree, kernels: Iterable[str], mean: Numbers, std: Numbers) -> Tree:
    for path in kernels:
        params = changed(params, path.rpartition("/")[0], partial(_fold, mean=mean, std=std))
    return params


def _fold(layer: Tree, mean: Numbers, std: Numbers) -> Tree:
    """In float64, with the weight as it is rounded: what is left of the mean is then the rounding of one number."""
    weight, bias = np.asarray(layer["weight"]), np.asarray(layer["bias"])
    repeats = weight.shape[0] // len(mean)
    scaled = (weight / np.tile(std, repeats)[:, None]).astype(weight.dtype)
    shifted = (bias - np.tile(mean, repeats) @ scaled.astype(np.float64)).astype(bias.dtype)
    return {**layer, "weight": jnp.asarray(scaled), "bias": jnp.asarray(shifted)}
