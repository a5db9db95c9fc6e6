"""Does a plain network of 100 layers train? The default weights against He's and Glorot's, on Fashion-MNIST.

No normalization, no skips, default settings of `capas.fit`, width 64. Prints the figures and draws them into
docs/_static/deep_network.svg: the signal in every layer before the first step, and the accuracy after every epoch.
"""

from __future__ import annotations

from pathlib import Path

import altair as alt
import environment
import jax.numpy as jnp
import pandas as pd

import capas
from capas import datasets, nn, weights
from capas.nn.layer import observing

DEPTH, WIDTH, EPOCHS = 100, 64, 5
PICTURE = Path(__file__).parent.parent / "docs/_static/deep_network.svg"
SCHEMES = {"capas default": "auto", "He": weights.He(), "Glorot": weights.Glorot()}
NETWORK = nn.Sequential(
    nn.Flatten(),
    nn.Dense(WIDTH),
    nn.Repeat(nn.Sequential("relu", nn.Dense(WIDTH)), DEPTH - 2),
    "relu",
    nn.Dense(10),
)


def signals(model: capas.Model, x: jnp.ndarray) -> list[float]:
    """Second moment of what each dense layer gives, measured."""
    found: list[float] = []

    def note(layer: nn.Layer, y: jnp.ndarray) -> None:
        if isinstance(layer, nn.Dense):
            found.append(float(jnp.square(y).mean()))

    with observing(note):
        model.network.apply(model.params, model.state, x)
    return found


def panel(rows: pd.DataFrame, x: str, y: str, title: str, scale: alt.Scale) -> alt.Chart:
    """One line per scheme."""
    return (
        alt.Chart(rows, title=title, width=300, height=200)
        .mark_line(point=x == "epoch")
        .encode(
            x=alt.X(x, type="quantitative", axis=alt.Axis(tickMinStep=1)),
            y=alt.Y(y, type="quantitative", scale=scale, title=None),
            color=alt.Color("weights:N", sort=list(SCHEMES), title="weights"),
        )
    )


if __name__ == "__main__":
    print(environment.describe())
    images = datasets.fashion_mnist()
    before, after = [], []
    for name, scheme in SCHEMES.items():
        model = capas.init(NETWORK, (28, 28, 1), scheme=scheme)
        for layer, second in enumerate(signals(model, jnp.asarray(images.train[0][:512])), 1):
            before.append({"weights": name, "layer": layer, "signal": second})
        trained, history = capas.fit(model, images.train, epochs=EPOCHS, progress=False)
        after += [{"weights": name, "epoch": r["epoch"], "accuracy": r["val_accuracy"]} for r in history.records]
        accuracy = capas.evaluate(trained, images.test)["accuracy"]
        print(
            f"{name:<15} signal in layer {DEPTH}: {before[-1]['signal']:.1e}   test accuracy {accuracy:.4f}", flush=True
        )
    titles = "second moment of the signal, by layer, before training", "validation accuracy, by epoch"
    log = alt.Scale(type="log", clamp=True)
    chart = panel(pd.DataFrame(before), "layer", "signal", titles[0], log) | panel(
        pd.DataFrame(after), "epoch", "accuracy", titles[1], alt.Scale(domain=[0, 1])
    )
    PICTURE.parent.mkdir(exist_ok=True)
    chart.save(PICTURE)
    print(PICTURE.relative_to(Path.cwd()))
