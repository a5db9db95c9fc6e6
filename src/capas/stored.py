"""Models out of files."""

from __future__ import annotations

import os
from collections.abc import Mapping

import jax
from jaxtyping import Array

from . import nn
from .errors import DataError
from .files import read
from .model import Model
from .nn.parameter import Shape
from .nn.walk import found, joined, paths

DAMAGED = "The file is damaged or was edited; save the model again."


def load(path: str | os.PathLike[str]) -> Model:
    """The model of a file that `Model.save` wrote. Reading it runs no code from it.

    Raises `DataError` if the file is not a model of capas, or if its arrays are not those of its network.

    Example:
        >>> import tempfile
        >>> import capas
        >>> model = capas.init(capas.nn.Dense(2), input_shape=(3,))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.save(f"{folder}/m.safetensors")
        ...     capas.load(f"{folder}/m.safetensors").network
        nn.Dense(2)
    """
    header, arrays = read(path)
    for name in ("network", "input_shape", "metadata"):
        if name not in header:
            raise DataError(os.fspath(path), expected=f"a header with {name!r}", got="none", remedy=DAMAGED)
    network = nn.from_json(header["network"])
    shape = tuple(header["input_shape"])
    declared = {"params": network.parameters(shape), "state": network.statistics(shape)}
    wanted = {name: (*p.copies, *p.shape) for name, p in paths(declared)}
    inputs = _inputs(arrays)
    _require_inputs(os.fspath(path), inputs, wanted)
    _require_arrays(os.fspath(path), arrays, wanted)
    tree = jax.tree.map(lambda p: None, declared)
    for name, array in arrays.items():
        parent, _, last = name.rpartition("/")
        found(tree, parent)[last] = array
    return Model(network, shape, tree["params"], tree["state"], header["metadata"], header.get("drawn", {}), inputs)


def _inputs(arrays: dict[str, Array]) -> dict[str, dict[str, Array]]:
    """Take the moments of the input out of the arrays."""
    inputs: dict[str, dict[str, Array]] = {}
    for name in [name for name in arrays if name.startswith("inputs/")]:
        path, _, moment = name.removeprefix("inputs/").rpartition("/")
        inputs.setdefault(path, {})[moment] = arrays.pop(name)
    return inputs


def _require_inputs(file: str, inputs: dict[str, dict[str, Array]], wanted: Mapping[str, Shape]) -> None:
    """Refuse moments that are not of what a layer reads."""
    for path, moments in inputs.items():
        weight = joined("params", joined(path, "weight"))
        rows = wanted[weight][-2] if weight in wanted else 0
        shapes = {name: tuple(array.shape) for name, array in moments.items()}
        if not (rows and _fit(shapes, rows)):
            expected = f"a mean and a std of each of {rows} features" if rows else "nothing"
            under = f" under {joined('inputs', path)!r}"
            raise DataError(file, expected=expected + under, got=str(shapes), remedy=DAMAGED)


def _fit(shapes: Mapping[str, Shape], rows: int) -> bool:
    """Whether these are a mean and a std of as many features, or of channels that the rows are made of."""
    one, *others = shapes.values()
    return shapes.keys() == {"mean", "std"} and others == [one] and len(one) == 1 and one[0] > 0 and rows % one[0] == 0


def _require_arrays(file: str, arrays: dict[str, Array], wanted: Mapping[str, Shape]) -> None:
    """Refuse arrays other than those of the network."""
    shapes = {name: tuple(array.shape) for name, array in arrays.items()}
    if wanted != shapes:
        odd = sorted(set(wanted.items()) ^ set(shapes.items()))[0][0]
        expected = f"an array {odd!r} of shape {wanted[odd]}" if odd in wanted else f"no array {odd!r}"
        raise DataError(file, expected=expected, got=str(shapes.get(odd, "none")), remedy=DAMAGED)
