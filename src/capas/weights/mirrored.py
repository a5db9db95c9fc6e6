"""Mirrored kernels: they read the difference of two halves of their inputs, and write a half and its negative."""

from __future__ import annotations

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
    once. A stretch of layers begins with one that does not read pairs and ends with one that does not write them.

    Source: Balduzzi et al. (2017) for ReLU ("looks linear"), Burkholz and Dubatovka (2019) for isometry; the view by
    the odd part of any activation is capas' own, as far as we know.

    Args:
        base: the scheme of Q.
        inputs: whether pairs are read; or how many channels there are, where positions were made features (`Flatten`).
        outputs: whether pairs are written.

    Raises `ArgumentError` for a kernel whose sides have no halves, or that has groups.

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
        beside = half.__array_namespace__().concatenate
        if self.outputs:
            half = beside([half, -half], axis=-1)
        if self.inputs:
            runs = half.reshape(*half.shape[:-2], -1, self._run(kernel), half.shape[-1])
            half = beside([runs, -runs], axis=-2)
        return jax.device_put(half.reshape(kernel.shape))

    def law(self, kernel: Parameter) -> Law:
        self._require(kernel)
        rank, (_, columns) = len(kernel.shape), kernel.shape[-2:]
        axes = [(rank - 2, self._run(kernel))] if self.inputs else []
        axes += [(rank - 1, columns // 2)] if self.outputs else []
        return self.base.law(self.half(kernel))._replace(mirrored=tuple(axes))

    def _run(self, kernel: Parameter) -> int:
        """Inputs after which the sign changes."""
        return (kernel.shape[-2] if self.inputs is True else int(self.inputs)) // 2

    def half(self, kernel: Parameter) -> Parameter:
        """The kernel that Q is."""
        *window, rows, columns = kernel.shape
        shape = (*window, rows // (2 if self.inputs else 1), columns // (2 if self.outputs else 1))
        fans = kernel.fan_in * shape[-2] / rows, kernel.fan_out * shape[-1] / columns
        return replace(kernel, shape=shape, fan_in=fans[0], fan_out=fans[1])

    def _require(self, kernel: Parameter) -> None:
        rows, columns = kernel.shape[-2:]
        channels = rows if self.inputs is True else int(self.inputs)
        reads = not self.inputs or (channels % 2 == 0 and rows % channels == 0)
        fits = reads and (not self.outputs or columns % 2 == 0) and kernel.groups == 1
        remedy = "Use even widths, and set inputs=False or outputs=False where a side has no pairs."
        require_option(self, fits, "sides that have halves, without groups", kernel.shape, remedy)
