"""The two tasks of the maps: Fashion-MNIST, and the letters, which are far from linear."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

from capas import datasets

from . import mlbench
from .mlbench import Pair as Pair

SPLITS = ("validation", "test", "smoke")
FASHION_HELD, LETTER_TRAIN, LETTER_HELD, SMOKE_HELD = 8_800, 16_000, 3_200, 512


class Task(NamedTuple):
    """What a network is trained on, and what its accuracy is taken on."""

    train: Pair
    held: Pair
    classes: int


def read(task: str, split: str, rows: int, images: bool) -> Task:
    """The first `rows` training examples in a fixed random order, and the examples held out.

    Args:
        task: "fashion" or "letter".
        split: "test" holds out the test set; "validation" and "smoke" hold out training examples, and the test set is
            neither kept nor looked at.
        rows: training examples.
        images: whether images keep their shape.
    """
    (x, y), held, classes = {"fashion": _fashion, "letter": _letter}[task](split == "test")
    train = x[:rows], y[:rows]
    if split == "smoke":
        held = held[0][:SMOKE_HELD], held[1][:SMOKE_HELD]
    return Task(train, held, classes) if images else Task(_flat(train), _flat(held), classes)


def _flat(pair: Pair) -> Pair:
    return pair[0].reshape(len(pair[0]), -1), pair[1]


@cache
def _fashion(test: bool) -> Task:
    """Images standardized with the mean and standard deviation of the training pixels."""
    images = datasets.fashion_mnist()
    train, held = _hold_out(images.train, FASHION_HELD)
    return Task(train, images.test if test and images.test else held, len(images.preparation.classes))


@cache
def _letter(test: bool) -> Task:
    """16 numbers that describe a distorted letter, standardized column by column; the last 4,000 rows are the test set.

    Source: P. W. Frey, D. J. Slate, "Letter recognition using Holland-style adaptive classifiers", 1991, who divide
    the rows so.
    """
    x, y = mlbench.read(mlbench.LETTER)
    train: Pair = x[:LETTER_TRAIN], y[:LETTER_TRAIN]
    held: Pair = x[LETTER_TRAIN:], y[LETTER_TRAIN:]
    if not test:
        train, held = _hold_out(train, LETTER_HELD)
    mean, std = train[0].mean(0), train[0].std(0)
    return Task(((train[0] - mean) / std, train[1]), ((held[0] - mean) / std, held[1]), 26)


def _hold_out(pair: Pair, count: int) -> tuple[Pair, Pair]:
    """All but `count` examples, in a fixed random order, and these."""
    order = np.random.default_rng(0).permutation(len(pair[0]))
    first, last = order[:-count], order[-count:]
    return (pair[0][first], pair[1][first]), (pair[0][last], pair[1][last])
