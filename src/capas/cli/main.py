"""`capas demo | train | predict | evaluate`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ..errors import CapasError

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Deep networks on JAX, from the command line.")

Data = Annotated[
    str, typer.Argument(help="fashion-mnist, digits, a folder of class folders of PNG/JPEG, or a CSV/Parquet file.")
]
ModelFile = Annotated[Path, typer.Argument(help="A model file that `capas train` wrote.")]


@app.command()
def train(
    data: Data,
    target: Annotated[str | None, typer.Option(help="The column of a table to predict.")] = None,
    net: Annotated[
        str | None, typer.Option(help="dense:256,relu,dense:256,relu or a JSON file. The output layer is added.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Where to write the model.")] = Path("model.safetensors"),
    task: Annotated[str | None, typer.Option(help="classification or regression; else from the column's type.")] = None,
    size: Annotated[str | None, typer.Option(help="HEIGHTxWIDTH that the images of a folder are resized to.")] = None,
    epochs: int = 10,
    batch_size: int = 128,
    learning_rate: Annotated[float | None, typer.Option(help="Peak rate; else by the number of steps.")] = None,
    validation: Annotated[float, typer.Option(help="Share of the rows held out; 0 for none.")] = 0.1,
    patience: Annotated[int | None, typer.Option(help="Stop after so many epochs without improvement.")] = None,
    monitor: Annotated[str | None, typer.Option(help="Of what: val_accuracy, say; else the validation loss.")] = None,
    seed: int = 0,
    checkpoint: Annotated[Path | None, typer.Option(help="A folder to save into and to continue from.")] = None,
    precision: Annotated[str, typer.Option(help="float32 or bfloat16.")] = "float32",
) -> None:
    """Train a network on images or on a table, and save it with all that raw data needs."""
    from . import work

    work.require_folder(out)
    source = work.training_source(data, target, task, size)
    typer.echo(source.title)
    model = work.new_model(source, net, seed)
    model.summary()
    work.train(
        model,
        source,
        out,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        validation=validation or None,
        patience=patience,
        monitor=monitor,
        seed=seed,
        checkpoint=checkpoint,
        precision=precision,
    )


@app.command()
def evaluate(model: ModelFile, data: Data) -> None:
    """Measure a model on raw data that has its targets."""
    from . import work

    for name, value in work.evaluate(model, data).items():
        typer.echo(f"{name} {value:.4f}")


@app.command()
def predict(
    model: ModelFile,
    data: Annotated[str, typer.Argument(help="An image, a folder of images, or a CSV/Parquet file of raw rows.")],
    out: Annotated[Path | None, typer.Option(help="A CSV file to write instead of the terminal.")] = None,
) -> None:
    """Predict from raw data; one CSV line per image or row."""
    from . import work

    work.require_folder(out)
    frame = work.predict(model, data)
    frame.to_csv(sys.stdout if out is None else out, index=False)


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Where to write the small CNN.")] = Path("demo.safetensors"),
) -> None:
    """Train on real images: a small CNN, and a plain 100-layer network with two kinds of weights."""
    from .demo import run

    run(out)


def main() -> None:
    """Run a command; what the user can mend is printed without a traceback."""
    try:
        app()
    except CapasError as error:
        typer.echo(f"capas: {error}", err=True)
        sys.exit(1)
