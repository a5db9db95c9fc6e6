"""`propagate`: every signal of a network, and every gradient, before any data."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike

from . import rules as rules
from .field import Field, Role, of_array, of_leaf, whole
from .flow import Flow, Row
from .gradient import noise
from .interpret import Stacked, Walk
from .latent import Latent, Part, Source
from .law import Law, constant, normal
from .loss import output_power
from .nudge import Mark, Nudges, marks, nudged
from .signal import Signal

BATCH = 65521
"""Examples in the program that is read: a prime, so that no other axis has this size, and many, since means over the
batch are expectations."""


def propagate(
    function: Callable[[Any, Array], Array],
    params: Any,
    example: ArrayLike | jax.ShapeDtypeStruct,
    *,
    signal: Signal | None = None,
    loss: Any = None,
    output_gradient: float = 1.0,
    backward: bool = True,
) -> Flow:
    r"""Read a program over signals instead of arrays: moments of every signal and gradient, without data.

    Weights count as independent entries with the mean and variance of the arrays given; units of a layer as many. Every
    sum over units is then a new normal number (the central limit theorem), and what operations make of it is computed
    by quadrature: exact in the limit of wide layers, and within a few 1/width for others. Gradients come from the
    program of `jax.vjp`, read in the same way.

    Args:
        function: `function(params, x) -> outputs`, of any JAX library; x has a leading batch axis.
        params: its parameters, a tree of arrays, or of `Entries` where only the law is known.
        example: one example or its shape and dtype, without the batch axis: features, or positions and channels.
        signal: what is known of the input; standard normal by default.
        loss: `losses.softmax_cross_entropy` or `losses.mse`: gradients are those of one example's loss.
        output_gradient: without a loss, the mean square of its derivative by one output.
        backward: whether gradients are wanted; without them it is faster.

    Raises `UnknownPrimitive` for operations that have no rule, and `ArgumentError` for a loss that is not known.

    Source: Poole et al. (2016) and Schoenholz et al. (2017) for the theory; the reading of programs is capas' own.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import capas
        >>> def network(weights, x):
        ...     for w in weights:
        ...         x = jax.nn.relu(x @ w)
        ...     return x
        >>> weights = [jax.random.normal(jax.random.key(i), (500, 500)) * (2 / 500) ** 0.5 for i in range(3)]
        >>> flow = capas.propagate(network, weights, jnp.zeros(500))
        >>> last = flow.rows[-1]
        >>> print(round(last.second, 1), round(last.cross / last.second, 1))
        1.0 0.6
    """
    spec = jax.ShapeDtypeStruct((BATCH, *jnp.shape(example)), jnp.result_type(example))
    leaves = [of_leaf(leaf) for leaf in jax.tree.leaves(params)]
    shapes = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), params)
    signal = signal or Signal.standard()
    x = _input(signal, spec.shape)
    program = jax.make_jaxpr(function)(shapes, spec)
    marked = marks(program.jaxpr, BATCH)
    reading = _Reading(program, marked, [*leaves, x])
    power, gradients = reading.run(params, backward, lambda out: _output_power(loss, out, output_gradient))
    rows = [row for row in _rows(marked, reading, power) if row is not None]

    def again(other: Signal) -> Flow:
        options = {"loss": loss, "output_gradient": output_gradient, "backward": backward}
        return propagate(function, params, example, signal=other, **options)

    return Flow(tuple(rows), gradients, signal, again)


def _output_power(loss: Any, out: Field, given: float) -> float:
    if loss is None:
        return given
    mean = out.moment("mean")
    return output_power(loss, math.prod(out.shape[1:]), mean, out.moment("second") - mean**2)


def _constants(program: Any) -> list[Any]:
    """Arrays that a function closes over: parameters, if they hold real numbers."""
    return [of_array(np.asarray(c)) if _is_parameter(c) else np.asarray(c) if _plain(c) else c for c in program.consts]


def _plain(value: Any) -> bool:
    return not (hasattr(value, "dtype") and jax.dtypes.issubdtype(value.dtype, jax.dtypes.extended))


def _is_parameter(value: Any) -> bool:
    return _plain(value) and np.size(value) > 1 and jnp.issubdtype(np.asarray(value).dtype, jnp.floating)


def _input(signal: Signal, shape: tuple[int, ...]) -> Field:
    """Entries that are independent of each other, alike in all positions."""
    variance = signal.second - signal.mean**2
    shared = min(max(signal.cross - signal.mean**2, 0.0), variance)
    powers = {True: shared, False: variance - shared}
    parts = [Part(Source(s), np.full((1, 1), (power / variance) ** 0.5)) for s, power in powers.items() if power > 0]
    if not parts:
        return whole(constant(signal.mean), shape, _roles(shape))
    law = Law(np.full((1, 1), signal.mean), {normal(Latent(tuple(parts))): np.full((1, 1), variance**0.5)})
    return whole(law, shape, _roles(shape))


def _roles(shape: tuple[int, ...]) -> tuple[Role, ...]:
    """Examples, then positions, then features."""
    middle: tuple[Role, ...] = tuple("position" for _ in shape[1:-1])
    return ("batch", *middle, "feature") if len(shape) > 1 else ("batch",)


class _Reading:
    """One walk over a program in which every signal is marked, forward and backward."""

    def __init__(self, program: Any, marked: Nudges, inputs: Sequence[Field]) -> None:
        self.program, self.marked, self.inputs, self.walk = program, marked, inputs, Walk()
        self.places, self.structure = jax.tree.flatten(marked)
        self.gradients: list[Any] = [None] * len(self.places)

    def run(
        self, params: Any, backward: bool, power_of_output: Callable[[Field], float]
    ) -> tuple[float, dict[str, float]]:
        """Walk; the power of the gradient at an output, and by parameter those of one example's gradients."""
        traced, outputs = self._traced(backward)
        zeros = [_marked(i, mark) for i, mark in enumerate(self.places)]
        cotangents = [whole(noise(1.0), s.shape, _roles(s.shape)) for s in outputs] if backward else []
        found = self.walk.run(traced.jaxpr, _constants(traced), [*self.inputs, *zeros, *cotangents])
        power = power_of_output(found[0])
        if not backward:
            return power, {}
        count = len(self.inputs) - 1
        arriving = found[len(outputs) :]
        self.gradients = arriving[count:]
        paths = [path for path, _ in jax.tree.leaves_with_path(params)]
        names = [jax.tree_util.keystr(path, simple=True, separator="/") for path in paths]
        own = zip(names, arriving[:count], strict=True)
        return power, {name: power * power_of(value) / BATCH for name, value in own}

    def _traced(self, backward: bool) -> tuple[Any, list[jax.ShapeDtypeStruct]]:
        jaxpr = self.program.jaxpr
        flat, outputs = (
            [jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype) for v in ends] for ends in (jaxpr.invars, jaxpr.outvars)
        )
        shapes = jax.tree.map(lambda mark: mark.zero, self.marked)

        def forward(flat: list[Array], zeros: Any) -> list[Array]:
            return nudged(jaxpr, self.program.consts, flat, zeros)

        def both(flat: list[Array], zeros: Any, cotangents: list[Array]) -> Any:
            out, back = jax.vjp(lambda leaves, zeros: forward([*leaves, flat[-1]], zeros), flat[:-1], zeros)
            return out, back(cotangents)

        if backward:
            return jax.make_jaxpr(both)(flat, shapes, outputs), outputs
        return jax.make_jaxpr(forward)(flat, shapes), outputs


def _marked(number: int, mark: Mark) -> Field:
    """A zero that marks a signal."""
    zero = mark.zero
    return replace(whole(constant(0.0), zero.shape, ["one"] * len(zero.shape)), mark=number)


def _rows(marked: Nudges, reading: _Reading, power: float) -> Iterator[Row | None]:
    """A row for every signal that depends on the example, in the order of the program."""
    numbers = jax.tree.unflatten(reading.structure, range(len(reading.places)))
    yield from _rows_of(marked, numbers, reading, power, ())


def _rows_of(marked: Any, numbers: Any, reading: _Reading, power: float, turns: tuple[int, ...]) -> Iterator[Row | None]:
    for place, mark in marked.items():
        if isinstance(mark, Mark):
            yield _row(mark, numbers[place], reading, power, turns)
            continue
        lengths = jax.tree.leaves(mark)[0].lengths
        loops = range(lengths[len(turns)]) if len(lengths) > len(turns) else [None]
        for turn in loops:
            yield from _rows_of(mark, numbers[place], reading, power, turns if turn is None else (*turns, turn))


def _row(mark: Mark, number: int, reading: _Reading, power: float, turns: tuple[int, ...]) -> Row | None:
    field = reading.walk.signals.get((number, turns))
    if not isinstance(field, Field) or "batch" not in field.roles:
        return None
    value = reading.gradients[number]
    for turn in turns:
        value = value.steps[turn] if isinstance(value, Stacked) else value
    gradient = None if value is None else power * power_of(value)
    moments = (field.moment(name) for name in ("mean", "second", "cross"))
    return Row(mark.path.format(*turns), mark.operation, mark.shape[1:], *moments, gradient, field)


def power_of(value: Any) -> float:
    """Mean square of a gradient, or of what a loop gave, averaged over its steps."""
    if isinstance(value, Stacked):
        return float(np.mean([power_of(step) for step in value.steps]))
    if isinstance(value, Field):
        return value.moment("second")
    return float(np.square(np.asarray(value, np.float64)).mean())
