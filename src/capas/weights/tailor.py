"""Activations made to fit the network that they stand in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace

from ..errors import ArgumentError, located
from ..nn import Layer, Parallel, Repeat, Residual, Sequential, Shaped, require
from ..nn.parameter import Shape
from ..nn.walk import joined, walk
from .functions import plain
from .operating import BUDGET
from .reader import read_kernels
from .shaping import shape as shape_of
from .streams import Kernel

ALLOWED = BUDGET * (1 - 1e-6)
"""A touch below what the plan accepts, for rounding."""


def tailor(network: Layer, input_shape: Shape) -> Layer:
    r"""The same network with activations that keep signals and gradients through any depth, with orthogonal weights.

    Every elementwise activation $\phi$ between two kernels becomes $a(z) = \gamma\,(\phi(\alpha z + \beta) + \delta)$,
    see `nn.Shaped`, with numbers such that for a standard normal z

    $$E\,a = 0, \qquad E\,a^2 = 1, \qquad Q' = E\,z a a' \le 1, \qquad \chi = E\,a'^2 \le 1.5^{1/N},$$

    where N is the number of such activations, or of kernels that read them, whichever is larger, in the network, or in
    the branch if they stand in one; copies of a `Repeat` in it counted. So gradients grow by 1.5 at most over them. Q'
    is 1 where that goes together with the largest $\chi$; odd activations that flatten stay odd, and they and those
    with a bend between straight lines, such as ReLU, have Q' < 1. None is made to grow gradients by more than it does
    as it is.

    `capas.init` then finds that every signal can have variance 1, and draws plain orthogonal weights. Names, shapes
    and parameters of the network do not change.

    Activations that stay as they are: before a normalization or the output; two in a row; behind what is neither a
    kernel nor a normalization (softmax), or a sum of which a part has gone through an activation since a kernel gave
    it: one after another on the same units they would add up what they bend; in branches that are multiplied; those
    that are not elementwise. Pooling and dropout are taken to change nothing. `nn.PReLU` and `nn.Swish` are tailored
    for where they start, and an `nn.Shaped` that is there already is made anew.

    Args:
        network: the description.
        input_shape: of one example, without the batch axis.

    Returns a description.

    Raises `ArgumentError`, with the path, for an activation that has no such numbers: it jumps, or curves upwards
    everywhere, as squares and exponentials do, which makes any variance unstable.

    Source: Martens et al. (2021), "Deep Kernel Shaping"; Zhang et al. (2022) for leaky ReLU. There the slope of the
    whole network is derived by hand for each architecture; here it is read from the description.

    Example:
        >>> import capas
        >>> from capas import nn
        >>> net = nn.Sequential(nn.Dense(64), nn.Repeat(nn.Sequential("gelu", nn.Dense(64)), 100), nn.Dense(10))
        >>> tailored = capas.tailor(net, (784,))
        >>> shaped = tailored.layers[1][1].block.layers[0][1]
        >>> f"{shaped.alpha:.4f} {shaped.beta:.4f} {shaped.gamma:.4f} {shaped.delta:.4f}"
        '0.0853 0.2583 16.7090 -0.1582'
        >>> _, first, *_, last, _ = capas.propagate(tailored, input_shape=(784,)).layers
        >>> print(f"{first.second:.4f} {last.second:.4f} {first.gradient / last.gradient:.3f}")
        1.0000 1.0000 1.494
    """
    shape = require.network("tailor", network, input_shape)
    kernels = read_kernels(network, shape).values()
    layers = {row.path: row.layer for row in walk(network, shape)}
    fitted = {}
    for place, growth in _growths(kernels).items():
        with located(place):
            fitted[place] = _shaped(layers[place], growth)
    return _rebuilt(network, fitted, "")


def _growths(kernels: Iterable[Kernel]) -> dict[str, float]:
    """How much gradients may grow in every activation that is to be shaped."""
    readers = [kernel for kernel in kernels if kernel.reads.places]
    places = {place.path: place for kernel in readers for place in kernel.reads.places}
    passed: dict[int, float] = defaultdict(float)
    read: dict[int, float] = defaultdict(float)
    for place in places.values():
        passed[id(place.line)] += place.copies
    for kernel in readers:
        read[id(kernel.stretch.line)] += kernel.in_line
    counts = {path: passed[id(place.line)] for path, place in places.items()}
    for kernel in readers:
        for place in kernel.reads.places:
            counts[place.path] = max(counts[place.path], read[id(kernel.stretch.line)])
    return {path: ALLOWED ** (1 / count) for path, count in counts.items()}


def _shaped(layer: Layer, growth: float) -> Shaped:
    activation = layer.activation if isinstance(layer, Shaped) else layer
    found = shape_of(plain(activation), growth)  # type: ignore[arg-type]
    if found is not None:
        return Shaped(activation, *found)
    raise ArgumentError(
        "tailor",
        expected=f"an activation that can keep the variance stable while gradients grow by {growth:.6g} at most",
        got=repr(activation),
        remedy="Use one that does not jump and does not curve upwards everywhere, such as 'gelu' or 'tanh'; or leave "
        "the network as it is: capas.init scales the weights for it.",
    )


def _rebuilt(layer: Layer, fitted: Mapping[str, Layer], path: str) -> Layer:
    """A layer with others at some paths."""
    if path in fitted:
        return fitted[path]

    def inner(name: str, child: Layer) -> Layer:
        return _rebuilt(child, fitted, joined(path, name))

    match layer:
        case Sequential():
            positional, _ = layer.call()
            children = {name: inner(name, child) for name, child in layer.layers}
            return Sequential(*children.values()) if positional or not children else Sequential(**children)
        case Repeat():
            return replace(layer, block=inner("block", layer.block))
        case Residual(block, shortcut):
            skip = None if shortcut is None else inner("shortcut", shortcut)
            return replace(layer, block=inner("block", block), shortcut=skip)
        case Parallel(branches):
            return replace(layer, branches=tuple(inner(str(i), branch) for i, branch in enumerate(branches)))
    return layer
