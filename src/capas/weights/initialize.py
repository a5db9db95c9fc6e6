"""Weights for a whole network: which scheme each kernel gets, and the arrays."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fnmatch import fnmatchcase

import jax
from jaxtyping import PRNGKeyArray

from ..errors import ArgumentError
from ..nn import Layer, Parameter
from ..nn.layer import Shape, Tree, draw, lecun, materialize, paths
from .feed import Functions, feeds
from .gain import chain_gain
from .schemes import Scheme
from .structured import Orthogonal, block_shape

Choice = Scheme | str
"""A scheme, or "auto"."""


def initialize(
    network: Layer, key: PRNGKeyArray, shape: Shape, scheme: Choice | Mapping[str, Choice] = "auto"
) -> tuple[Tree, Tree]:
    r"""Parameters and state of a network for examples of `shape`.

    "auto" gives every kernel an `Orthogonal` matrix, scaled so that its entries have variance
    $\mathrm{gain}^2/\mathrm{fan_{in}}$, with the exact `gain` of the activations between it and the kernel before it:
    whatever the activation, the output of every combination layer has second moment 1. The input, and what comes out
    of a normalization, a skip or a sum of branches, counts as standard; pooling, dropout and reshaping are taken to
    change nothing; the kernels of a `Repeat` are scaled for what one copy gives to the next.

    Args:
        network: the description.
        key: of `jax.random`.
        shape: of one example.
        scheme: "auto", a scheme for all kernels, or a mapping from patterns of paths to either; the first pattern that
            matches a kernel's path counts, and what none matches is "auto".

    Raises `ArgumentError` for a scheme that is none, and for a pattern that matches no kernel.

    Example:
        >>> import jax
        >>> from capas import nn, weights
        >>> net = nn.Sequential(body=nn.Dense(64), act="relu", head=nn.Dense(10))
        >>> params, _ = weights.initialize(net, jax.random.key(0), (64,), {"head/*": weights.Zeros()})
        >>> float(abs(params["head"]["weight"]).max()), round(float((params["body"]["weight"] ** 2).sum()), 3)
        (0.0, 64.0)
    """
    network.output_shape(shape)
    declared = network.parameters(shape)
    chosen = schemes(network, shape, scheme)
    leaves, treedef = jax.tree_util.tree_flatten_with_path(declared)
    keys = jax.random.split(key, max(len(leaves), 1))
    arrays = [
        draw(parameter, k, chosen["/".join(step.key for step in path)].sample if parameter.role == "kernel" else lecun)
        for k, (path, parameter) in zip(keys, leaves, strict=False)
    ]
    return jax.tree.unflatten(treedef, arrays), materialize(network.statistics(shape), key, lecun)


def schemes(network: Layer, shape: Shape, scheme: Choice | Mapping[str, Choice]) -> dict[str, Scheme]:
    """The scheme of every kernel, by its path.

    Example:
        >>> from capas import nn, weights
        >>> from capas.weights.initialize import schemes
        >>> schemes(nn.Sequential(nn.Dense(8), "abs", nn.Dense(8)), (8,), "auto")
        {'0/weight': Orthogonal(gain=1.0), '2/weight': Orthogonal(gain=1.0)}
    """
    rules = scheme if isinstance(scheme, Mapping) else {"*": scheme}
    for choice in rules.values():
        _require_scheme(choice)
    kernels = {path: p for path, p in paths(network.parameters(shape)) if p.role == "kernel"}
    if isinstance(scheme, Mapping):
        _require_matches(scheme, list(kernels))
    before = feeds(network, shape)
    return {path: _one(_choice(rules, path), kernel, before[path]) for path, kernel in kernels.items()}


def _choice(rules: Mapping[str, Choice], path: str) -> Choice:
    return next((choice for pattern, choice in rules.items() if fnmatchcase(path, pattern)), "auto")


def _one(choice: Choice, kernel: Parameter, before: Functions) -> Scheme:
    if isinstance(choice, Scheme):
        return choice
    taps = math.prod(kernel.shape[:-2])
    return Orthogonal(chain_gain(before) * math.sqrt(max(block_shape(kernel, taps)) / kernel.fan_in))


def _require_scheme(choice: object) -> None:
    if isinstance(choice, Scheme) or choice == "auto":
        return
    raise ArgumentError(
        "scheme",
        expected='"auto", a scheme out of capas.weights, or a mapping from patterns of paths to these',
        got=repr(choice),
        remedy=f"Write weights.{choice.__name__}(...)."
        if isinstance(choice, type)
        else "Write, for example, weights.He().",
    )


def _require_matches(rules: Mapping[str, Choice], kernels: list[str]) -> None:
    for pattern in rules:
        if not any(fnmatchcase(path, pattern) for path in kernels):
            raise ArgumentError(
                "scheme",
                expected="patterns that match the path of a kernel",
                got=repr(pattern),
                remedy=f"The kernels are {', '.join(kernels)}; '*' stands for anything.",
            )
