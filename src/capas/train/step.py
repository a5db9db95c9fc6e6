"""One training step, and many of them in one compiled call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jaxtyping import Array

from .. import losses
from ..compiler import Options, options
from ..model import Model
from ..nn.layer import Layer
from ..nn.parameter import Tree
from ..nn.walk import has_windows
from ..randomness import Purpose, derive
from .examples import Examples, HostArray
from .metrics import PerExample, values
from .precision import cast


class TrainState(NamedTuple):
    """All that training changes."""

    params: Tree
    state: Tree
    optimizer: Any
    step: Array


Step = Callable[[TrainState, Examples], tuple[TrainState, Array]]


def begin(params: Tree, state: Tree, optimizer: optax.GradientTransformation) -> TrainState:
    """The state before the first step."""
    return TrainState(params, state, optimizer.init(params), jnp.zeros((), jnp.int32))


@dataclass(frozen=True)
class Objective:
    """What a step minimizes and reports, and how it computes it."""

    network: Layer
    loss: PerExample
    metrics: Mapping[str, PerExample]
    seed: int
    precision: str

    def __call__(self, params: Tree, state: Tree, batch: Examples, step: Array) -> tuple[Array, tuple[Tree, Array]]:
        """The mean loss over a batch in training mode, with the new state and the reported values."""
        outputs, new_state = self.outputs(params, state, batch, step)
        value = losses.mean(values(self.loss, outputs, batch.y), batch.weights)
        seen = lax.stop_gradient(outputs)
        metrics = self.metrics.values()
        reported = [value if m is self.loss else losses.mean(values(m, seen, batch.y), batch.weights) for m in metrics]
        return value, (new_state, jnp.stack([value, *reported]))

    def outputs(self, params: Tree, state: Tree, batch: Examples, step: Array) -> tuple[Array, Tree]:
        """What the network gives for a batch in training mode."""
        key = derive(self.seed, Purpose.DROPOUT, step)
        params = cast(params, self.precision)
        return self.network.apply(params, state, self.inputs(batch).x, key=key, training=True)

    def inputs(self, data: Examples) -> Examples:
        """Examples with inputs in the precision of the computation."""
        return data._replace(x=cast(data.x, self.precision))


def make_step(objective: Objective, optimizer: optax.GradientTransformation) -> Step:
    """The function from one training state and batch to the next; reports the loss, then the metrics."""
    gradient = jax.grad(objective, has_aux=True)

    def step(now: TrainState, batch: Examples) -> tuple[TrainState, Array]:
        # The barrier keeps all old parameters until the last gradient is known: else XLA copies some.
        slopes, (state, values) = lax.optimization_barrier(gradient(now.params, now.state, batch, now.step))
        updates, optimizer_state = optimizer.update(slopes, now.optimizer, now.params)
        params = optax.apply_updates(now.params, updates)
        return TrainState(params, state, optimizer_state, now.step + 1), values

    return step


MIN_BATCH = 256
"""Examples in a batch from which on oneDNN is the faster one for gradients of matrices too."""


def options_for(model: Model, batch_size: int) -> Options | None:
    """`options`, where it pays: for networks with convolutions, and for large batches."""
    return options() if batch_size >= MIN_BATCH or has_windows(model.network, model.input_shape) else None


Chunk = HostArray | Sequence[Examples]
"""Several steps: rows of data in memory, shape (steps, batch size), or the batches themselves."""


class Runner:
    """Runs chunks of steps: rows of `data` in one compiled call, batches with one call each.

    No buffer is donated: the state before a chunk survives it, so that any part of a chunk can be run again.

    Args:
        step: the training step.
        width: number of values that a step reports.
        data: the examples in memory, for chunks of rows.
        asked: options of XLA.
    """

    def __init__(self, step: Step, width: int, data: Examples | None, asked: Options | None = None) -> None:
        self._one = jax.jit(step, compiler_options=asked)
        self._many = jax.jit(_many(step, width), compiler_options=asked)
        self._data = None if data is None else jax.device_put(data)

    def run(self, now: TrainState, chunk: Chunk, count: int) -> tuple[TrainState, HostArray]:
        """The first `count` steps of a chunk: the state after them, and what each reported, shape (count, width)."""
        if isinstance(chunk, np.ndarray):
            now, values = self._many(now, self._data, chunk, count)
            return now, np.asarray(values)[:count]
        seen = []
        for batch in chunk[:count]:
            now, values = self._one(now, batch)
            seen.append(values)
        return now, np.asarray(seen)

    def batch(self, chunk: Chunk, index: int) -> Examples:
        """One batch of a chunk."""
        if isinstance(chunk, np.ndarray) and self._data is not None:
            return self._data.take(chunk[index])
        found: Examples = chunk[index]
        return found


def _many(step: Step, width: int) -> Callable[[TrainState, Examples, Array, Array], tuple[TrainState, Array]]:
    def many(now: TrainState, data: Examples, rows: Array, count: Array) -> tuple[TrainState, Array]:
        def body(i: Array, carry: tuple[TrainState, Array]) -> tuple[TrainState, Array]:
            now, seen = carry
            now, values = step(now, data.take(rows[i]))
            return now, seen.at[i].set(values)

        return lax.fori_loop(0, count, body, (now, jnp.zeros((len(rows), width))))

    return many
