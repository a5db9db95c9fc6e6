"""`propagate`: every signal of a network, and every gradient, before any data."""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike

from ..nn.plain import plainly
from . import rules as rules
from .alike import Entangled
from .atom import normal
from .backward import Backward, power_of
from .field import Field, Role, whole
from .flow import Flow, Row
from .gradient import noise
from .interpret import Tape, Walk
from .law import Law, constant
from .loss import output_power
from .normal import scaled_latent
from .parameter import of_array, of_leaf
from .rules.control import turns
from .signal import Signal, given
from .source import Part, Source

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
    asked = (function, params, example, given(signal), loss, output_gradient, backward)
    with _uncollected():
        try:
            return _propagate(Walk(), *asked)
        except Entangled:
            return _propagate(Walk(shares=False), *asked)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the garbage collector: it would look through all laws again and again, a third of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _propagate(
    walk: Walk,
    function: Any,
    params: Any,
    example: Any,
    signal: Signal,
    loss: Any,
    output_gradient: float,
    backward: bool,
) -> Flow:
    leaves = [of_leaf(leaf) for leaf in jax.tree.leaves(params)]
    program = traced(function, params, example)
    (out, *_) = read(walk, program, leaves, signal)
    assert walk.tape is not None
    power, gradients = _output_power(loss, out, output_gradient), {}
    if backward:
        names = [
            jax.tree_util.keystr(path, simple=True, separator="/") for path, _ in jax.tree.leaves_with_path(params)
        ]
        arriving = [whole(noise(power), v.aval.shape, _roles(v.aval.shape)) for v in program.jaxpr.outvars]
        found = Backward(walk).run(walk.tape, arriving)
        gradients = {name: power_of(value) / BATCH for name, value in zip(names, found[:-1], strict=True)}

    def again(other: Signal) -> Flow:
        options = {"loss": loss, "output_gradient": output_gradient, "backward": backward}
        return propagate(function, params, example, signal=other, **options)

    return Flow(tuple(_rows(walk.tape, "", backward)), gradients, signal, again)


def traced(function: Callable[[Any, Array], Array], params: Any, example: Any) -> Any:
    """The program of a function on a batch of examples."""
    spec = jax.ShapeDtypeStruct((BATCH, *jnp.shape(example)), jnp.result_type(example))
    shapes = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), params)
    with plainly():
        return jax.make_jaxpr(function)(shapes, spec)


def read(walk: Walk, program: Any, leaves: Sequence[Any], signal: Signal) -> list[Any]:
    """Walk over a program whose last input is the signal; its outputs."""
    x = _input(signal, program.jaxpr.invars[-1].aval.shape)
    return walk.run(program.jaxpr, _constants(program), [*leaves, x])


def _output_power(loss: Any, out: Field, given: float) -> float:
    if loss is None:
        return given
    mean = out.moment("mean")
    return output_power(loss, math.prod(out.shape[1:]), mean, out.moment("second") - mean**2)


def _constants(program: Any) -> list[Any]:
    """Arrays that a function closes over: parameters, if they hold real numbers."""
    return [of_array(np.asarray(c)) if _is_parameter(c) else np.asarray(c) if _plain(c) else c for c in program.consts]


def _plain(value: Any) -> bool:
    return not (hasattr(value, "dtype") and jnp.issubdtype(value.dtype, jax.dtypes.extended))


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
    latent = scaled_latent(tuple(parts), np.array([signal.mean]), np.array([variance**0.5]))
    law = Law(np.full((1, 1), signal.mean), {normal(latent): np.full((1, 1), variance**0.5)})
    return whole(law, shape, _roles(shape))


def _roles(shape: tuple[int, ...]) -> tuple[Role, ...]:
    """Examples, then positions, then features."""
    middle: tuple[Role, ...] = tuple("position" for _ in shape[1:-1])
    return ("batch", *middle, "feature") if len(shape) > 1 else ("batch",)


def _rows(tape: Tape, path: str, backward: bool) -> Iterator[Row]:
    """A row for every signal that depends on the example, in the order of the program."""
    for place, equation in enumerate(tape.jaxpr.eqns):
        here = _joined(path, str(equation.source_info.name_stack))
        if equation.primitive.name == "scan":
            steps = sorted(zip(turns(equation), tape.inner.get(place, ()), strict=True))
            for turn, inner in steps:
                yield from _rows(inner, _joined(here, str(turn)), backward)
        elif place in tape.inner:
            for inner in tape.inner[place]:
                yield from _rows(inner, here, backward)
        elif (row := _row(tape, equation, here, backward)) is not None:
            yield row


def _joined(path: str, name: str) -> str:
    return f"{path}/{name}" if path and name else path or name


def _row(tape: Tape, equation: Any, path: str, backward: bool) -> Row | None:
    variable = equation.outvars[0]
    field, aval = tape.known[variable], variable.aval
    is_signal = aval.shape[:1] == (BATCH,) and jnp.issubdtype(aval.dtype, jnp.floating)
    if not is_signal or not isinstance(field, Field) or "batch" not in field.roles:
        return None
    gradient = power_of(tape.gradients.get(variable)) * tape.factor**2 if backward else None
    mean, second, cross = (field.moment(name) for name in ("mean", "second", "cross"))
    return Row(path, equation.primitive.name, field.shape[1:], mean, second, cross, gradient, field)
