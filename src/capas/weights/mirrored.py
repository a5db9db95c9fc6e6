"""Mirrored kernels: they read the difference of two halves of their inputs, and write a half and its negative."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import final

import jax
from jaxtyping import Array, PRNGKeyArray

from ..nn import Parameter
from .schemes import Law, Scheme, require_option
from .structured import Orthogonal, host


@final
@dataclass(frozen=True)
class Mirrored(Scheme):
    r"""Weights for units in pairs: where unit i carries z, unit i + n/2 carries -z.

    W = [[Q, -Q], [-Q, Q]], inputs by outputs, with Q of half the size. What the next layer reads of an activation is
    its odd part, $Q\,(f(z) - f(-z))$: its mean is zero whatever f is, and for ReLU, leaky ReLU, GELU, SiLU and softplus
    it is a multiple of z itself, so that with an orthogonal Q signals and gradients keep their power exactly at any
    depth, with the activation as it is. The two halves have different derivatives, so training tells them apart at
    once. An odd unit, the last one, carries the sum of the z of all m pairs over $\sqrt m$, and is not read before the
    first update: its row is 0. A stretch of layers begins with one that does not read pairs and ends with one that does
    not write them.

    Source: Balduzzi et al. (2017) for ReLU ("looks linear"), Burkholz and Dubatovka (2019) for isometry; the view by
    the odd part of any activation is capas' own, as far as we know.

    Args:
        base: the scheme of Q.
        inputs: whether pairs are read; or how many channels there are, where positions were made features (`Flatten`).
        outputs: whether pairs are written.

    Raises `ArgumentError` for a kernel with a side of one unit, or that has groups.

    Example:
        >>> import jax
        >>> from capas import nn, weights
        >>> kernel = nn.Parameter((64, 64), "kernel", fan_in=64, fan_out=64)
        >>> w = weights.Mirrored().sample(jax.random.key(0), kernel)
        >>> z = jax.random.normal(jax.random.key(1), (32,))
        >>> y = jax.nn.relu(jax.numpy.concatenate([z, -z])) @ w
        >>> bool(jax.numpy.allclose(y[:32], -y[32:])), round(float((y[:32] ** 2).sum() / (z**2).sum()), 4)
        (True, 1.0)
    """

    base: Scheme = field(default_factory=Orthogonal)
    inputs: bool | int = True
    outputs: bool = True

    def sample(self, key: PRNGKeyArray, kernel: Parameter) -> Array:
        self._require(kernel)
        half = host(self.base.sample(key, self.half(kernel)))
        xp = half.__array_namespace__()
        if self.outputs:
            alone = half.sum(-1, keepdims=True) / math.sqrt(half.shape[-1])
            half = xp.concatenate([half, -half, alone[..., : kernel.shape[-1] % 2]], axis=-1)
        if self.inputs:
            size = self._size(kernel)
            runs = half.reshape(*half.shape[:-2], -1, size // 2, half.shape[-1])
            half = xp.concatenate([runs, -runs, xp.zeros_like(runs[..., : size % 2, :])], axis=-2)
        return jax.device_put(half.reshape(kernel.shape))

    def law(self, kernel: Parameter) -> Law:
        self._require(kernel)
        rank = len(kernel.shape)
        axes = [(rank - 2, self._size(kernel))] if self.inputs else []
        axes += [(rank - 1, kernel.shape[-1])] if self.outputs else []
        return self.base.law(self.half(kernel))._replace(mirrored=tuple(axes))

    def _size(self, kernel: Parameter) -> int:
        """How many inputs there are, or at every position."""
        return kernel.shape[-2] if self.inputs is True else int(self.inputs)

    def half(self, kernel: Parameter) -> Parameter:
        """The kernel that Q is."""
        *window, rows, columns = kernel.shape
        size = self._size(kernel) if self.inputs else 1
        shape = (*window, rows // size * max(size // 2, 1), columns // (2 if self.outputs else 1))
        fans = kernel.fan_in * shape[-2] / rows, kernel.fan_out * shape[-1] / columns
        return replace(kernel, shape=shape, fan_in=fans[0], fan_out=fans[1])

    def _require(self, kernel: Parameter) -> None:
        rows, columns = kernel.shape[-2:]
        size = self._size(kernel)
        reads = not self.inputs or (size > 1 and rows % size == 0)
        fits = reads and (not self.outputs or columns > 1) and kernel.groups == 1
        remedy = "Use wider layers, and set inputs=False or outputs=False where a side has no pairs."
        require_option(self, fits, "sides of two units or more, without groups", kernel.shape, remedy)
