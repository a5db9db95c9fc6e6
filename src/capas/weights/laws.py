"""What is known of all parameters of a network before any is drawn."""

from __future__ import annotations

from collections.abc import Mapping

import jax

from ..nn import Layer, Parameter
from ..nn.parameter import Shape, Tree
from ..nn.walk import leaf_path
from ..signal import Entries
from .initialize import Choice, choices, started
from .schemes import Law


def laws(network: Layer, shape: Shape, scheme: Choice | Mapping[str, Choice] = "auto") -> Tree:
    """The law of every parameter, in a tree of the form of the parameters: what `propagate` needs of them.

    Args:
        network: the description.
        shape: of one example.
        scheme: as in `initialize`.

    Example:
        >>> from capas import nn, weights
        >>> weights.laws(nn.Dense(4), (16,), weights.LeCun())["weight"]
        Entries(shape=(16, 4), mean=0.0, std=0.25, mirrored=(), orthogonal=False, delta=False, dtype='float32')
    """
    chosen = choices(network, shape, scheme)

    def entries(path: tuple[jax.tree_util.DictKey, ...], parameter: Parameter) -> Entries:
        whole, planned = (*parameter.copies, *parameter.shape), chosen.get(leaf_path(path))
        if planned is None or parameter.role != "kernel":
            return Entries(whole, started(parameter, planned).start)
        law = planned.scheme.law(parameter)
        return Entries(
            whole,
            law.mean,
            law.variance**0.5,
            mirrored=tuple((axis + len(parameter.copies), size) for axis, size in law.mirrored),
            orthogonal=_keeps_norms(parameter, law),
            delta=law.structure == "delta_orthogonal",
        )

    tree: Tree = jax.tree_util.tree_map_with_path(entries, network.parameters(shape))
    return tree


def _keeps_norms(parameter: Parameter, law: Law) -> bool:
    """Whether a kernel is an orthogonal matrix with no fewer outputs than inputs, at one position."""
    rows, columns = parameter.shape[-2:]
    sides = {axis for axis, _ in law.mirrored}
    rank, is_dense = len(parameter.shape), len(parameter.shape) == 2
    rows, columns = rows // (1 + (rank - 2 in sides)), columns // (1 + (rank - 1 in sides))
    return columns >= rows and (law.structure == "delta_orthogonal" or (is_dense and law.structure == "orthogonal"))
