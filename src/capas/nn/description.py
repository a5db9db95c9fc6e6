"""Networks as JSON and as short text. Reading either builds layers from known names and runs nothing else."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import ArgumentError, located
from .activation import Activation, as_layer
from .compose import Sequential
from .functions import is_named
from .layer import Layer, type_registry

Json = Any


def to_json(layer: Layer) -> Json:
    """A layer as plain JSON values: `{"Dense": {"features": 10}}`, `{"Sequential": [...]}`, or `"relu"`.

    Raises `ArgumentError` for an activation without a name.

    Example:
        >>> from capas import nn
        >>> nn.to_json(nn.Sequential(nn.Dense(8), "relu"))
        {'Sequential': [{'Dense': {'features': 8}}, 'relu']}
    """
    if isinstance(layer, Activation):
        return _activation(layer)
    args, kwargs = layer.call()
    return {type(layer).__name__: [_plain(a) for a in args] if args else {k: _plain(v) for k, v in kwargs.items()}}


def _activation(layer: Activation) -> Json:
    if layer.name is None:
        raise ArgumentError(
            "Activation",
            expected="a function with a name, to write it to JSON",
            got=repr(layer.function),
            remedy="Name it, here and where it is read: nn.activations['mine'] = function.",
        )
    return {"Activation": {"function": layer.name, **dict(layer.options)}} if layer.options else layer.name


def _plain(value: Any) -> Json:
    if isinstance(value, Layer):
        return to_json(value)
    return [_plain(v) for v in value] if isinstance(value, tuple) else value


def from_json(description: Json) -> Layer:
    """The layer of a JSON description; the inverse of `to_json`. A list is a chain.

    Raises `ArgumentError` for unknown layers and options, with their path.

    Example:
        >>> from capas import nn
        >>> nn.from_json([{"Dense": {"features": 8}}, "relu"])
        nn.Sequential(nn.Dense(8), nn.Activation('relu'))
    """
    if isinstance(description, str):
        return as_layer(description)
    if isinstance(description, list):
        return Sequential(*_children(description))
    if isinstance(description, Mapping) and len(description) == 1:
        ((name, arguments),) = description.items()
        if name in type_registry and isinstance(arguments, (list, Mapping)):
            return _build(type_registry[name], arguments)
    raise ArgumentError(
        "description",
        expected=f'{{"Layer": {{options}}}} with a layer out of {", ".join(sorted(type_registry))}',
        got=json.dumps(description)[:80],
        remedy='For example {"Dense": {"features": 10}}.',
    )


def _children(values: list[Json]) -> list[Layer]:
    found = []
    for i, value in enumerate(values):
        with located(str(i)):
            found.append(from_json(value))
    return found


def _build(kind: type[Layer], arguments: list[Json] | Mapping[str, Json]) -> Layer:
    args = _children(arguments) if isinstance(arguments, list) else ()
    kwargs = {k: _argument(k, v) for k, v in arguments.items()} if isinstance(arguments, Mapping) else {}
    return _make(kind, args, kwargs)


def _make(kind: type[Layer], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Layer:
    """The layer, or an error that says which of its options are wrong."""
    try:
        return kind(*args, **kwargs)
    except TypeError as error:
        raise ArgumentError(
            kind.__name__,
            expected=f"options as in {kind.__name__}{inspect.signature(kind)}",
            got=str(error).split("__init__() ")[-1].removeprefix("got "),
            remedy=f"See help(capas.nn.{kind.__name__}).",
        ) from error


def _argument(name: str, value: Json) -> Any:
    if isinstance(value, Mapping):
        with located(name):
            return from_json(value)
    return tuple(_argument(str(i), v) for i, v in enumerate(value)) if isinstance(value, list) else value


def from_text(text: str) -> Layer:
    """A chain from a short text: `dense:256,relu,dense:10`, `conv:32:3x3,relu,max_pool:2x2,flatten,dense:10`.

    Each part is the name of an activation, or of a layer in lower case with its arguments in order: whole numbers,
    fractions, sizes like 3x3 (a single size of a window is 3x), or option=value.

    Example:
        >>> from capas import nn
        >>> nn.from_text("conv:8:3x3:stride=2,relu,global_avg_pool,dropout:0.1,dense:10")  # doctest: +ELLIPSIS
        nn.Sequential(nn.Conv(8, (3, 3), stride=2), nn.Activation('relu'), nn.GlobalAvgPool(), nn.Dropout(0.1), ...
    """
    layers = []
    for i, part in enumerate(text.split(",")):
        with located(str(i)):
            layers.append(_part(part.strip()))
    return Sequential(*layers)


def _part(text: str) -> Layer:
    name, *arguments = text.split(":")
    args = [_value(a) for a in arguments if "=" not in a]
    kwargs = {k: _value(v) for k, v in (a.split("=", 1) for a in arguments if "=" in a)}
    if is_named(name) and not args:
        return Activation(name, **kwargs)
    kinds = {kind.lower(): kind for kind in type_registry}
    kind = kinds.get(name.replace("_", "").lower())
    if kind is None:
        raise ArgumentError(
            name,
            expected=f"an activation of nn.activations, or a layer out of {', '.join(sorted(kinds))}",
            got=repr(text),
            remedy="For example dense:256,relu,dense:10.",
        )
    return _make(type_registry[kind], args, kwargs)


def _value(text: str) -> Any:
    if re.fullmatch(r"-?\d+", text):
        return int(text)
    if re.fullmatch(r"\d+(x\d+)*x?", text):
        return tuple(int(n) for n in text.split("x") if n)
    if re.fullmatch(r"-?\d*\.\d+(e-?\d+)?|-?\d+e-?\d+", text):
        return float(text)
    return {"true": True, "false": False}.get(text.lower(), text)
