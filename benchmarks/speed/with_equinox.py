"""Equinox: one compiled step of the model, its state and that of the optimizer."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from . import architecture as to_build
from . import channels_first
from .material import Arrays, Material, batches, shuffled, timed
from .workloads import Workload

VERSIONS = {"equinox": eqx.__version__, "jax": jax.__version__, "optax": optax.__version__}
AXIS = "batch"


class Residual(eqx.nn.StatefulLayer):
    """A block plus its shortcut."""

    block: eqx.nn.Sequential
    shortcut: eqx.nn.Sequential

    def __call__(self, x: Any, state: Any, *, key: Any = None) -> Any:
        y, state = self.block(x, state)
        skip, state = self.shortcut(x, state)
        return skip + y, state


class Repeat(eqx.Module):
    """A block whose parameters are stacked, as a loop."""

    block: eqx.nn.Sequential

    def __call__(self, x: Any, *, key: Any = None) -> Any:
        stacked, rest = eqx.partition(self.block, eqx.is_array)

        def copy(x: Any, own: Any) -> tuple[Any, None]:
            return eqx.combine(own, rest)(x), None

        return jax.lax.scan(copy, x, stacked)[0]


def build(chain: to_build.Chain, shape: to_build.Shape, arrays: Arrays, path: str = "") -> Any:
    """A chain with its parameters."""
    return eqx.nn.Sequential(
        [_layer(layer, at, arrays, place) for place, layer, at in to_build.places(chain, shape, path)]
    )


def _layer(layer: to_build.Layer, shape: to_build.Shape, arrays: Arrays, path: str) -> Any:
    rank, key = len(shape) - 1, jax.random.key(np.random.randint(2**31))
    match layer:
        case to_build.Dense(features):
            return _filled(eqx.nn.Linear(shape[-1], features, key=key), arrays, path)
        case to_build.Conv(features, window, stride, bias):
            padding = [(n // 2, n // 2) for n in window]
            made = eqx.nn.Conv(rank, shape[-1], features, window, stride, padding, use_bias=bias, key=key)
            return _filled(made, arrays, path)
        case to_build.BatchNorm():
            return eqx.nn.BatchNorm(shape[-1], AXIS, mode="batch")
        case to_build.Relu():
            return eqx.nn.Lambda(jax.nn.relu)
        case to_build.MaxPool(window):
            return {1: eqx.nn.MaxPool1d, 2: eqx.nn.MaxPool2d}[rank](window, window)
        case to_build.Mean():
            return eqx.nn.Lambda(partial(jnp.mean, axis=tuple(range(1, rank + 1))))
        case to_build.Flatten():
            return eqx.nn.Lambda(jnp.ravel)
        case to_build.Residual(block, shortcut):
            skip = build(shortcut, shape, arrays, f"{path}/shortcut/")
            return Residual(build(block, shape, arrays, f"{path}/block/"), skip)
        case to_build.Repeat(block):
            return Repeat(build(block, shape, arrays, f"{path}/block/"))


def _filled(module: Any, arrays: Arrays, path: str) -> Any:
    if not arrays:
        return module
    weight = jnp.asarray(arrays[f"{path}/weight"])
    module = eqx.tree_at(lambda m: m.weight, module, weight)
    if f"{path}/bias" not in arrays:
        return module
    positions = (1,) * (weight.ndim - 2 if isinstance(module, eqx.nn.Conv) else 0)
    bias = jnp.asarray(arrays[f"{path}/bias"])
    return eqx.tree_at(lambda m: m.bias, module, bias.reshape(*bias.shape, *positions))


def _loss(model: Any, state: Any, x: Any, y: Any) -> Any:
    outputs, state = jax.vmap(model, axis_name=AXIS, in_axes=(0, None), out_axes=(0, None))(x, state)
    return optax.softmax_cross_entropy_with_integer_labels(outputs, y).mean(), state


@eqx.filter_jit
def _step(model: Any, state: Any, adam: Any, optimizer: Any, x: Any, y: Any) -> Any:
    (value, state), slopes = eqx.filter_value_and_grad(_loss, has_aux=True)(model, state, x, y)
    updates, adam = optimizer.update(slopes, adam, model)
    return value, eqx.apply_updates(model, updates), state, adam


class Trainer:
    """One compiled step after another."""

    def __init__(self, workload: Workload, material: Material) -> None:
        arrays = channels_first.parameters(workload.chain, workload.shape, material.arrays)
        self._workload, self._material = workload, material
        self._optimizer = optax.adam(workload.rate)
        model, state = eqx.nn.make_with_state(build)(workload.chain, workload.shape, arrays)
        self._now = model, state, self._optimizer.init(eqx.filter(model, eqx.is_inexact_array))
        self._x = channels_first.signal(material.x)
        self._batches = batches(workload, jnp.asarray(self._x), jnp.asarray(material.y))
        self._done = 0

    def predictor(self, rows: int) -> Callable[[], Any]:
        """A function that gives the logits of the first rows, from one NumPy array to another."""
        model, state, _ = self._now
        fixed, x = eqx.nn.inference_mode(model), self._x[:rows]
        predict = eqx.filter_jit(lambda model, state, x: jax.vmap(lambda row: model(row, state)[0])(x))
        return lambda: np.asarray(predict(fixed, state, x))

    def epochs(self, count: int) -> float:
        """Seconds of epochs of steps on batches out of NumPy arrays."""
        return timed(count, self._epoch)

    def _epoch(self) -> None:
        for x, y in shuffled(self._workload, *self._whole):
            loss, *now = _step(*self._now, self._optimizer, x, y)
            self._now = tuple(now)
        jax.block_until_ready(loss)

    @cached_property
    def _whole(self) -> tuple[Any, Any]:
        x, y = self._material.epoch
        return channels_first.signal(x), y

    def steps(self, count: int) -> float:
        """So many steps; the loss of the last one."""
        loss: Any = None
        for i in range(self._done, self._done + count):
            loss, *now = _step(*self._now, self._optimizer, *self._batches[i % len(self._batches)])
            self._now = tuple(now)
        self._done += count
        return float(loss)
