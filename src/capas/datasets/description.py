"""Preparations as JSON. Reading one builds dataclasses from known names and runs nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

from ..errors import ArgumentError

Json = Any
Kind = TypeVar("Kind", bound=type)

_kinds: dict[str, Callable[..., Any]] = {}


def described(kind: Kind) -> Kind:
    """Make a dataclass one of those that JSON may name."""
    _kinds[kind.__name__] = kind
    return kind


def to_json(value: Any) -> Json:
    """A preparation as plain JSON values: `{"ImagePreparation": {"size": [28, 28], ...}}`.

    They fit into a model's metadata: `capas.init(net, input_shape, metadata={"preparation": to_json(preparation)})`.

    Raises `ArgumentError` for other dataclasses.

    Example:
        >>> from capas import datasets
        >>> datasets.to_json(datasets.NumberColumn("age", mean=40.0, std=9.5, has_missing=False))
        {'NumberColumn': {'name': 'age', 'mean': 40.0, 'std': 9.5, 'has_missing': False}}
    """
    if is_dataclass(value):
        _require_described(type(value))
        return {type(value).__name__: {f.name: to_json(getattr(value, f.name)) for f in fields(value)}}
    return [to_json(v) for v in value] if isinstance(value, tuple) else value


def _require_described(kind: type) -> None:
    if kind.__name__ not in _kinds:
        raise ArgumentError(
            "to_json",
            expected=f"a preparation: {', '.join(sorted(_kinds))}",
            got=kind.__name__,
            remedy="Give it the preparation of the data: data.preparation.",
        )


def from_json(description: Json) -> Any:
    """The preparation of a JSON description; the inverse of `to_json`.

    Raises `ArgumentError` for kinds and options that are unknown, and for options that are missing.

    Example:
        >>> from capas import datasets
        >>> datasets.from_json({"NumberColumn": {"name": "age", "mean": 40.0, "std": 9.5, "has_missing": False}})
        NumberColumn(name='age', mean=40.0, std=9.5, has_missing=False)
    """
    if isinstance(description, Mapping) and len(description) == 1:
        ((name, options),) = description.items()
        if name in _kinds and isinstance(options, Mapping):
            return _build(name, {k: _value(v) for k, v in options.items()})
    raise ArgumentError(
        "description",
        expected=f'{{"Kind": {{options}}}} with a kind out of {", ".join(sorted(_kinds))}',
        got=json.dumps(description)[:80],
        remedy="Give it what datasets.to_json wrote.",
    )


def _value(value: Json) -> Any:
    if isinstance(value, list):
        return tuple(_value(v) for v in value)
    return from_json(value) if isinstance(value, Mapping) else value


def _build(name: str, options: dict[str, Any]) -> Any:
    known = [f.name for f in fields(_kinds[name])]  # type: ignore[arg-type]
    if sorted(options) != sorted(known):
        raise ArgumentError(
            name,
            expected=f"the options {', '.join(known)}",
            got=", ".join(options) or "none",
            remedy="Give it what datasets.to_json wrote; a later version of capas may have written more.",
        )
    return _kinds[name](**options)
