"""A model: a network with its parameters and state, ready to be called, shown, saved and loaded."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from . import nn
from .compiler import jit
from .errors import ShapeError
from .files import write
from .nn.layer import Layer
from .nn.parameter import Shape, Tree
from .nn.walk import paths, walk

BATCH = 512
"""Examples at a time, where nothing is trained."""


@dataclass(frozen=True, eq=False)
class Model:
    """A network, the shape of its input examples, its parameters and its state.

    Models are immutable; training returns a new one.

    Attributes:
        network: the description.
        input_shape: shape of one example.
        params: nested dict of arrays, as the network's `init` gives them.
        state: nested dict of arrays that follow the data, such as running statistics.
        metadata: plain JSON values that travel with the model, such as class names.
        drawn: how each kernel was drawn and why, by its path.
        inputs: "mean" and "std" of what the first layers read, by their paths, if `init` was shown data.
    """

    network: Layer
    input_shape: Shape
    params: Tree
    state: Tree
    metadata: Mapping[str, Any] = field(default_factory=dict)
    drawn: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, Mapping[str, Array]] = field(default_factory=dict)

    def __call__(self, x: Any) -> Array:
        """Outputs for one example or for examples with any number of leading axes, `(..., *input_shape)`.

        Raises `ShapeError` if the trailing axes of `x` are not `input_shape`.

        Example:
            >>> import jax.numpy as jnp
            >>> import capas
            >>> model = capas.init(capas.nn.Dense(10), input_shape=(784,))
            >>> model(jnp.ones((32, 784))).shape, model(jnp.ones(784)).shape
            ((32, 10), (10,))
        """
        x = x if isinstance(x, np.ndarray) else jnp.asarray(x)
        lead = x.ndim - len(self.input_shape)
        self.require_input(x.shape, lead)
        if lead == 1:
            return _forward(self.network, self.params, self.state, x)
        y = _forward(self.network, self.params, self.state, x.reshape(-1, *self.input_shape))
        return y.reshape(*x.shape[:lead], *y.shape[1:])

    def predict(self, x: Any, batch_size: int = BATCH) -> np.ndarray[Any, Any]:
        """The same for any number of examples `(n, *input_shape)`, a batch at a time, as a NumPy array.

        Raises `DataError` for NaN and infinity, with the place of the first: programs of XLA may make numbers of them.
        """
        nn.require.counts("predict", batch_size=batch_size)
        self.require_input(np.shape(x), 1)
        count = len(x)
        forward = _predict if min(count, batch_size) > MAX_FOR_XLA else _forward
        run = partial(forward, self.network, self.params, self.state)
        if count <= batch_size:
            return np.asarray(run(_finite(np.asarray(x))))
        starts = range(0, count, batch_size)
        batches = (_finite(np.asarray(x[i : i + batch_size]), i) for i in starts)
        return np.concatenate([np.asarray(run(_fill(batch, batch_size))) for batch in batches])[:count]

    def require_input(self, shape: Shape, lead: int) -> None:
        if lead >= 0 and shape[lead:] == self.input_shape:
            return
        wanted = ", ".join(["...", *map(str, self.input_shape)])
        raise ShapeError(
            "Model",
            expected=f"x of shape ({wanted})",
            got=str(shape),
            remedy=_remedy(shape, self.input_shape),
        )

    def summary(self) -> None:
        """Print a table: path, layer, output shape, parameters of every layer, and how its kernel was drawn and why."""
        from rich.console import Console

        Console().print(self.table())

    def table(self) -> Any:
        """The table of `summary`, as a `rich.table.Table`."""
        from rich.table import Table

        table = Table(title=f"input {self.input_shape}", show_footer=True, title_justify="left")
        total = sum(p.size for _, p in paths(self.network.parameters(self.input_shape)))
        table.add_column("path", footer="total", no_wrap=True)
        table.add_column("layer", no_wrap=True)
        table.add_column("output shape")
        table.add_column("parameters", footer=f"{total:,}", justify="right")
        table.add_column("weights")
        for path, layer, shape, output_shape, copies in walk(self.network, self.input_shape):
            size = copies * sum(p.size for _, p in paths(layer.parameters(shape)))
            name = layer.name if isinstance(layer, nn.Activation) and layer.name else repr(layer)
            shown = name.removeprefix("nn.") + (f" × {copies}" if copies > 1 else "")
            own = [f"{path}/{name}" for name in layer.parameters(shape)]
            drawn = "; ".join(self.drawn[name] for name in own if name in self.drawn)
            table.add_row(path, shown, str(output_shape), f"{size:,}" if size else "", drawn)
        return table

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write description, parameters, state and metadata to one safetensors file; nothing in it is code.

        The file appears whole or not at all. Raises `ArgumentError` if the network holds a function without a name.
        """
        header = {
            "network": nn.to_json(self.network),
            "input_shape": self.input_shape,
            "metadata": dict(self.metadata),
            "drawn": dict(self.drawn),
        }
        write(path, header, dict(paths({"params": self.params, "state": self.state, "inputs": self.inputs})))


def _apply(network: Layer, params: Tree, state: Tree, x: Array) -> Array:
    return network.apply(params, state, x)[0]


MAX_FOR_XLA = 16
"""Examples for which calling oneDNN takes longer than it saves."""

_forward = jax.jit(_apply, static_argnums=0)
_predict = jit(_apply, static_argnums=0)


def _finite(x: np.ndarray[Any, Any], first_row: int = 0) -> np.ndarray[Any, Any]:
    nn.require.finite_numbers("Model", "x", x, first_row)
    return x


def _fill(x: np.ndarray[Any, Any], size: int) -> np.ndarray[Any, Any]:
    """A batch brought to full size with copies of its first example, so that one compiled program serves all."""
    return np.concatenate([x, np.repeat(x[:1], size - len(x), axis=0)]) if len(x) < size else x


def _remedy(shape: Shape, wanted: Shape) -> str:
    if wanted[-1:] == (1,) and shape[-len(wanted) + 1 :] == wanted[:-1]:
        return "Add the channel axis: x[..., None]."
    if math.prod(shape[1:]) == math.prod(wanted):
        return f"Reshape the data: x.reshape{(-1, *wanted)}, or put nn.Flatten() first and initialize anew."
    return "Give it examples like those it was initialized for."
