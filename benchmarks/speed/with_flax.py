"""Flax NNX: one compiled step with the model and its optimizer."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import flax
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from . import architecture as to_build
from .material import Arrays, Material, batches, shuffled, timed
from .workloads import Workload

VERSIONS = {"flax": flax.__version__, "jax": jax.__version__, "optax": optax.__version__}


class Residual(nnx.Module):
    """A block plus its shortcut."""

    def __init__(self, block: nnx.Module, shortcut: nnx.Module) -> None:
        self.block, self.shortcut = block, shortcut

    def __call__(self, x: Any) -> Any:
        return self.shortcut(x) + self.block(x)


class Repeat(nnx.Module):
    """A block whose parameters are stacked, as a loop."""

    def __init__(self, block: nnx.Module) -> None:
        self.block = block

    def __call__(self, x: Any) -> Any:
        forward: Any = nnx.scan(lambda block, x: block(x), in_axes=(0, nnx.Carry), out_axes=nnx.Carry)
        return forward(self.block, x)


def build(chain: to_build.Chain, shape: to_build.Shape, arrays: Arrays, path: str = "") -> nnx.Module:
    """A chain with its parameters."""
    return nnx.Sequential(
        *(_layer(layer, at, arrays, place) for place, layer, at in to_build.places(chain, shape, path))
    )


def _layer(layer: to_build.Layer, shape: to_build.Shape, arrays: Arrays, path: str) -> Any:
    rngs = nnx.Rngs(np.random.randint(2**31))
    match layer:
        case to_build.Dense(features):
            return _filled(nnx.Linear(shape[-1], features, rngs=rngs), arrays, path)
        case to_build.Conv(features, window, stride, bias):
            padding = [(n // 2, n // 2) for n in window]
            made = nnx.Conv(shape[-1], features, window, stride, padding=padding, use_bias=bias, rngs=rngs)
            return _filled(made, arrays, path)
        case to_build.BatchNorm():
            return nnx.BatchNorm(shape[-1], momentum=0.9, epsilon=1e-5, rngs=rngs)
        case to_build.Relu():
            return nnx.relu
        case to_build.MaxPool(window):
            return partial(nnx.max_pool, window_shape=window, strides=window)
        case to_build.Mean():
            return partial(jnp.mean, axis=tuple(range(1, len(shape))))
        case to_build.Flatten():
            return lambda x: x.reshape(len(x), -1)
        case to_build.Residual(block, shortcut):
            skip = build(shortcut, shape, arrays, f"{path}/shortcut/")
            return Residual(build(block, shape, arrays, f"{path}/block/"), skip)
        case to_build.Repeat(block):
            return Repeat(build(block, shape, arrays, f"{path}/block/"))


def _filled(module: Any, arrays: Arrays, path: str) -> Any:
    if not arrays:
        return module
    module.kernel = nnx.Param(jnp.asarray(arrays[f"{path}/weight"]))
    if f"{path}/bias" in arrays:
        module.bias = nnx.Param(jnp.asarray(arrays[f"{path}/bias"]))
    return module


@nnx.jit
def _step(model: nnx.Module, optimizer: nnx.Optimizer[Any], x: Any, y: Any) -> Any:
    def loss(model: nnx.Module) -> Any:
        return optax.softmax_cross_entropy_with_integer_labels(model(x), y).mean()

    value, slopes = nnx.value_and_grad(loss)(model)
    optimizer.update(model, slopes)
    return value


class Trainer:
    """One compiled step after another, with the graph of the model read once, as Flax's guide to performance has it."""

    def __init__(self, workload: Workload, material: Material) -> None:
        self._x, self._workload, self._material = material.x, workload, material
        self._model = model = build(workload.chain, workload.shape, material.arrays)
        model.train()
        optimizer = nnx.Optimizer(model, optax.adam(workload.rate), wrt=nnx.Param)
        self._batches = batches(workload, jnp.asarray(material.x), jnp.asarray(material.y))
        self._step = nnx.cached_partial(_step, model, optimizer)
        self._done = 0

    def predictor(self, rows: int) -> Callable[[], Any]:
        """A function that gives the logits of the first rows, from one NumPy array to another."""
        model, x = nnx.clone(self._model), self._x[:rows]
        model.eval()
        predict = nnx.cached_partial(nnx.jit(lambda model, x: model(x)), model)
        return lambda: np.asarray(predict(x))

    def epochs(self, count: int) -> float:
        """Seconds of epochs of steps on batches out of NumPy arrays."""
        return timed(count, self._epoch)

    def _epoch(self) -> None:
        for x, y in shuffled(self._workload, *self._material.epoch):
            loss = self._step(x, y)
        jax.block_until_ready(loss)

    def steps(self, count: int) -> float:
        """So many steps; the loss of the last one."""
        loss: Any = None
        for i in range(self._done, self._done + count):
            loss = self._step(*self._batches[i % len(self._batches)])
        self._done += count
        return float(loss)
