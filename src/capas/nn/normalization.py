"""Normalization of signals. Statistics are computed in float32 or wider."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, PRNGKeyArray

from . import require
from .layer import Layer
from .parameter import Parameter, Shape, Tree
from .product import shifted, wide
from .standardize import by_statistics, standardize


def _affine(channels: int, scale: bool, bias: bool) -> Tree:
    declared = {"scale": Parameter((channels,), "scale", start=1.0), "bias": Parameter((channels,), "bias")}
    return {name: declared[name] for name, wanted in (("bias", bias), ("scale", scale)) if wanted}


def _rescale(x: Array, params: Tree) -> Array:
    x = x * params["scale"] if "scale" in params else x
    return shifted(x, params["bias"]) if "bias" in params else x


def _require(layer: Layer, params: Tree, x: Array) -> None:
    channels = {len(v) for v in params.values()} or {x.shape[-1]}
    require.matches(layer, x, channels.pop())


def _normalize(x: Array, axes: tuple[int, ...], epsilon: float) -> Array:
    x_wide = wide(x)
    centred = x_wide - x_wide.mean(axes, keepdims=True)
    variance = jnp.square(centred).mean(axes, keepdims=True)
    return (centred * lax.rsqrt(variance + epsilon)).astype(x.dtype)


@final
@dataclass(frozen=True, repr=False)
class BatchNorm(Layer):
    r"""Each channel to mean 0 and variance 1 over the batch and all positions, then `scale * x + bias`.

    $y = \mathrm{scale}\,(x - \mu_B) / \sqrt{\sigma_B^2 + \epsilon} + \mathrm{bias}$ in training; outside it the running
    statistics stand in for those of the batch. The variance is the mean square deviation (divided by n), so a batch
    with one value per channel is defined: it gives `bias`, and leaves the running variance as it was.

    Source: Ioffe and Szegedy (2015), "Batch normalization".

    Args:
        momentum: share of the running statistics kept in each training step.
        epsilon: added to the variance.
        scale, bias: whether to learn them.

    Parameters are `scale` and `bias`; the state is `mean` and `variance`; all of shape `(channels,)`.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from capas import nn
        >>> layer = nn.BatchNorm()
        >>> params, state = layer.init(jax.random.key(0), (1,))
        >>> y, state = layer.apply(params, state, jnp.array([[0.0], [10.0]]), training=True)
        >>> print(y[:, 0].round(2), state["mean"])
        [-1.  1.] [0.5]
    """

    momentum: float = 0.9
    epsilon: float = 1e-5
    scale: bool = True
    bias: bool = True

    def __post_init__(self) -> None:
        require.between(self, 0, 1, momentum=self.momentum, epsilon=self.epsilon)
        require.switches(self, scale=self.scale, bias=self.bias)

    def output_shape(self, shape: Shape) -> Shape:
        require.features(self, shape)
        return shape

    def parameters(self, shape: Shape) -> Tree:
        return _affine(require.features(self, shape), self.scale, self.bias)

    def statistics(self, shape: Shape) -> Tree:
        channels = (require.features(self, shape),)
        return {"mean": Parameter(channels, "statistic"), "variance": Parameter(channels, "statistic", start=1.0)}

    def apply(
        self, params: Tree, state: Tree, x: Array, *, key: PRNGKeyArray | None = None, training: bool = False
    ) -> tuple[Array, Tree]:
        require.matches(self, x, len(state["mean"]))
        mean, variance = (wide(state[name]) for name in ("mean", "variance"))
        scale = wide(params["scale"]) if self.scale else jnp.ones_like(variance)
        bias = wide(params["bias"]) if self.bias else jnp.zeros_like(mean)
        if training:
            y, mean, variance = standardize(wide(x), scale, bias, self.epsilon)
            state = self._follow(state, mean, variance, single=x[..., 0].size == 1)
        else:
            y = by_statistics(wide(x), mean, variance, scale, bias, self.epsilon)
        return y.astype(x.dtype), state

    def _follow(self, state: Tree, mean: Array, variance: Array, single: bool) -> Tree:
        seen = {"mean": mean, "variance": state["variance"] if single else variance}
        return {
            name: (self.momentum * old + (1 - self.momentum) * seen[name]).astype(old.dtype)
            for name, old in state.items()
        }


@final
@dataclass(frozen=True, repr=False)
class LayerNorm(Layer):
    r"""Each position's features to mean 0 and variance 1, then `scale * x + bias`.

    $y = \mathrm{scale}\,(x - \mu) / \sqrt{\sigma^2 + \epsilon} + \mathrm{bias}$, mean and variance over the last axis.

    Source: Ba et al. (2016), "Layer normalization".

    Args:
        epsilon: added to the variance.
        scale, bias: whether to learn them, shape `(features,)`.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from capas import nn
        >>> layer = nn.LayerNorm()
        >>> params, state = layer.init(jax.random.key(0), (2,))
        >>> layer.apply(params, state, jnp.array([[1.0, 3.0]]))[0].round(2).tolist()
        [[-1.0, 1.0]]
    """

    epsilon: float = 1e-5
    scale: bool = True
    bias: bool = True

    def __post_init__(self) -> None:
        require.between(self, 0, 1, epsilon=self.epsilon)
        require.switches(self, scale=self.scale, bias=self.bias)

    def output_shape(self, shape: Shape) -> Shape:
        require.features(self, shape)
        return shape

    def parameters(self, shape: Shape) -> Tree:
        return _affine(require.features(self, shape), self.scale, self.bias)

    def apply(
        self, params: Tree, state: Tree, x: Array, *, key: PRNGKeyArray | None = None, training: bool = False
    ) -> tuple[Array, Tree]:
        _require(self, params, x)
        return _rescale(_normalize(x, (-1,), self.epsilon), params), state


@final
@dataclass(frozen=True, repr=False)
class RMSNorm(Layer):
    r"""Each position's features to mean square 1: $y = \mathrm{scale}\; x / \sqrt{\mathrm{mean}(x^2) + \epsilon}$.

    Source: Zhang and Sennrich (2019), "Root mean square layer normalization".

    Args:
        epsilon: added to the mean square.
        scale: whether to learn it, shape `(features,)`.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from capas import nn
        >>> layer = nn.RMSNorm()
        >>> params, state = layer.init(jax.random.key(0), (2,))
        >>> print(layer.apply(params, state, jnp.array([[3.0, -3.0]]))[0].round(2))
        [[ 1. -1.]]
    """

    epsilon: float = 1e-6
    scale: bool = True

    def __post_init__(self) -> None:
        require.between(self, 0, 1, epsilon=self.epsilon)
        require.switches(self, scale=self.scale)

    def output_shape(self, shape: Shape) -> Shape:
        require.features(self, shape)
        return shape

    def parameters(self, shape: Shape) -> Tree:
        return _affine(require.features(self, shape), self.scale, bias=False)

    def apply(
        self, params: Tree, state: Tree, x: Array, *, key: PRNGKeyArray | None = None, training: bool = False
    ) -> tuple[Array, Tree]:
        _require(self, params, x)
        x_wide = wide(x)
        y = x_wide * lax.rsqrt(jnp.square(x_wide).mean(-1, keepdims=True) + self.epsilon)
        return _rescale(y.astype(x.dtype), params), state


@final
@dataclass(frozen=True, repr=False)
class GroupNorm(Layer):
    r"""Each example's groups of channels to mean 0 and variance 1, over all positions, then `scale * x + bias`.

    Source: Wu and He (2018), "Group normalization".

    Args:
        groups: number of blocks of neighbouring channels; 1 normalizes over positions and channels together.
        epsilon: added to the variance.
        scale, bias: whether to learn them, shape `(channels,)`.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from capas import nn
        >>> layer = nn.GroupNorm(2)
        >>> params, state = layer.init(jax.random.key(0), (4,))
        >>> layer.apply(params, state, jnp.array([[1.0, 3.0, 10.0, 30.0]]))[0].round(2).tolist()
        [[-1.0, 1.0, -1.0, 1.0]]
    """

    groups: int
    epsilon: float = 1e-5
    scale: bool = True
    bias: bool = True

    def __post_init__(self) -> None:
        require.positive(self, groups=self.groups)
        require.between(self, 0, 1, epsilon=self.epsilon)
        require.switches(self, scale=self.scale, bias=self.bias)

    def output_shape(self, shape: Shape) -> Shape:
        require.divides(self, self.groups, require.features(self, shape), "channels")
        return shape

    def parameters(self, shape: Shape) -> Tree:
        return _affine(require.features(self, shape), self.scale, self.bias)

    def apply(
        self, params: Tree, state: Tree, x: Array, *, key: PRNGKeyArray | None = None, training: bool = False
    ) -> tuple[Array, Tree]:
        _require(self, params, x)
        self.output_shape(x.shape[1:])
        grouped = x.reshape(*x.shape[:-1], self.groups, x.shape[-1] // self.groups)
        axes = (*range(1, x.ndim - 1), -1)
        return _rescale(_normalize(grouped, axes, self.epsilon).reshape(x.shape), params), state


@final
@dataclass(frozen=True, repr=False)
class InstanceNorm(Layer):
    r"""Each example's channels to mean 0 and variance 1 over all positions, then `scale * x + bias`.

    Source: Ulyanov et al. (2016), "Instance normalization".

    Args:
        epsilon: added to the variance.
        scale, bias: whether to learn them, shape `(channels,)`.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from capas import nn
        >>> layer = nn.InstanceNorm()
        >>> params, state = layer.init(jax.random.key(0), (2, 1))
        >>> layer.apply(params, state, jnp.array([[[1.0], [3.0]]]))[0].round(2).tolist()
        [[[-1.0], [1.0]]]
    """

    epsilon: float = 1e-5
    scale: bool = True
    bias: bool = True

    def __post_init__(self) -> None:
        require.between(self, 0, 1, epsilon=self.epsilon)
        require.switches(self, scale=self.scale, bias=self.bias)

    def output_shape(self, shape: Shape) -> Shape:
        require.positions(self, shape)
        return shape

    def parameters(self, shape: Shape) -> Tree:
        return _affine(shape[-1], self.scale, self.bias)

    def apply(
        self, params: Tree, state: Tree, x: Array, *, key: PRNGKeyArray | None = None, training: bool = False
    ) -> tuple[Array, Tree]:
        _require(self, params, x)
        self.output_shape(x.shape[1:])
        return _rescale(_normalize(x, tuple(range(1, x.ndim - 1)), self.epsilon), params), state
