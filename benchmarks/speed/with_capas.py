"""capas: the compiled steps of `fit`, several in a call."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property, reduce
from typing import Any

import jax
import numpy as np
import optax

import capas
from capas import losses, nn
from capas.nn.walk import paths
from capas.train.examples import HostArray, examples
from capas.train.step import Objective, Runner, begin, make_step, options_for

from . import architecture as to_build
from .material import Arrays, Material
from .workloads import Workload

VERSIONS = {"capas": capas.__version__, "jax": jax.__version__, "optax": optax.__version__}


def build(chain: to_build.Chain) -> nn.Layer:
    """A chain in capas."""
    return nn.Sequential(*map(_layer, chain))


def _layer(layer: to_build.Layer) -> object:
    match layer:
        case to_build.Dense(features):
            return nn.Dense(features)
        case to_build.Conv(features, window, stride, bias):
            return nn.Conv(features, window, stride, padding=tuple((n // 2, n // 2) for n in window), bias=bias)
        case to_build.BatchNorm():
            return nn.BatchNorm()
        case to_build.Relu():
            return "relu"
        case to_build.MaxPool(window):
            return nn.MaxPool(window)
        case to_build.Mean():
            return nn.GlobalAvgPool()
        case to_build.Flatten():
            return nn.Flatten()
        case to_build.Residual(block, shortcut):
            return nn.Residual(build(block), build(shortcut) if shortcut else None)
        case to_build.Repeat(block, copies):
            return nn.Repeat(build(block), copies)


def model_of(workload: Workload, arrays: Arrays) -> capas.Model:
    """The network with those parameters."""
    model = capas.init(build(workload.chain), workload.shape, seed=np.random.randint(2**31))
    return replace(model, params=_nested({**dict(paths(model.params)), **arrays}))


def _nested(arrays: Arrays) -> Any:
    tree: dict[str, Any] = {}
    for path, array in arrays.items():
        *folders, name = path.split("/")
        reduce(lambda at, folder: at.setdefault(folder, {}), folders, tree)[name] = jax.numpy.asarray(array)
    return tree


def runner(
    model: capas.Model,
    data: tuple[Any, Any],
    optimizer: optax.GradientTransformation,
    batch: int,
    precision: str = "float32",
) -> Runner:
    """That of `fit` for such a model and batches of such a size."""
    objective = Objective(model.network, losses.softmax_cross_entropy, {}, 0, precision)
    step, inputs = make_step(objective, optimizer), objective.inputs(examples(data))
    return Runner(step, 1, inputs, options_for(model, batch))


class Trainer:
    """Chunks of steps, as `fit` hands them to its `Runner`.

    Args:
        workload, material: what is trained.
        precision: of `fit`.
    """

    def __init__(self, workload: Workload, material: Material, precision: str = "float32") -> None:
        self._model = model_of(workload, material.arrays)
        self._x, self._workload, self._material, self._precision = material.x, workload, material, precision
        self._optimizer = optax.adam(workload.rate)
        self._now = begin(self._model.params, self._model.state, self._optimizer)
        self._order = np.arange(workload.batches * workload.batch, dtype=np.int32).reshape(-1, workload.batch)
        self._done = 0

    @cached_property
    def _runner(self) -> Runner:
        data = self._material.x, self._material.y
        return runner(self._model, data, self._optimizer, self._workload.batch, self._precision)

    def predictor(self, rows: int) -> Callable[[], Any]:
        """A function that gives the logits of the first rows, from one NumPy array to another."""
        x = self._x[:rows]
        return lambda: self._model.predict(x, batch_size=rows)

    def epochs(self, count: int) -> float:
        """Seconds of epochs of `fit`, without the first, in which it compiles."""
        ends: list[float] = []
        capas.fit(
            self._model,
            self._material.epoch,
            epochs=count + 1,
            batch_size=self._workload.batch,
            optimizer=optax.adam(self._workload.rate),
            validation=None,
            callbacks=[lambda record, model: ends.append(time.perf_counter())],
            progress=False,
        )
        return ends[-1] - ends[0]

    def learn(self, judge: Callable[[], bool]) -> None:
        """`fit` as it is, until it is over or the judge is content."""

        def after(record: Any, model: capas.Model) -> bool:
            self._model = model
            return judge()

        capas.fit(self._model, self._material.epoch, seed=np.random.randint(2**31), callbacks=[after], progress=False)

    def steps(self, count: int) -> float:
        """So many steps; the loss of the last one."""
        values: Any = None
        while count > 0:
            taken = min(count, len(self._order))
            self._now, values = self._runner.run(self._now, self._chunk(taken), taken)
            count, self._done = count - taken, self._done + taken
        return float(values[-1, 0])

    def _chunk(self, count: int) -> HostArray:
        which = (self._done + np.arange(count)) % len(self._order)
        return np.resize(self._order[which], self._order.shape)
