"""Weights for a whole network: which scheme each kernel gets, and the arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fnmatch import fnmatchcase

import jax
from jaxtyping import Array, PRNGKeyArray

from ..errors import ArgumentError
from ..nn import Layer, Parameter
from ..nn.parameter import Shape, Tree, draw, lecun, materialize, split
from ..nn.walk import leaf_path, paths
from .data import InputData
from .fold import standardize
from .plan import Planned, plan
from .schemes import Scheme

Choice = Scheme | str
"""A scheme, or "auto"."""


def initialize(
    network: Layer,
    key: PRNGKeyArray,
    input_shape: Shape,
    scheme: Choice | Mapping[str, Choice] = "auto",
) -> tuple[Tree, Tree]:
    r"""Parameters and state of a network for examples of `input_shape`.

    "auto" reads the network first, see `plan`: every kernel is `Orthogonal`, or `DeltaOrthogonal` in deep stacks of
    convolutions; `Mirrored`, where activations are not odd, units can be pairs, and these allow four times the
    variance, but not where a line bears what grows without them, ten at most, at a larger variance; `Centred`, where
    activations are odd but for a constant, as sigmoid is; and scaled exactly for what the activations in front leave,
    so that every combination layer gives the variance q of the network, or of the branch that it stands in; in front of
    a normalization 1. q is the largest up to 1 at which gradients, and deviations of the variance, grow by 1.5 at most
    over all of it. What the last kernel writes, if it is the output, starts with variance 0.1: it is noise, which few
    examples would not outweigh. Branches that are added to a signal are scaled so that all of them together make it
    half as large again; parts of a sum so that the sum has the variance of one. Normalizations start with the scale
    that gives what is behind them the variance q, those that end a branch with 1. The input counts as standard, dropout
    as in training, and pooling is taken to change nothing.

    Args:
        network: the description.
        key: of `jax.random`.
        input_shape: of one example.
        scheme: "auto", a scheme for all kernels, or a mapping from patterns of paths to either; the first pattern that
            matches a kernel's path counts, and what none matches is "auto".

    Raises `ArgumentError` for a scheme that is none, and for a pattern that decides for no kernel.

    Example:
        >>> import jax
        >>> from capas import nn, weights
        >>> net = nn.Sequential(body=nn.Dense(64), act="relu", head=nn.Dense(10))
        >>> params, _ = weights.initialize(net, jax.random.key(0), (64,), {"head/*": weights.Zeros()})
        >>> float(abs(params["head"]["weight"]).max()), round(float((params["body"]["weight"] ** 2).sum()), 3)
        (0.0, 64.0)
    """
    params, state, _ = drawn(network, key, input_shape, scheme)
    return params, state


def drawn(
    network: Layer,
    key: PRNGKeyArray,
    shape: Shape,
    scheme: Choice | Mapping[str, Choice] = "auto",
    *,
    data: InputData | None = None,
    standardized: bool = False,
) -> tuple[Tree, Tree, dict[str, Planned]]:
    """The same as `initialize`, and what was chosen for every kernel, by its path.

    With data their power counts instead of that of standard numbers; or they are standardized, and that is folded into
    the first layers.
    """
    chosen = choices(network, shape, scheme, None if standardized else data)
    leaves, treedef = jax.tree_util.tree_flatten_with_path(network.parameters(shape))
    keys = split(key, len(leaves))
    arrays = [_drawn(p, k, chosen.get(leaf_path(path))) for k, (path, p) in zip(keys, leaves, strict=True)]
    params = jax.tree.unflatten(treedef, arrays)
    if data is not None and standardized:
        params = standardize(network, shape, params, data)
    return params, materialize(network.statistics(shape), key, lecun), chosen


def _drawn(parameter: Parameter, key: PRNGKeyArray, planned: Planned | None) -> Array:
    return draw(started(parameter, planned), key, lecun if planned is None else planned.scheme.sample)


def started(parameter: Parameter, planned: Planned | None) -> Parameter:
    """A declaration with the start that is planned for it; kernels are drawn instead."""
    if planned is None or parameter.role == "kernel":
        return parameter
    return replace(parameter, start=planned.scheme.law(parameter).mean)


def choices(
    network: Layer, shape: Shape, scheme: Choice | Mapping[str, Choice], data: InputData | None = None
) -> dict[str, Planned]:
    """What was chosen for every kernel, by its path, and why.

    Example:
        >>> from capas import nn, weights
        >>> from capas.weights.initialize import choices
        >>> net = nn.Sequential(nn.Dense(8), "relu", nn.Dense(8), "relu", nn.Dense(2))
        >>> for path, chosen in choices(net, (8,), {"0/*": weights.He(), "*": "auto"}).items():
        ...     print(path, chosen.why)
        0/weight He(slope=0.0, mode='fan_in', distribution='normal')
        2/weight mirrored orthogonal, writes pairs; no pairs: a scheme that was given
        4/weight mirrored orthogonal, reads pairs
    """
    network.output_shape(shape)
    rules = scheme if isinstance(scheme, Mapping) else {"*": scheme}
    for choice in rules.values():
        _require_scheme(choice)
    kernels = {path: p for path, p in paths(network.parameters(shape)) if p.role == "kernel"}
    if isinstance(scheme, Mapping):
        _require_matches(scheme, list(kernels))
    chosen = {path: _choice(rules, path) for path in kernels}
    given = {path: Planned(choice, 1.0, repr(choice)) for path, choice in chosen.items() if isinstance(choice, Scheme)}
    planned = plan(network, shape, given, None if data is None else data.power) if len(given) < len(kernels) else {}
    others = [path for path in planned if path not in kernels]
    return {path: (planned | given)[path] for path in (*kernels, *others)}


def _choice(rules: Mapping[str, Choice], path: str) -> Choice:
    rule = _rule(rules, path)
    return "auto" if rule is None else rules[rule]


def _rule(rules: Mapping[str, Choice], path: str) -> str | None:
    """The pattern that decides for a kernel."""
    return next((pattern for pattern in rules if fnmatchcase(path, pattern)), None)


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
    deciding = {_rule(rules, path) for path in kernels}
    for pattern in rules:
        if pattern in deciding:
            continue
        expected, got = "patterns that decide for some kernel", f"{pattern!r} behind others"
        remedy = "The first that matches counts; put it in front."
        if not any(fnmatchcase(path, pattern) for path in kernels):
            expected, got = "patterns that match the path of a kernel", repr(pattern)
            remedy = f"The kernels are {', '.join(kernels)}; '*' stands for anything."
        raise ArgumentError("scheme", expected=expected, got=got, remedy=remedy)
