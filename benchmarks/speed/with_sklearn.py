"""scikit-learn's multilayer perceptron, by `partial_fit` on one batch after another."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import sklearn
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from .architecture import Dense
from .material import MOST, Material, batches, shuffled, timed
from .workloads import Workload

VERSIONS = {"sklearn": sklearn.__version__}


class Trainer:
    """One step after another in a loop of Python."""

    def __init__(self, workload: Workload, material: Material) -> None:
        widths = [layer.features for layer in workload.chain if isinstance(layer, Dense)]
        self._model = MLPClassifier(
            widths[:-1], alpha=0.0, batch_size=workload.batch, learning_rate_init=workload.rate, shuffle=False
        )
        self._x, self._workload, self._material = material.x, workload, material
        self._batches = batches(workload, material.x, material.y)
        self._classes = range(workload.classes)
        self._model.partial_fit(*self._batches[0], classes=self._classes)  # makes the arrays that are filled below
        for i, layer in enumerate(self._model.coefs_ if material.arrays else ()):
            layer[...] = material.arrays[f"{2 * i}/weight"]
            self._model.intercepts_[i][...] = material.arrays[f"{2 * i}/bias"]
        del self._model._optimizer
        self._done = 0

    def predictor(self, rows: int) -> Callable[[], Any]:
        """A function that gives the logits of the first rows, from one NumPy array to another."""
        x = self._x[:rows]
        return lambda: self._model.predict_log_proba(x)

    def epochs(self, count: int) -> float:
        """Seconds of epochs of `fit`."""
        model = MLPClassifier(**{**self._model.get_params(), "max_iter": count, "shuffle": True, "tol": 0.0})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return timed(1, lambda: model.fit(*self._material.epoch))

    def learn(self, judge: Callable[[], bool]) -> None:
        """Epochs of batches of the default size, of a model with the default weights."""
        model = self._model = MLPClassifier(self._model.hidden_layer_sizes, random_state=np.random.randint(2**31))
        for _ in range(MOST):
            for x, y in shuffled(replace(self._workload, batch=200), *self._material.epoch):
                model.partial_fit(x, y, classes=self._classes)
            if judge():
                return

    def steps(self, count: int) -> float:
        """So many steps; the loss of the last one."""
        for i in range(self._done, self._done + count):
            self._model.partial_fit(*self._batches[i % len(self._batches)])
        self._done += count
        return float(self._model.loss_)
