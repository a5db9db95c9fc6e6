"""The networks of `framework_networks` as each framework's users write them.

A builder gives `function(params, x)`, where x has a leading batch axis and channels last, and the params, which hold the
numbers given.
"""

from collections.abc import Callable
from typing import Any

import equinox
import haiku
import jax
import jax.numpy as jnp
import numpy as np
from flax import linen, nnx
from jax import lax

from capas import nn

from .framework_networks import EPSILON, GROUPS, Conv, Dense, Network, Norm, Pool, Residual, filled, layers, plain, walk

Numbers = dict[str, np.ndarray]
Built = tuple[Callable[[Any, jax.Array], jax.Array], Any]
Builder = Callable[[Network, tuple[int, ...], Numbers], Built]


def of_capas(network: Network, shape: tuple[int, ...], numbers: Numbers) -> Built:
    described = _capas_chain(network)
    skeleton = jax.eval_shape(lambda: described.init(jax.random.key(0), shape))

    def function(params: Any, x: jax.Array) -> jax.Array:
        return described.apply(*params, x)[0]

    return function, filled(skeleton, numbers)


def _capas_chain(network: Network) -> nn.Sequential:
    return nn.Sequential(**{getattr(op, "name", f"step_{i}"): _capas_layer(op) for i, op in enumerate(network)})


def _capas_layer(op: Any) -> Any:
    match op:
        case Dense():
            return nn.Dense(op.features)
        case Conv():
            return nn.Conv(op.features, (op.window, op.window), op.stride)
        case Norm(kind=kind):
            norms = {"batch": nn.BatchNorm, "layer": nn.LayerNorm}
            return nn.GroupNorm(GROUPS, EPSILON) if kind == "group" else norms[kind](epsilon=EPSILON)
        case Pool(kind):
            return {"max": nn.MaxPool, "average": nn.AvgPool}[kind]((2, 2))
        case Residual(block, shortcut):
            return nn.Residual(_capas_chain(block), _capas_chain(shortcut) if shortcut else None)
        case "flatten":
            return nn.Flatten()
        case activation:
            return activation


def of_plain_jax(network: Network, shape: tuple[int, ...], numbers: Numbers) -> Built:
    def function(params: Numbers, x: jax.Array) -> jax.Array:
        return walk(network, lambda op, x: _plain_layer(params, op, x), x)

    return function, numbers


def _plain_layer(params: Numbers, op: Any, x: jax.Array) -> jax.Array:
    def of(key: str) -> jax.Array:
        return params[f"{op.name}/{key}"]

    match op:
        case Dense():
            return x @ of("weight") + of("bias")
        case Conv():
            dimensions = ("NHWC", "HWIO", "NHWC")
            strides = (op.stride, op.stride)
            return lax.conv_general_dilated(x, of("weight"), strides, "SAME", dimension_numbers=dimensions) + of("bias")
        case Norm(kind="batch"):
            return (x - of("mean")) / jnp.sqrt(of("variance") + EPSILON) * of("scale") + of("bias")
        case Norm(kind="layer"):
            return _standardized(x, -1) * of("scale") + of("bias")
        case Norm():
            groups = _standardized(x.reshape(*x.shape[:-1], GROUPS, -1), (1, 2, 4))
            return groups.reshape(x.shape) * of("scale") + of("bias")
        case Pool(kind="max"):
            return lax.reduce_window(x, -np.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
        case Pool():
            return lax.reduce_window(x, 0.0, lax.add, (1, 2, 2, 1), (1, 2, 2, 1), "VALID") / 4
        case name:
            return plain(name, x)


def _standardized(x: jax.Array, axes: Any) -> jax.Array:
    return (x - x.mean(axes, keepdims=True)) / jnp.sqrt(x.var(axes, keepdims=True) + EPSILON)


class _Linen(linen.Module):
    network: Network

    @linen.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return walk(self.network, _linen_layer, x)


def _linen_layer(op: Any, x: jax.Array) -> jax.Array:
    match op:
        case Dense(name, features=n):
            return linen.Dense(n, name=name)(x)
        case Conv(name, features=n, window=k):
            return linen.Conv(n, (k, k), op.stride, name=name)(x)
        case Norm(name, "batch"):
            return linen.BatchNorm(use_running_average=True, epsilon=EPSILON, name=name)(x)
        case Norm(name, "layer"):
            return linen.LayerNorm(epsilon=EPSILON, name=name)(x)
        case Norm(name):
            return linen.GroupNorm(GROUPS, epsilon=EPSILON, name=name)(x)
        case Pool(kind):
            return {"max": linen.max_pool, "average": linen.avg_pool}[kind](x, (2, 2), (2, 2))
        case name:
            return plain(name, x)


def of_linen(network: Network, shape: tuple[int, ...], numbers: Numbers) -> Built:
    model = _Linen(network)
    skeleton = jax.eval_shape(lambda: model.init(jax.random.key(0), jnp.zeros((1, *shape))))
    return model.apply, filled(skeleton, numbers)


class _NNX(nnx.Module):
    def __init__(self, network: Network, rngs: nnx.Rngs) -> None:
        self.network = network
        for layer in layers(network):
            setattr(self, layer.name, _nnx_layer(layer, rngs))

    def __call__(self, x: jax.Array) -> jax.Array:
        return walk(self.network, self.step, x)

    def step(self, op: Any, x: jax.Array) -> jax.Array:
        if isinstance(op, Pool):
            return {"max": nnx.max_pool, "average": nnx.avg_pool}[op.kind](x, (2, 2), (2, 2))
        return getattr(self, op.name)(x) if hasattr(op, "name") else plain(op, x)


def _nnx_layer(op: Dense | Conv | Norm, rngs: nnx.Rngs) -> nnx.Module:
    match op:
        case Dense():
            return nnx.Linear(op.inputs, op.features, rngs=rngs)
        case Conv(window=k):
            return nnx.Conv(op.inputs, op.features, (k, k), op.stride, rngs=rngs)
        case Norm(kind="batch"):
            return nnx.BatchNorm(op.features, use_running_average=True, epsilon=EPSILON, rngs=rngs)
        case Norm(kind="layer"):
            return nnx.LayerNorm(op.features, epsilon=EPSILON, rngs=rngs)
        case _:
            return nnx.GroupNorm(op.features, GROUPS, epsilon=EPSILON, rngs=rngs)


def of_nnx(network: Network, shape: tuple[int, ...], numbers: Numbers) -> Built:
    definition, state = nnx.split(_NNX(network, nnx.Rngs(0)))

    def function(state: Any, x: jax.Array) -> jax.Array:
        return nnx.merge(definition, state)(x)

    return function, filled(state, numbers)


def _haiku_layer(op: Any, x: jax.Array, training: bool) -> jax.Array:
    match op:
        case Dense(name, features=n):
            return haiku.Linear(n, name=name)(x)
        case Conv(name, features=n, window=k):
            return haiku.Conv2D(n, k, op.stride, name=name)(x)
        case Norm(name, "batch"):
            return haiku.BatchNorm(True, True, 0.9, eps=EPSILON, name=name)(x, is_training=training)
        case Norm(name, "layer"):
            return haiku.LayerNorm(-1, True, True, eps=EPSILON, name=name)(x)
        case Norm(name):
            return haiku.GroupNorm(GROUPS, eps=EPSILON, name=name)(x)
        case Pool(kind):
            return {"max": haiku.max_pool, "average": haiku.avg_pool}[kind](x, (2, 2, 1), (2, 2, 1), "VALID")
        case name:
            return plain(name, x)


def of_haiku(network: Network, shape: tuple[int, ...], numbers: Numbers) -> Built:
    @haiku.transform_with_state
    def model(x: jax.Array, training: bool = False) -> jax.Array:
        return walk(network, lambda op, x: _haiku_layer(op, x, training), x)

    skeleton = jax.eval_shape(lambda: model.init(jax.random.key(0), jnp.zeros((1, *shape)), training=True))

    params, state = filled(skeleton, numbers)

    def function(params: Any, x: jax.Array) -> jax.Array:
        return model.apply(params, state, None, x)[0]

    return function, params


class _Equinox(equinox.Module):
    """Of one example, channels first."""

    network: Network = equinox.field(static=True)
    layers: dict[str, Any]

    def __init__(self, network: Network) -> None:
        self.network = network
        self.layers = {op.name: _equinox_layer(op) for op in layers(network)}

    def __call__(self, x: jax.Array, state: equinox.nn.State) -> jax.Array:
        return walk(self.network, lambda op, x: self.step(op, x, state), x)

    def step(self, op: Any, x: jax.Array, state: equinox.nn.State) -> jax.Array:
        match op:
            case Pool(kind):
                return {"max": equinox.nn.MaxPool2d, "average": equinox.nn.AvgPool2d}[kind](2, 2)(x)
            case Norm(name, "batch"):
                return self.layers[name](x, state)[0]
            case "flatten":
                return jnp.ravel(x)
            case str():
                return plain(op, x)
            case _:
                return self.layers[op.name](x)


def _equinox_layer(op: Dense | Conv | Norm) -> equinox.Module:
    key = jax.random.key(0)
    match op:
        case Dense():
            return equinox.nn.Linear(op.inputs, op.features, key=key)
        case Conv():
            return equinox.nn.Conv2d(op.inputs, op.features, op.window, op.stride, padding="SAME", key=key)
        case Norm(kind="batch"):
            return equinox.nn.BatchNorm(op.features, "batch", eps=EPSILON, inference=True, mode="ema")
        case Norm(kind="layer"):
            return equinox.nn.LayerNorm(op.features, eps=EPSILON)
        case _:
            return equinox.nn.GroupNorm(GROUPS, op.features, eps=EPSILON)


def of_equinox(network: Network, shape: tuple[int, ...], numbers: Numbers) -> Built:
    model, state = equinox.nn.make_with_state(_Equinox)(network)
    for op in layers(network):
        if op.name + "/mean" in numbers:
            statistics = tuple(jnp.asarray(numbers[f"{op.name}/{key}"]) for key in ("mean", "variance"))
            state = state.set(model.layers[op.name].ema_state_index, statistics)
    params, static = equinox.partition(model, equinox.is_array)
    by_name = {op.name: op for op in layers(network)}

    def function(params: Any, x: jax.Array) -> jax.Array:
        model = equinox.combine(params, static)
        return jax.vmap(model, (0, None), axis_name="batch")(jnp.moveaxis(x, -1, 1), state)

    return function, filled(params, numbers, lambda name, array: _channels_first(by_name, name, array))


def _channels_first(by_name: dict[str, Any], name: str, array: np.ndarray) -> np.ndarray:
    """(outputs, inputs), OIHW."""
    op = by_name[name.split("/", maxsplit=1)[0]]
    if not name.endswith("weight"):
        return array
    if isinstance(op, Dense) and op.image:
        array = np.moveaxis(array.reshape(*op.image, -1), 2, 0).reshape(array.shape)
    return np.moveaxis(array, (-1, -2), (0, 1))


BUILDERS: dict[str, Builder] = {
    "capas": of_capas,
    "plain JAX": of_plain_jax,
    "Flax Linen": of_linen,
    "Flax NNX": of_nnx,
    "Equinox": of_equinox,
    "Haiku": of_haiku,
}
