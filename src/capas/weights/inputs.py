"""Mean and standard deviation of what the first layers read: the units in which `capas.fit` trains them."""

from __future__ import annotations

import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..nn import Conv, Dense, Layer
from ..nn.parameter import Shape
from ..signal.quadrature import Numbers
from .data import InputData
from .reader import read_kernels
from .streams import Kernel

Inputs = dict[str, dict[str, Array]]
"""By the path of a layer its "mean" and "std", one number for every feature, for every channel, or for all."""


def read_inputs(network: Layer, shape: Shape, data: InputData, *, standardized: bool) -> Inputs:
    """The moments of examples, for dense layers and convolutions that read them as they are, or with branches added.

    Args:
        network: the description.
        shape: of one example.
        data: the examples.
        standardized: whether the features count by their standard deviations, as they do where these are folded into
            the weights; else by their `size`, so that those which are mostly zero are not taken for small ones.

    Example:
        >>> import numpy as np
        >>> from capas import nn
        >>> from capas.weights.data import InputData
        >>> from capas.weights.inputs import read_inputs
        >>> seen = InputData(np.array([[0.0, 1.0], [2.0, 7.0]]), (2,))
        >>> net = nn.Sequential(nn.Dense(8), "relu", nn.Dense(2))
        >>> [(path, *found.values()) for path, found in read_inputs(net, (2,), seen, standardized=True).items()]
        [('0', Array([1., 4.], dtype=float32), Array([1., 3.], dtype=float32))]
    """
    std = data.std if standardized else data.size
    return {path: _moments(data.mean, std, kernel) for path, kernel in input_kernels(network, shape).items()}


def input_kernels(network: Layer, shape: Shape) -> dict[str, Kernel]:
    """Of dense layers and convolutions that read the input as it is: their kernels, by the paths of the layers."""
    return {path: kernel for path, kernel in first_kernels(network, shape).items() if not kernel.reads.functions}


def first_kernels(network: Layer, shape: Shape) -> dict[str, Kernel]:
    """Of those, and of such that read functions of the input."""
    return {path.rpartition("/")[0]: k for path, k in read_kernels(network, shape).items() if _reads_input(k)}


def _reads_input(kernel: Kernel) -> bool:
    bare = kernel.reads.is_input and not kernel.reads.mixed
    return bare and kernel.copies == 1 and kernel.parameter.groups == 1 and isinstance(kernel.layer, (Dense, Conv))


def _moments(mean: Numbers, std: Numbers, kernel: Kernel) -> dict[str, Array]:
    """Those of all features together, where they have been made positions."""
    if kernel.parameter.shape[-2] % len(mean):
        mean, std = np.array([mean.mean()]), np.array([math.sqrt(np.square(std).mean() + mean.var())])
    return {"mean": jnp.asarray(mean, jnp.float32), "std": jnp.asarray(std, jnp.float32)}
