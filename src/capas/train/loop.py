"""Training from the first step to the last."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any, NoReturn

import numpy as np
import optax

from ..model import Model
from ..nn import to_json
from .checkpoint import digest, structure
from .early import Best, Watch
from .evaluate import measure
from .examples import Examples, HostArray, spaced
from .feeds import ArrayFeed, StreamFeed
from .finite import diagnose, is_finite, not_finite_in_validation
from .history import History, Record
from .progress import Display
from .saves import Saves
from .step import Chunk, Objective, Runner, TrainState, begin, make_step, options_for

Callback = Callable[[Record, Model], bool | None]
"""Called after each epoch with its record and the model as it is; a true answer ends training."""

ROWS_PER_CALL = 65_536
"""Examples in the steps of one compiled call, at most."""

COMPARED = 1_000
"""Examples by which the data of a run that is continued are known again."""

STEPS_PER_CHUNK = 16
"""Of batches that are not in memory."""

SHORT, LONG = 0.25, 1.0
"""Seconds that a call should take: less costs more calls, more lets the progress bar stand."""


class Pace:
    """How many steps the next compiled call makes, by how long the last ones took."""

    def __init__(self) -> None:
        self.steps = 8

    def learn(self, seconds: float) -> None:
        """Make fewer steps after a long call, more after a short one."""
        if seconds > LONG:
            self.steps = max(self.steps // 2, 1)
        elif seconds < SHORT:
            self.steps = min(self.steps * 2, ROWS_PER_CALL)


@dataclass(frozen=True)
class Training:
    """Everything one call of `fit` was asked to do."""

    model: Model
    feed: ArrayFeed | StreamFeed
    held: Callable[[], Iterator[Examples]] | None
    objective: Objective
    optimizer: optax.GradientTransformation
    epochs: int
    watch: Watch
    patience: int | None
    callbacks: tuple[Callback, ...]
    asked: Mapping[str, Any]

    def run(self, display: Display, folder: str | os.PathLike[str] | None) -> tuple[Model, History]:
        """All epochs, from the newest checkpoint if there is one."""
        now = begin(self.model.params, self.model.state, self.optimizer)
        best = Best(np.inf, 0, *((now.params, now.state) if self.patience else ({}, {})))
        with closing(Saves(folder, self._identity)) as saves:
            now, best, history = saves.resume(now, best)
            runner, pace = self._runner(), Pace()
            while not history.ended:
                now = self._epoch(runner, now, history, display, pace)
                best = self._judge(now, history, best)
                history.ended = self._end(now, history, best)
                saves.keep(now, best, history)
        if self.patience is None:
            return self._model(now.params, now.state), history
        history.best_epoch = best.epoch
        return self._model(best.params, best.state), history

    @property
    def _width(self) -> int:
        return 1 + len(self.objective.metrics)

    def _identity(self) -> dict[str, Any]:
        """What must be the same for a run to be continued, as plain JSON values."""
        objective = self.objective
        run = {"network": to_json(self.model.network), "seed": objective.seed, "epochs": self.epochs}
        run |= {"monitor": self.watch.name, "early stopping": self.patience is not None}
        run |= {"precision": objective.precision, **self.asked}
        run |= {"loss": _name(objective.loss), "metrics": [*objective.metrics]}
        run |= {"weights": digest((self.model.params, self.model.state, self.model.inputs))}
        run |= {"optimizer's state": structure(self.optimizer.init, self.model.params)}
        if isinstance(self.feed, ArrayFeed):
            run |= {"examples": self.feed.data.rows, "batch_size": self.feed.batch_size}
            run["data"] = digest(self.feed.data.take(spaced(self.feed.data.rows, COMPARED)))
        return run

    def _resident(self) -> ArrayFeed | None:
        """The feed, where all its arrays stay on the device and many steps run in one compiled call."""
        feed = self.feed
        return feed if isinstance(feed, ArrayFeed) and not feed.data.is_on_disk else None

    def _runner(self) -> Runner:
        resident = self._resident()
        data = None if resident is None else self.objective.inputs(resident.data)
        asked = options_for(self.model, self.feed.batch_size if isinstance(self.feed, ArrayFeed) else 0)
        return Runner(make_step(self.objective, self.optimizer), self._width, data, asked)

    def _chunks(self, epoch: int, pace: Pace) -> Iterator[tuple[Chunk, int]]:
        if (resident := self._resident()) is not None:
            yield from _rows(resident.order(epoch), pace)
            return
        batches = self.feed.batches(epoch)
        while chunk := list(islice(batches, STEPS_PER_CHUNK)):
            yield chunk, len(chunk)

    def _epoch(self, runner: Runner, now: TrainState, history: History, display: Display, pace: Pace) -> TrainState:
        epoch, start = len(history.records), time.perf_counter()
        display.start_epoch(epoch)
        total, steps = np.zeros(self._width), 0
        for chunk, count in self._chunks(epoch, pace):
            begun = time.perf_counter()
            after, values = runner.run(now, chunk, count)
            pace.learn(time.perf_counter() - begun)
            if not (np.isfinite(values[:, 0]).all() and is_finite((after.params, after.state))):
                self._stop(runner, now, chunk, values, history)
            now, steps, total = after, steps + count, total + values.sum(0, dtype=np.float64)
            display.advance(count, self._named(total / steps))
        found = self._validate(now, history)
        record = {"epoch": epoch + 1, "step": int(now.step), **self._named(total / steps), **found}
        history.records.append({**record, "seconds": time.perf_counter() - start})
        display.end_epoch(history.records[-1])
        return now

    def _named(self, values: HostArray) -> dict[str, float]:
        return dict(zip(("loss", *self.objective.metrics), map(float, values), strict=True))

    def _validate(self, now: TrainState, history: History) -> dict[str, float]:
        if self.held is None:
            return {}
        metrics = {"loss": self.objective.loss, **self.objective.metrics}
        model = self._model(now.params, now.state)
        found = measure(model, metrics, self.held(), self.objective.precision)
        record = {f"val_{name}": value for name, value in found.items()}
        for name in {"val_loss", self.watch.name} & record.keys():
            if not np.isfinite(record[name]):
                error = not_finite_in_validation(name, record[name], len(history.records) + 1)
                error.model, error.history = model, history
                raise error
        return record

    def _judge(self, now: TrainState, history: History, best: Best) -> Best:
        if self.patience is None:
            return best
        last = history.records[-1]
        cost = self.watch.cost(last)
        return Best(cost, last["epoch"], now.params, now.state) if cost < best.cost else best

    def _end(self, now: TrainState, history: History, best: Best) -> str:
        """Why training ends here; empty if it goes on."""
        model, last = self._model(now.params, now.state), history.records[-1]
        asked = [callback(last, model) for callback in self.callbacks]
        if any(asked):
            return "a callback asked"
        if self.patience is not None and last["epoch"] - best.epoch >= self.patience:
            return f"no improvement in {self.patience} epochs"
        return "epochs done" if last["epoch"] >= self.epochs else ""

    def _model(self, params: Any, state: Any) -> Model:
        return replace(self.model, params=params, state=state)

    def _stop(self, runner: Runner, now: TrainState, chunk: Chunk, values: HostArray, history: History) -> NoReturn:
        """Run the chunk again up to the last good step, and raise the error that names the layer."""
        bad = int(np.append(np.flatnonzero(~np.isfinite(values[:, 0])), len(values))[0])
        good = runner.run(now, chunk, bad)[0]
        if not is_finite((good.params, good.state)):
            bad -= 1
            good = runner.run(now, chunk, bad)[0]
        error = diagnose(self.objective, good, runner.batch(chunk, bad))
        error.model, error.history = self._model(good.params, good.state), history
        raise error


def _name(function: Any) -> str:
    """What a function is called, the same in every process, with the arguments that it holds."""
    if isinstance(function, partial):
        return f"{_name(function.func)} {function.args} {function.keywords}"
    return getattr(function, "__name__", type(function).__name__)


def _rows(order: HostArray, pace: Pace) -> Iterator[tuple[HostArray, int]]:
    """An epoch's rows in chunks of one shape, each with the number of its steps that count."""
    width, start = min(len(order), max(ROWS_PER_CALL // order.shape[1], 1)), 0
    while start < len(order):
        rows = order[start : start + min(pace.steps, width)]
        start += len(rows)
        yield np.resize(rows, (width, *rows.shape[1:])), len(rows)
