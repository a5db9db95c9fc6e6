"""One cell: a network is made, trained with the defaults of capas, and measured."""

from __future__ import annotations

import resource
import time
from typing import Any

import jax

import capas
from capas.errors import NotFiniteError

from . import ablations, data, networks, peers
from .cells import Cell
from .plans import MAPS

BATCH = 128
TRAIN_ROWS = 5_120
"""Training examples on which the loss is taken after training."""


def measure(cell: Cell, split: str) -> dict[str, Any]:
    """Train the network of a cell and say how it went.

    Returns: a dict of plain numbers and text. A loss that stops being finite ends training; what is measured then is
    the model of the last good step.
    """
    plan = MAPS[cell.map]
    task = data.read(plan.task, split, plan.rows[split], plan.images)
    x, y = task.train
    network = networks.build(cell, x.shape[1:], task.classes)
    begun = time.perf_counter()
    model = peers.start(network, cell, x)
    jax.block_until_ready(model.params)
    made = time.perf_counter()
    model, history, ended = _train(model, cell, task.train, plan.epochs[split])
    done = time.perf_counter()
    held = capas.evaluate(model, task.held)
    train = capas.evaluate(model, (x[:TRAIN_ROWS], y[:TRAIN_ROWS]))
    return {
        "accuracy": round(held["accuracy"], 5),
        "train_accuracy": round(train["accuracy"], 5),
        "train_loss": _number(train["loss"]),
        "ended": ended,
        "epochs": len(history.records),
        "steps": history.records[-1]["step"] if history.records else 0,
        "parameters": networks.parameters(network, x.shape[1:]),
        "seconds_to_initialize": round(made - begun, 2),
        "seconds": round(done - made, 2),
        "peak_megabytes": _peak() if plan.fresh else None,
    }


def _train(model: capas.Model, cell: Cell, train: data.Pair, epochs: int) -> tuple[capas.Model, capas.History, str]:
    """Train on all training examples with the defaults of `capas.fit`, or what an ablation leaves of them."""
    try:
        model, history = capas.fit(
            model,
            train,
            epochs=epochs,
            batch_size=BATCH,
            optimizer=ablations.optimizer(cell, model, epochs * len(train[0]) // BATCH),
            learning_rate=cell.rate,
            validation=None,
            seed=cell.seed,
            progress=False,
        )
    except NotFiniteError as error:
        return error.model, error.history, "not finite"
    return model, history, history.ended


def _number(value: float) -> float | None:
    """Five significant digits; None for NaN and infinity, which JSON does not have."""
    return float(f"{value:.5g}") if abs(value) < float("inf") else None


def _peak() -> int:
    """The most memory that this process has had, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
