"""Default weights and tailored activations: how alike are they before the first step, and what do they learn?

Plain networks of 100 layers of width 64, with biases and without, and of width 63, which is odd: Fashion-MNIST,
400 steps, and letters, 3000 steps. For each the correlation of the outputs of the two at the start, from the same seed,
and accuracy on training examples held out, mean over seeds (lowest). Writes docs/_tables/tailored.md.

    tailored.py fashion letter
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import environment
import numpy as np
from maps import data
from maps.grid import Grid, write
from maps.measure import BATCH
from maps.plans import MAPS
from maps.results import commit
from rich.console import Console

import capas
from capas import nn

DEPTH, SEEDS, LOOKED_AT = 100, (0, 1, 2), 4096
ACTIVATIONS = ("relu", "gelu", "tanh", "sigmoid")
COLUMNS = ("data", "width", "weights", *ACTIVATIONS)
KINDS = {"64": (64, True), "63": (63, True), "64, no biases": (64, False)}


def network(activation: str, kind: str, classes: int) -> nn.Layer:
    """Square layers, each behind its activation, between a first one and a last one."""
    width, bias = KINDS[kind]
    body = nn.Repeat(nn.Sequential(nn.Activation(activation), nn.Dense(width, bias=bias)), DEPTH)
    return nn.Sequential(nn.Dense(width, bias=bias), body, nn.Activation(activation), nn.Dense(classes, bias=bias))


def trained(name: str, task: data.Task, model: capas.Model, seed: int) -> float:
    """Accuracy on what is held out."""
    epochs = MAPS[name].epochs["validation"]
    model, _ = capas.fit(model, task.train, epochs=epochs, batch_size=BATCH, validation=None, seed=seed, progress=False)
    return capas.evaluate(model, task.held)["accuracy"]


def compared(name: str, task: data.Task, activation: str, kind: str) -> tuple[str, str, str]:
    """Accuracies of the default and of the tailored network, and how alike their first outputs are."""
    shape, x = task.train[0].shape[1:], task.train[0]
    plain = network(activation, kind, task.classes)
    both = plain, capas.tailor(plain, shape)
    found: list[list[float]] = []
    for seed in SEEDS:
        models = [capas.init(net, shape, seed=seed) for net in both]
        outputs = [model.predict(x[:LOOKED_AT]).ravel() for model in models]
        correlation = float(np.corrcoef(outputs)[0, 1])
        found.append([*(trained(name, task, model, seed) for model in models), correlation])
        print(name, kind, activation, seed, *(f"{value:.5f}" for value in found[-1]), flush=True)
    default, tailored, alike = zip(*found, strict=True)
    return _accuracy(default), _accuracy(tailored), f"{np.mean(alike):.5f}"


def _accuracy(values: tuple[float, ...]) -> str:
    return f"{np.mean(values):.3f} ({min(values):.3f})"


def rows(name: str) -> Iterator[tuple[str, ...]]:
    """Three for each kind of network."""
    plan = MAPS[name]
    task = data.read(plan.task, "validation", plan.rows["validation"], plan.images)
    for kind in KINDS:
        columns = zip(*(compared(name, task, activation, kind) for activation in ACTIVATIONS), strict=True)
        for weights, values in zip(("default", "tailored", "correlation"), columns, strict=True):
            yield name, kind, weights, *values


if __name__ == "__main__":
    print(environment.describe())
    names = sys.argv[1:] or ["fashion", "letter"]
    found = tuple(row for name in names for row in rows(name))
    grid = Grid("100 layers: default weights and tailored activations", COLUMNS, found)
    Console(highlight=False).print(grid.rich())
    notes = f"{len(SEEDS)} seeds", f"commit {commit()}, {environment.processor()}"
    print(f"written: {write('tailored', [grid], notes)}")
