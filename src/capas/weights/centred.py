"""Centred kernels: they do not see what all inputs have in common, and write nothing that all outputs have."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, final

import jax
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from ..nn import Parameter
from .schemes import Law
from .structured import host
from .two_sided import TwoSided


@final
@dataclass(frozen=True)
class Centred(TwoSided):
    r"""Weights that sum to zero: for activations that are odd but for a constant, such as sigmoid.

    $W = \sqrt{\frac{n-1}{n} \frac{m}{m-1}}\,B_n Q B_m^T$ for n inputs and m outputs, where the columns of $B_n$ are an
    orthonormal basis of all that sums to zero, and Q has a row and a column less than W. A constant c that all inputs
    have, as 1/2 behind sigmoid, is not read; what is written sums to zero, so that nothing of it is lost where it is
    read again. With an orthogonal Q signals and gradients keep their power, as with odd activations and an orthogonal
    matrix. Taps of a window, and positions that were made features, are centred one by one.

    Source: found for this library. Weights that are centred anew in every step are known (Huang et al. 2017; Qiao et
    al. 2019); as a start, with both sides in one basis, we found them nowhere.

    Args:
        base: the scheme of Q.
        inputs: whether what all inputs have in common is not read; or how many channels there are, where positions
            were made features (`Flatten`).
        outputs: whether outputs sum to zero.

    Raises `ArgumentError` for a kernel with a side of one unit, or that has groups.

    Example:
        >>> import jax
        >>> from capas import nn, weights
        >>> kernel = nn.Parameter((64, 64), "kernel", fan_in=64, fan_out=64)
        >>> w = weights.Centred().sample(jax.random.key(0), kernel)
        >>> z = jax.random.normal(jax.random.key(1), (64,))
        >>> bool(jax.numpy.allclose((z + 5) @ w, z @ w, atol=1e-4)), bool(abs((z @ w).sum()) < 1e-4)
        (True, True)
    """

    @staticmethod
    def rank(size: int) -> int:
        return size - 1

    def sample(self, key: PRNGKeyArray, kernel: Parameter) -> Array:
        self._require(kernel)
        w = host(self.base.sample(key, self.inner(kernel)))
        if self.inputs:
            size = self._size(kernel)
            runs = w.reshape(*w.shape[:-2], -1, size - 1, w.shape[-1])
            w = math.sqrt(1 - 1 / size) * (_basis(size, w.dtype) @ runs)
        w = w.reshape(*kernel.shape[:-1], -1)
        if self.outputs:
            columns = kernel.shape[-1]
            w = math.sqrt(columns / (columns - 1)) * (w @ _basis(columns, w.dtype).T)
        return jax.device_put(w)

    def law(self, kernel: Parameter) -> Law:
        self._require(kernel)
        law = self.base.law(self.inner(kernel))
        part = 1 - 1 / self._size(kernel) if self.inputs else 1.0
        return law._replace(variance=law.variance * part, centred=self._axes(kernel))


def _basis(size: int, dtype: Any) -> Any:
    """An orthonormal basis of what sums to zero, shape `(size, size - 1)`.

    It is a Householder reflection, of the first axis to (1, ..., 1), without its first column.
    """
    towards = np.full(size, size**-0.5)
    towards[0] -= 1.0
    reflection = np.eye(size) - 2 * np.outer(towards, towards) / (towards @ towards)
    return reflection[:, 1:].astype(dtype)
