"""Mirrored kernels: they read the difference of two halves of their inputs, and write a half and its negative."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import jax
from jaxtyping import Array, PRNGKeyArray

from ..nn import Parameter
from .schemes import Law
from .structured import host
from .two_sided import TwoSided


@final
@dataclass(frozen=True)
class Mirrored(TwoSided):
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

    @staticmethod
    def rank(size: int) -> int:
        return size // 2

    def sample(self, key: PRNGKeyArray, kernel: Parameter) -> Array:
        self._require(kernel)
        half = host(self.base.sample(key, self.inner(kernel)))
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
        return self.base.law(self.inner(kernel))._replace(mirrored=self._axes(kernel))
