"""What is known of all parameters of a network before any is drawn."""

from __future__ import annotations

from collections.abc import Mapping

import jax

from ..nn import Layer, Parameter
from ..nn.layer import Shape, Tree
from ..signal import Entries
from .initialize import Choice, schemes


def laws(network: Layer, shape: Shape, scheme: Choice | Mapping[str, Choice] = "auto") -> Tree:
    """The law of every parameter, in a tree of the form of the parameters: what `propagate` needs of them.

    Args:
        network: the description.
        shape: of one example.
        scheme: as in `initialize`.

    Example:
        >>> from capas import nn, weights
        >>> weights.laws(nn.Dense(4), (16,), weights.LeCun())["weight"]
        Entries(shape=(16, 4), mean=0.0, std=0.25, delta=False, dtype='float32')
    """
    chosen = schemes(network, shape, scheme)

    def entries(path: tuple[jax.tree_util.DictKey, ...], parameter: Parameter) -> Entries:
        whole = (*parameter.copies, *parameter.shape)
        if parameter.role != "kernel":
            return Entries(whole, parameter.start)
        law = chosen["/".join(step.key for step in path)].law(parameter)
        return Entries(whole, law.mean, law.variance**0.5, delta=law.structure == "delta_orthogonal")

    tree: Tree = jax.tree_util.tree_map_with_path(entries, network.parameters(shape))
    return tree
