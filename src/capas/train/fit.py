"""`fit`: what it is asked to do, checked, and handed to the loop."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import optax

from .. import losses
from ..errors import ArgumentError
from ..model import BATCH, Model
from . import metrics as metrics_
from .early import watch
from .examples import Examples, examples, require_finite, split
from .feeds import ArrayFeed, StreamFeed, sequential
from .history import History
from .inputs import standardize_inputs
from .loop import Callback, Training
from .metrics import PerExample
from .optimizer import default_optimizer
from .precision import usable, warn_of_coarse
from .progress import Display
from .settings import REAL, is_arrays, require_fit, require_head, require_model, require_settings
from .sizes import warn_of_sizes
from .step import Objective


def fit(
    model: Model,
    data: Any,
    *,
    loss: PerExample = losses.softmax_cross_entropy,
    epochs: int = 5,
    batch_size: int = 128,
    optimizer: optax.GradientTransformation | None = None,
    learning_rate: float | None = None,
    validation: Any = 0.1,
    metrics: Sequence[str | PerExample] | None = None,
    patience: int | None = None,
    monitor: str | None = None,
    seed: int = 0,
    checkpoint: str | os.PathLike[str] | None = None,
    callbacks: Sequence[Callback] = (),
    precision: str = "float32",
    progress: bool = True,
) -> tuple[Model, History]:
    """Train a model; returns the trained one and what happened. The given model stays as it is.

    Args:
        model: where to start from.
        data: `(x, y)` or `(x, y, weights)` as arrays or memory maps; or an iterable of such batches, or a function
            that makes one for each epoch.
        loss: a per-example loss of outputs and targets.
        epochs: passes over the data.
        batch_size: examples per step, for arrays. The last batch is filled up with others, so every step has the same
            shape.
        optimizer: an Optax optimizer that asks for gradients alone, no line search. By default AdamW with clipping,
            centred updates, warm-up and cosine decay. If the model was made for data, either sees the first layers as
            if these were standardized, see `capas.train.standardize_inputs`.
        learning_rate: peak rate of the default optimizer, by default 0.003 and less for more than 3000 steps, see
            `capas.train.peak_rate`; hidden layers of deep networks get less of it, see `capas.train.layer_rates`.
        validation: share of the arrays held out (stratified by class), or data of its own, or None.
        metrics: names or per-example functions; by default what goes with the loss.
        patience: end after so many epochs in which `monitor` was not better, and return the weights of the best one.
        monitor: which entry of the epochs' records: "val_accuracy", say. By default "val_loss", or "loss" where
            nothing is held out.
        seed: of order, split and dropout; the same seed gives the same result, bit for bit.
        checkpoint: a folder to save into after every epoch, and to continue from, with the same settings. An optimizer
            that is given is known again by what its state is made of, not by its rate.
        callbacks: functions of the epoch's record and the model; a true answer ends training.
        precision: "float32", or "bfloat16" to compute in half the bits with weights kept in float32. Where this JAX
            would be slower with it on this processor, it warns and trains in float32.
        progress: whether to show it.

    Raises:
        ArgumentError: for settings that cannot be meant.
        DataError, ShapeError: before the first step, for data that the network or the loss does not take.
        NotFiniteError: when the loss stops being finite. Its `model` is that of the last good step.

    Example:
        >>> import capas
        >>> from sklearn.datasets import load_digits
        >>> x, y = load_digits(return_X_y=True)
        >>> net = capas.nn.Sequential(capas.nn.Dense(64), "relu", capas.nn.Dense(10))
        >>> model = capas.init(net, input_shape=(64,))
        >>> model, history = capas.fit(model, (x / 16, y), epochs=20, progress=False)
        >>> history["val_accuracy"][-1] > 0.9
        True
    """
    require_model("fit", model)
    precision = usable(precision)
    counts = {"epochs": epochs, "batch_size": batch_size} | ({} if patience is None else {"patience": patience})
    require_settings(loss, optimizer, learning_rate, seed, callbacks, **counts)
    names = metrics_.resolve(metrics_.defaults(loss) if metrics is None else metrics, loss)
    require_head(model.network, loss)
    feed, held = _feeds(model, data, validation, batch_size, seed, loss)
    warn_of_coarse(model.inputs, precision)
    if isinstance(feed, ArrayFeed):
        warn_of_sizes(model, feed.data, loss)
    others = {name: metric for name, metric in names.items() if name != "loss"}
    watched = watch(monitor, patience, {"loss": loss, **others}, held is not None)
    steps = None if feed.steps is None else feed.steps * epochs
    rate = None if learning_rate is None else float(learning_rate)
    asked = {"learning_rate": rate, "optimizer": "default" if optimizer is None else "given"}
    optimizer = standardize_inputs(_optimizer(model, optimizer, rate, steps), model.inputs)
    objective = Objective(model.network, loss, others, int(seed), precision)
    training = Training(
        model, feed, held, objective, optimizer, int(epochs), watched, patience, tuple(callbacks), asked
    )
    with Display(epochs, feed.steps, quiet=not progress) as display:
        return training.run(display, checkpoint)


def _feeds(
    model: Model, data: Any, validation: Any, batch_size: int, seed: int, loss: PerExample
) -> tuple[ArrayFeed | StreamFeed, Callable[[], Iterator[Examples]] | None]:
    """The batches to train on, and those to validate on."""
    held = None if validation is None or isinstance(validation, REAL) else validation
    if not is_arrays(data):
        stream = _stream(model, data, loss)
        if held is None and validation is not None:
            raise ArgumentError(
                "fit",
                expected="validation data, or validation=None, where the data comes in batches",
                got=f"validation={validation!r}",
                remedy="A share can only be held out of arrays.",
            )
        return stream, None if held is None else _held_batches(model, held, loss)
    given = _checked(model, data, loss, "data")
    if isinstance(validation, REAL):
        given, held = split(given, float(validation), seed)
    feed = ArrayFeed(given, min(int(batch_size), given.rows), seed)
    return feed, None if held is None else _held_batches(model, held, loss)


def _checked(model: Model, data: Any, loss: PerExample, subject: str) -> Examples:
    given = examples(data, subject)
    require_finite(given, subject)
    require_fit(model.network, model.input_shape, loss, given)
    return given


def _held_batches(model: Model, held: Any, loss: PerExample) -> Callable[[], Iterator[Examples]]:
    if not is_arrays(held):
        stream = _stream(model, held, loss, "validation")
        if isinstance(held, Iterator):
            raise ArgumentError(
                "validation",
                expected="batches that can be read in every epoch",
                got=f"an object of type {type(held).__name__}",
                remedy="Give a list, a loader, or a function that makes a generator.",
            )
        return lambda: stream.batches(0)
    given = _checked(model, held, loss, "validation")
    return lambda: sequential(given, BATCH)


def _stream(model: Model, data: Any, loss: PerExample, subject: str = "data") -> StreamFeed:
    return StreamFeed(data, partial(require_fit, model.network, model.input_shape, loss), subject)


def _optimizer(
    model: Model, optimizer: optax.GradientTransformation | None, rate: float | None, steps: int | None
) -> optax.GradientTransformation:
    if optimizer is not None:
        return optimizer
    if steps is None:
        raise ArgumentError(
            "fit",
            expected="an optimizer, where the number of batches is not known",
            got="optimizer=None and data without a length",
            remedy="Give data with a length, or an optimizer such as optax.adamw(1e-3).",
        )
    return default_optimizer(model, steps, rate)
