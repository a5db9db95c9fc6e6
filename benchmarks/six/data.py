"""The six data sets, each divided at random by a seed: a part to train on, and a part that is held out."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import NamedTuple

import numpy as np
from maps import mlbench
from maps.mlbench import Pair
from sklearn import datasets as sklearn_datasets
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from capas import datasets


class DataSet(NamedTuple):
    """A data set and how long it is trained on.

    Attributes:
        read: gives all inputs, flat, and all targets.
        epochs: passes over the training part; with the batch they come to 480 to 1000 steps.
        batch: examples per step.
        train: rows to train on, or their share.
        held: rows that are held out, or their share.
        regression: whether the target is a number, and not a class.
    """

    read: Callable[[], Pair]
    epochs: int
    batch: int = 128
    train: float | int = 0.8
    held: float | int = 0.2
    regression: bool = False

    @property
    def score(self) -> str:
        """What the held-out part is scored by."""
        return "R²" if self.regression else "accuracy"


class Task(NamedTuple):
    """What a network is trained on, what its score is taken on, and how many outputs it has."""

    train: Pair
    held: Pair
    outputs: int


def _of_sklearn(name: str) -> Pair:
    x, y = getattr(sklearn_datasets, f"load_{name}")(return_X_y=True)
    return x, y


def _fashion() -> Pair:
    """The images for training; the test images are not looked at."""
    x, y = datasets.fashion_mnist().train
    return x.reshape(len(x), -1), y


DATA_SETS = {
    "digits": DataSet(partial(_of_sklearn, "digits"), 20, 32),
    "fashion": DataSet(_fashion, 10, train=10_000, held=5_000),
    "letter": DataSet(partial(mlbench.read, mlbench.LETTER), 8),
    "breast_cancer": DataSet(partial(_of_sklearn, "breast_cancer"), 40, 32),
    "diabetes": DataSet(partial(_of_sklearn, "diabetes"), 40, 32, regression=True),
    "shuttle": DataSet(partial(mlbench.read, mlbench.SHUTTLE), 2),
}
FRAMES = {"letter": mlbench.LETTER, "shuttle": mlbench.SHUTTLE}


@cache
def _whole(name: str) -> Pair:
    """Read once in each process."""
    return DATA_SETS[name].read()


def divide(name: str, seed: int) -> Task:
    """A random division, stratified by class, with inputs and numeric targets standardized by the training part.

    Args:
        name: of the data set.
        seed: of the division; the same for all weights, so that they can be compared pair by pair.
    """
    given, (x, y) = DATA_SETS[name], _whole(name)
    sizes = {"train_size": given.train, "test_size": given.held}
    strata = None if given.regression else y
    x, x_held, y, y_held = train_test_split(x, y, **sizes, stratify=strata, random_state=seed)
    x, x_held = _standardized(x, x_held)
    if given.regression:
        y, y_held = _standardized(y[:, None], y_held[:, None])
    return Task((x, y), (x_held, y_held), 1 if given.regression else int(y.max()) + 1)


def _standardized(train: np.ndarray, held: np.ndarray) -> Pair:
    """Column by column; a column that is constant in the training part is only shifted."""
    scaler = StandardScaler().fit(train)
    x, x_held = (scaler.transform(part).astype(np.float32) for part in (train, held))
    return x, x_held
