"""Kernels and signals as the libraries with channels first keep them."""

from __future__ import annotations

from typing import Any

import numpy as np

from .architecture import Chain, Dense, Flatten, Layer, Repeat, Residual, Shape, places
from .material import Arrays


def signal(x: Any) -> Any:
    """Examples with channels behind the batch."""
    return np.ascontiguousarray(np.moveaxis(x, -1, 1))


def parameters(chain: Chain, shape: Shape, arrays: Arrays) -> dict[str, Any]:
    """Kernels as (outputs, inputs, *window), that behind `Flatten` with its inputs in the other order; biases as is."""
    return {**arrays, **_kernels(chain, shape, arrays)}


def _kernels(chain: Chain, shape: Shape, arrays: Arrays, path: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    flattened: Shape = ()
    for place, layer, at in places(chain, shape, path):
        if isinstance(layer, Residual | Repeat):
            found |= _kernels(layer.block, at, arrays, f"{place}/block/")
        if isinstance(layer, Residual):
            found |= _kernels(layer.shortcut, at, arrays, f"{place}/shortcut/")
        if isinstance(layer, Flatten):
            flattened = at
        if (name := f"{place}/weight") in arrays:
            found[name] = np.ascontiguousarray(_turned(layer, arrays[name], flattened))
            flattened = ()
    return found


def _turned(layer: Layer, weight: Any, flattened: Shape) -> Any:
    if not isinstance(layer, Dense):
        return np.moveaxis(weight, (-1, -2), (0, 1))
    if flattened:
        weight = np.moveaxis(weight.reshape(*flattened, -1), -2, 0).reshape(weight.shape)
    return np.swapaxes(weight, -1, -2)
