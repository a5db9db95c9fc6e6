"""Keras on JAX: its `fit`, which is compiled and leaves the state on the device between steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import keras
import numpy as np
from keras import layers, ops

from . import architecture as to_build
from .material import Arrays, Material, timed
from .workloads import Workload

VERSIONS = {"keras": keras.__version__, "jax": jax.__version__}
CONVOLUTIONS = {1: layers.Conv1D, 2: layers.Conv2D}
PADDINGS = {1: layers.ZeroPadding1D, 2: layers.ZeroPadding2D}
POOLS = {1: layers.MaxPooling1D, 2: layers.MaxPooling2D}
MEANS = {1: layers.GlobalAveragePooling1D, 2: layers.GlobalAveragePooling2D}


class Scanned(layers.Layer):
    """Dense layers of one width, each with ReLU, as a loop over stacked kernels."""

    def __init__(self, copies: int) -> None:
        super().__init__()
        self.copies = copies

    def build(self, shape: Any) -> None:
        width = shape[-1]
        self.kernel = self.add_weight(shape=(self.copies, width, width))
        self.bias = self.add_weight(shape=(self.copies, width), initializer="zeros")

    def call(self, x: Any) -> Any:
        def layer(x: Any, own: Any) -> tuple[Any, None]:
            kernel, bias = own
            return ops.relu(ops.matmul(x, kernel) + bias), None

        return ops.scan(layer, x, (self.kernel.value, self.bias.value))[0]


def build(chain: to_build.Chain, shape: to_build.Shape, arrays: Arrays) -> Any:
    """A chain with its parameters as a model."""
    x = keras.Input(shape)
    return keras.Model(x, _chained(chain, x, arrays, ""))


def _chained(chain: to_build.Chain, x: Any, arrays: Arrays, path: str) -> Any:
    for i, layer in enumerate(chain):
        x = _applied(layer, x, arrays, f"{path}{i}")
    return x


def _applied(layer: to_build.Layer, x: Any, arrays: Arrays, path: str) -> Any:
    rank = len(x.shape) - 2
    match layer:
        case to_build.Dense(features):
            return _filled(layers.Dense(features), x, arrays, path)
        case to_build.Conv(features, window, 1, bias):
            return _filled(CONVOLUTIONS[rank](features, window, padding="same", use_bias=bias), x, arrays, path)
        case to_build.Conv(features, window, stride, bias):
            if padding := tuple(n // 2 for n in window if n > 1):
                x = PADDINGS[rank](padding)(x)
            return _filled(CONVOLUTIONS[rank](features, window, stride, use_bias=bias), x, arrays, path)
        case to_build.BatchNorm():
            return layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)
        case to_build.Relu():
            return layers.ReLU()(x)
        case to_build.MaxPool(window):
            return POOLS[rank](window)(x)
        case to_build.Mean():
            return MEANS[rank]()(x)
        case to_build.Flatten():
            return layers.Flatten()(x)
        case to_build.Residual(block, shortcut):
            skip = _chained(shortcut, x, arrays, f"{path}/shortcut/")
            return layers.add([skip, _chained(block, x, arrays, f"{path}/block/")])
        case to_build.Repeat((to_build.Dense(), to_build.Relu()), copies):
            return _filled(Scanned(copies), x, arrays, f"{path}/block/0")
        case _:
            raise NotImplementedError(f"{layer} in Keras")


def _filled(layer: Any, x: Any, arrays: Arrays, path: str) -> Any:
    y = layer(x)
    if arrays:
        layer.set_weights([arrays[f"{path}/{name}"] for name in ("weight", "bias") if f"{path}/{name}" in arrays])
    return y


class Trainer:
    """`fit` over the batches in order, whole passes in one call."""

    def __init__(self, workload: Workload, material: Material) -> None:
        keras.utils.set_random_seed(np.random.randint(2**31))
        self._model = build(workload.chain, workload.shape, material.arrays)
        self._model.compile(
            keras.optimizers.Adam(workload.rate, epsilon=1e-8),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
        self._workload, self._x, self._y = workload, material.x, material.y
        self._material = material
        self._done = 0

    def predictor(self, rows: int) -> Callable[[], Any]:
        """A function that gives the logits of the first rows, from one NumPy array to another."""
        x = self._x[:rows]
        return lambda: self._model.predict_on_batch(x)

    def epochs(self, count: int) -> float:
        """Seconds of epochs of `fit`, from NumPy arrays."""
        x, y = self._material.epoch
        return timed(1, lambda: self._model.fit(x, y, batch_size=self._workload.batch, epochs=count, verbose=0))

    def steps(self, count: int) -> float:
        """So many steps; the mean loss of the last call of `fit`."""
        loss = float("nan")
        while count > 0:
            start = self._done % self._workload.batches
            width = min(count, self._workload.batches - start)
            epochs = max(count // self._workload.batches, 1) if start == 0 else 1
            loss = self._fit(start, width, epochs)
            count, self._done = count - width * epochs, self._done + width * epochs
        return loss

    def _fit(self, start: int, width: int, epochs: int) -> float:
        batch = self._workload.batch
        rows = slice(start * batch, (start + width) * batch)
        history = self._model.fit(
            self._x[rows], self._y[rows], batch_size=batch, epochs=epochs, shuffle=False, verbose=0
        )
        return float(history.history["loss"][-1])
