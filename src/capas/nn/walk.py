"""A network walked through: its innermost layers, and the paths of what it is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jax

from ..errors import located
from .layer import Layer
from .parameter import Shape


class Row(NamedTuple):
    """One layer of a network that has no layers inside, where it stands, and what flows through it."""

    path: str
    layer: Layer
    shape: Shape
    output_shape: Shape
    copies: int


def walk(layer: Layer, shape: Shape, path: str = "", copies: int = 1) -> Iterator[Row]:
    """All innermost layers, in the order of their computation."""
    children = layer.children(shape)
    if not children:
        yield Row(path, layer, shape, layer.output_shape(shape), copies)
    for name, child, child_shape in children:
        with located(name):
            yield from walk(child, child_shape, joined(path, name), copies * getattr(layer, "copies", 1))


def joined(path: str, name: str) -> str:
    """A path and a name inside."""
    return f"{path}/{name}" if path else name


def leaf_path(keys: tuple[jax.tree_util.DictKey, ...]) -> str:
    """The path of a leaf of a nested dict, `encoder/2/weight`, from what `jax.tree_util` calls it."""
    return "/".join(step.key for step in keys)


def paths(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of a nested dict with their paths."""
    for name in sorted(tree):
        path = joined(prefix, name)
        if isinstance(tree[name], Mapping):
            yield from paths(tree[name], path)
        else:
            yield path, tree[name]


def found(tree: Mapping[str, Any], path: str) -> Any:
    """What stands at a path of a nested dict."""
    name, _, rest = path.partition("/")
    return found(tree[name], rest) if path else tree


def changed(tree: Mapping[str, Any], path: str, change: Callable[[Any], Any]) -> Any:
    """A nested dict in which what stands at a path is another, a function of it."""
    name, _, rest = path.partition("/")
    return {**tree, name: changed(tree[name], rest, change)} if path else change(tree)


def ends_in_kernel(layer: Layer, shape: Shape) -> bool:
    """Whether the last layer inside has weights that are multiplied with the signal."""
    *_, last = walk(layer, shape)
    return has_kernels(last.layer, last.shape)


def has_kernels(layer: Layer, shape: Shape) -> bool:
    """Whether there are weights inside that are multiplied with the signal."""
    return any(parameter.role == "kernel" for _, parameter in paths(layer.parameters(shape)))


def has_windows(layer: Layer, shape: Shape) -> bool:
    """Whether there are convolutions inside."""
    return any(len(parameter.shape) > 2 for _, parameter in paths(layer.parameters(shape)))
