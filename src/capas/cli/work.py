"""What the commands do: raw data to a trained model, and a model to answers for raw data."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import softmax

from .. import datasets, losses, nn
from ..datasets import ImagePreparation, Images, TablePreparation
from ..errors import ArgumentError, DataError
from ..model import Model
from ..nn.layer import Layer
from ..start import init
from ..stored import load
from ..train import evaluate as evaluate_model
from ..train import fit

IMAGE_NET = "conv:32:3x3,relu,max_pool:2x2,conv:64:3x3,relu,max_pool:2x2,flatten"
TABLE_NET = "dense:128,relu,dense:128,relu"
TABLES = (".csv", ".parquet")
NAMED: dict[str, Callable[[], Images]] = {"fashion-mnist": datasets.fashion_mnist, "digits": datasets.digits}
TRAINING = f"{', '.join(NAMED)}, a folder, or a file that ends in {' or '.join(TABLES)}"

Pair = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]


@dataclass(frozen=True)
class Source:
    """Data to train on, ready for a network.

    Attributes:
        title: one line that says what it is.
        preparation: how raw data became inputs.
        train: inputs and targets.
        test: the same kept away from training, or None.
    """

    title: str
    preparation: ImagePreparation | TablePreparation
    train: Pair
    test: Pair | None = None

    @property
    def outputs(self) -> int:
        """Number of network outputs: one per class, or the number itself."""
        return len(self.preparation.classes) or 1


def loss_for(preparation: ImagePreparation | TablePreparation) -> Any:
    """Cross-entropy for classes, mean squared error for numbers."""
    return losses.softmax_cross_entropy if preparation.classes else losses.mse


def training_source(data: str, target: str | None, task: str | None, size: str | None) -> Source:
    """Read the data that `capas train` is given."""
    table = data.lower().endswith(TABLES)
    for option, given, wanted in (("target", target, table), ("task", task, table), ("size", size, not table)):
        if given is not None and not wanted:
            raise ArgumentError(
                "train",
                expected=f"no --{option} for {data}",
                got=repr(given),
                remedy="--target and --task are for tables, --size is for folders of images.",
            )
    if table:
        return _table_source(data, target, task)
    images = NAMED[data]() if data in NAMED else datasets.image_folder(_existing(data, TRAINING), _size(size))
    return Source(str(images), images.preparation, images.train, images.test)


def _table_source(data: str, target: str | None, task: str | None) -> Source:
    if target is None:
        raise ArgumentError(
            "train",
            expected="--target, the column to predict, for a table",
            got="none",
            remedy=f"For example: capas train {data} --target COLUMN",
        )
    frame = datasets.read_table(data)
    preparation = TablePreparation.fit(frame, target, task)
    goal = f"{len(preparation.classes)} classes" if preparation.classes else "a number"
    dropped = f"; constant columns left out: {', '.join(preparation.dropped)}" if preparation.dropped else ""
    title = f"{data}: {len(frame)} rows, {len(preparation.features)} inputs, target {target!r}: {goal}{dropped}"
    return Source(title, preparation, (preparation.prepare(frame), preparation.targets(frame)))


def _existing(data: str, wanted: str) -> Path:
    if Path(data).exists():
        return Path(data)
    raise DataError(data, expected=wanted, got="nothing of that name", remedy="Check the path.")


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    sides = text.lower().split("x")
    if len(sides) == 2 and all(side.isdigit() for side in sides):
        return int(sides[0]), int(sides[1])
    raise ArgumentError("train", expected="--size HEIGHTxWIDTH", got=repr(text), remedy="For example --size 32x32.")


def new_model(source: Source, net: str | None, seed: int) -> Model:
    """A fresh model for the data: the network that was asked for, with an output layer if it has none."""
    preparation = source.preparation
    default = TABLE_NET if isinstance(preparation, TablePreparation) else IMAGE_NET
    network = _with_outputs(_read_net(net or default), preparation.input_shape, source.outputs)
    return init(network, preparation.input_shape, seed=seed, metadata={"preparation": datasets.to_json(preparation)})


def _read_net(text: str) -> Layer:
    if not text.endswith(".json"):
        return nn.from_text(text)
    try:
        return nn.from_json(json.loads(Path(text).read_text()))
    except (OSError, ValueError) as error:
        raise DataError(
            text, expected="a JSON file", got=str(error), remedy="Check the path and the syntax."
        ) from error


def _with_outputs(body: Layer, shape: tuple[int, ...], outputs: int) -> Layer:
    last = body
    while isinstance(last, nn.Sequential) and last.layers:
        last = last.layers[-1][1]
    found = body.output_shape(shape)
    if isinstance(last, nn.Dense) and found == (outputs,):
        return body
    layers = [layer for _, layer in body.layers] if isinstance(body, nn.Sequential) else [body]
    return nn.Sequential(*layers, *([nn.Flatten()] if len(found) > 1 else []), nn.Dense(outputs))


def require_folder(out: Path | None) -> None:
    """Refuse, before any work is done, a file in a folder that is not there."""
    if out is not None and not out.absolute().parent.is_dir():
        expected, remedy = "a file in a folder that exists", "Make the folder first."
        raise ArgumentError("--out", expected=expected, got=str(out), remedy=remedy)


def train(model: Model, source: Source, out: Path, **settings: Any) -> Model:
    """Train, report on the test data if there is some, and save."""
    trained, _ = fit(model, source.train, loss=loss_for(source.preparation), **settings)
    if source.test is not None:
        found = evaluate_model(trained, source.test, loss=loss_for(source.preparation))
        print("test  " + "  ".join(f"{name} {value:.4f}" for name, value in found.items()))
    trained.save(out)
    print(f"saved {out}")
    return trained


def _preparation(model: Model, path: Path) -> ImagePreparation | TablePreparation:
    if "preparation" not in model.metadata:
        raise DataError(
            os.fspath(path),
            expected="a model that `capas train` wrote, which knows how to read raw data",
            got="one without a preparation",
            remedy="Use it from Python: capas.load(path)(x).",
        )
    found: ImagePreparation | TablePreparation = datasets.from_json(model.metadata["preparation"])
    return found


def evaluate(path: Path, data: str) -> dict[str, float]:
    """Loss and accuracy for classes; errors in the target's own unit for numbers."""
    model = load(path)
    preparation = _preparation(model, path)
    if isinstance(preparation, TablePreparation):
        frame = datasets.read_table(data, preparation)
        x, y = preparation.prepare(frame), preparation.targets(frame)
    elif data in NAMED:
        x, y = _named_test(data, preparation)
    else:
        x, y = datasets.labelled_images(
            _existing(data, f"{', '.join(NAMED)}, or a folder of class folders"), preparation
        )
    if preparation.classes:
        return evaluate_model(model, (x, y))
    assert isinstance(preparation, TablePreparation)
    return _errors(preparation.unscale(y)[:, 0], preparation.unscale(model.predict(x))[:, 0])


def _named_test(data: str, preparation: ImagePreparation) -> Pair:
    images = NAMED[data]()
    if images.test is None or images.preparation != preparation:
        raise DataError(
            data,
            expected="the images that the model was trained on",
            got="images prepared differently",
            remedy="Evaluate on a folder of class folders instead.",
        )
    return images.test


def _errors(truth: np.ndarray[Any, Any], found: np.ndarray[Any, Any]) -> dict[str, float]:
    from sklearn import metrics

    return {
        "mae": float(metrics.mean_absolute_error(truth, found)),
        "rmse": float(metrics.root_mean_squared_error(truth, found)),
        "r2": float(metrics.r2_score(truth, found)),
    }


def predict(path: Path, data: str) -> Any:
    """A pandas table with one row per image or raw row: the class and its probability, or the number."""
    import pandas as pd

    model = load(path)
    preparation = _preparation(model, path)
    if isinstance(preparation, TablePreparation):
        frame = datasets.read_table(data, preparation)
        x, name, names = preparation.prepare(frame), "row", list(range(len(frame)))
    else:
        x, files = datasets.read_images(_existing(data, "an image or a folder of images"), preparation)
        name, names = "file", [str(file) for file in files]
    outputs = model.predict(x)
    if not preparation.classes:
        assert isinstance(preparation, TablePreparation)
        name = "row number" if preparation.target.name == name else name
        return pd.DataFrame({name: names, preparation.target.name: preparation.unscale(outputs)[:, 0]})
    shares = softmax(outputs.astype(np.float64), axis=1)
    best = shares.argmax(1)
    classes = [preparation.classes[i] for i in best]
    return pd.DataFrame({name: names, "class": classes, "probability": shares.max(1).round(6)})
