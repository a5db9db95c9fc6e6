"""One run: a plain network is made with some weights, trained with the defaults of capas, and scored."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import product
from typing import Any

from maps import networks, peers
from maps.cells import CAPAS, Cell
from maps.mlbench import Pair

import capas
from capas import losses
from capas.errors import NotFiniteError

from . import data

NAME = "six_data_sets"
ACTIVATIONS = ("relu", "tanh")
DEPTHS = (3, 30)
SEEDS = (0, 1, 2, 3, 4)
PATIENCE = 10
"""Epochs without a better validation loss after which training ends."""

OTHERS = ("he", "glorot", "lecun")
"""Weights that the default is held against; the best of the three counts."""


def cells(seeds: tuple[int, ...]) -> Iterator[Cell]:
    """All runs, one seed after the other; a cell's variant is the data set."""
    for seed, name, depth, activation in product(seeds, data.DATA_SETS, DEPTHS, ACTIVATIONS):
        for weights in (CAPAS, *OTHERS):
            yield Cell(NAME, name, activation, depth, weights, seed=seed)


def measure(cell: Cell, smoke: bool = False) -> dict[str, Any]:
    """Train the network of a cell and score it on what is held out.

    The optimizer and its rate are the defaults for all weights. A loss that stops being finite ends training, and the
    model of the last good step is scored.

    Args:
        cell: its seed is that of the division, of the weights and of the order of the examples.
        smoke: whether one epoch is enough.
    """
    given, task = data.DATA_SETS[cell.variant], data.divide(cell.variant, cell.seed)
    network = networks.dense(cell, task.outputs, networks.plain)
    model = capas.init(network, task.train[0].shape[1:], seed=cell.seed, scheme=peers.scheme(cell))
    begun = time.perf_counter()
    model, history, ended = _train(model, cell, task.train, given, 1 if smoke else given.epochs)
    seconds = time.perf_counter() - begun
    last = history.records[-1] if history.records else {}
    return {
        "score": round(_score(model, task.held, given), 5),
        "train_loss": float(f"{last['loss']:.5g}") if last else None,
        "ended": ended,
        "steps": last.get("step", 0),
        "seconds": round(seconds, 2),
    }


def _train(
    model: capas.Model, cell: Cell, train: Pair, given: data.DataSet, epochs: int
) -> tuple[capas.Model, capas.History, str]:
    """The defaults of `capas.fit`, with the best weights by the tenth of the training part that it holds out.

    Without that, networks learn the two smallest sets by heart, and the score says how they err on the rest.
    """
    options: dict[str, Any] = {"loss": _loss(given), "batch_size": given.batch, "seed": cell.seed}
    try:
        model, history = capas.fit(model, train, epochs=epochs, patience=PATIENCE, progress=False, **options)
    except NotFiniteError as error:
        return error.model, error.history, "not finite"
    return model, history, history.ended


def _loss(given: data.DataSet) -> Any:
    return losses.mse if given.regression else losses.softmax_cross_entropy


def _score(model: capas.Model, held: Pair, given: data.DataSet) -> float:
    """Accuracy, or the share of the variance that is explained, $R^2 = 1 - \\mathrm{mse} / \\mathrm{var}$."""
    found = capas.evaluate(model, held, loss=_loss(given))
    return 1 - found["loss"] / float(held[1].var()) if given.regression else found["accuracy"]
