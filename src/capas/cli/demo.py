"""`capas demo`: real images, a small CNN, and a plain network of 100 layers with two kinds of weights."""

from __future__ import annotations

import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from .. import datasets, nn, weights
from ..datasets import Images
from ..model import Model
from ..start import init
from ..train import evaluate, fit
from .work import IMAGE_NET, require_folder

DEPTH, WIDTH = 100, 64


def run(out: Path) -> None:
    """Train all three, say how well each does on test images, and save the CNN."""
    require_folder(out)
    console = Console(soft_wrap=True)
    data = datasets.demo_images()
    if data.note:
        console.print(data.note, style="yellow")
    console.print(str(data))
    shape, classes = data.preparation.input_shape, len(data.preparation.classes)
    deep = nn.Sequential(
        nn.Flatten(),
        nn.Dense(WIDTH),
        nn.Repeat(nn.Sequential("relu", nn.Dense(WIDTH)), DEPTH - 2),
        "relu",
        nn.Dense(classes),
    )
    metadata = {"preparation": datasets.to_json(data.preparation)}
    runs = {
        "small CNN, default weights": init(
            nn.Sequential(nn.from_text(IMAGE_NET), nn.Dense(classes)), shape, metadata=metadata
        ),
        f"plain {DEPTH}-layer ReLU network, default weights": init(deep, shape),
        f"plain {DEPTH}-layer ReLU network, Glorot weights": init(deep, shape, scheme=weights.Glorot()),
    }
    table = Table(title=f"{data.name}: test accuracy", title_justify="left")
    for name, justify in (("network", "left"), ("test accuracy", "right"), ("seconds", "right")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    for name, model in runs.items():
        console.rule(name, align="left")
        model.summary()
        start = time.perf_counter()
        trained, accuracy = _train(model, data)
        table.add_row(name, f"{accuracy:.4f}", f"{time.perf_counter() - start:.0f}")
        if "CNN" in name:
            trained.save(out)
    console.print(table)
    console.print(f"saved the CNN: {out}")


def _train(model: Model, data: Images) -> tuple[Model, float]:
    """Three passes over many images, thirty over few."""
    trained, _ = fit(model, data.train, epochs=3 if len(data.train[1]) > 10_000 else 30)
    assert data.test is not None
    return trained, evaluate(trained, data.test)["accuracy"]
