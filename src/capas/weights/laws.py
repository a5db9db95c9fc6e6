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


def laws(network: Layer, input_shape: Shape, scheme: Choice | Mapping[str, Choice] = "auto") -> Tree:
    """The law of every parameter, in a tree of the form of the parameters: what `propagate` needs of them.

    Args:
        network: the description.
        input_shape: of one example.
        scheme: as in `initialize`.

    Example:
        >>> from capas import nn, weights
        >>> law = weights.laws(nn.Dense(4), (16,), weights.LeCun())["weight"]
        >>> law.shape, law.mean, law.std
        ((16, 4), 0.0, 0.25)
    """
    chosen = choices(network, input_shape, scheme)

    def entries(path: tuple[jax.tree_util.DictKey, ...], parameter: Parameter) -> Entries:
        whole, planned = (*parameter.copies, *parameter.shape), chosen.get(leaf_path(path))
        if planned is None or parameter.role != "kernel":
            return Entries(whole, started(parameter, planned).start)
        law = planned.scheme.law(parameter)
        return Entries(
            whole,
            law.mean,
            law.variance**0.5,
            mirrored=_behind_copies(law.mirrored, parameter),
            centred=_behind_copies(law.centred, parameter),
            orthogonal=_keeps_norms(parameter, law),
            delta=law.structure == "delta_orthogonal",
        )

    tree: Tree = jax.tree_util.tree_map_with_path(entries, network.parameters(input_shape))
    return tree


def _behind_copies(axes: tuple[tuple[int, int], ...], parameter: Parameter) -> tuple[tuple[int, int], ...]:
    return tuple((axis + len(parameter.copies), size) for axis, size in axes)


def _keeps_norms(parameter: Parameter, law: Law) -> bool:
    """Whether a kernel is an orthogonal matrix with no fewer outputs than inputs, at one position."""
    rows, columns = parameter.shape[-2:]
    halved, fewer = ({axis for axis, _ in sides} for sides in (law.mirrored, law.centred))
    rank, is_dense = len(parameter.shape), len(parameter.shape) == 2
    sizes = (rows, rank - 2), (columns, rank - 1)
    rows, columns = (n // (1 + (axis in halved)) - (axis in fewer) for n, axis in sizes)
    return columns >= rows and (law.structure == "delta_orthogonal" or (is_dense and law.structure == "orthogonal"))
