"""What a layer declares of its arrays before any number exists, and the arrays made from that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from ..randomness import enough

Shape = tuple[int, ...]
Tree = dict[str, Any]
"""A nested dict: of arrays (parameters, state) or of `Parameter` (their declarations)."""

Role = Literal["kernel", "bias", "scale", "statistic"]


@dataclass(frozen=True)
class Parameter:
    """What a layer declares of one of its arrays, before any number exists.

    Attributes:
        shape: shape of one copy; a kernel is `(*window, inputs per group, outputs)`.
        role: kernels are sampled (and decayed in training); all else starts at `start`.
        fan_in: number of inputs that one output sums over, averaged over positions.
        fan_out: number of outputs that one input reaches, averaged over positions.
        groups: number of independent blocks along the outputs (grouped convolution).
        start: the constant that everything but a kernel starts from.
        copies: leading axes of stacked copies (`Repeat`).
    """

    shape: Shape
    role: Role
    fan_in: float = 1
    fan_out: float = 1
    groups: int = 1
    start: float = 0.0
    copies: Shape = ()

    @property
    def size(self) -> int:
        """Number of scalars, all copies together."""
        size = 1
        for n in (*self.copies, *self.shape):
            size *= n
        return size


Sampler = Callable[[PRNGKeyArray, Parameter], Array]


def lecun(key: PRNGKeyArray, kernel: Parameter) -> Array:
    """N(0, 1/fan_in): the lecture's answer for the combination layer alone, and what a bare `init` uses."""
    return jax.random.normal(key, kernel.shape) * kernel.fan_in**-0.5


def materialize(declared: Tree, key: PRNGKeyArray, sample: Sampler) -> Tree:
    """Arrays for a tree of declarations: kernels sampled, each with a key of its own, the rest constant."""
    leaves, treedef = jax.tree.flatten(declared)
    keys = split(key, len(leaves))
    return jax.tree.unflatten(treedef, [draw(p, k, sample) for p, k in zip(leaves, keys, strict=True)])


def split(key: PRNGKeyArray, count: int) -> list[PRNGKeyArray]:
    """Keys, taken out one by one on the host, where nothing is compiled for it."""
    if not count:
        return []
    keys = jax.random.split(key, enough(count, base=16, least=16))
    if isinstance(keys, jax.core.Tracer):
        return [keys[i] for i in range(count)]
    numbers, kind = np.asarray(jax.random.key_data(keys)), jax.random.key_impl(keys)
    return [jax.random.wrap_key_data(n, impl=kind) for n in numbers[:count]]


def draw(parameter: Parameter, key: PRNGKeyArray, sample: Sampler) -> Array:
    """One array for a declaration, all copies included."""
    if parameter.role != "kernel":
        full = np.full((*parameter.copies, *parameter.shape), parameter.start, jax.dtypes.canonicalize_dtype(float))
        return jax.device_put(full)
    if not parameter.copies:
        return sample(key, parameter)
    one = replace(parameter, copies=())
    count = parameter.size // one.size
    return _stacked([sample(k, one) for k in split(key, count)]).reshape(*parameter.copies, *parameter.shape)


def _stacked(arrays: list[Array]) -> Array:
    """Along a new first axis; on the host, where they have values: a program for a thousand takes long to make."""
    if any(isinstance(array, jax.core.Tracer) for array in arrays):
        return jnp.stack(arrays)
    return jax.device_put(np.stack(arrays))
