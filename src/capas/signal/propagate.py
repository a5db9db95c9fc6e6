"""`propagate`: every signal of a network, and every gradient, before any data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike

from . import rules as rules
from .field import Field, Role, of_array, of_leaf, whole
from .flow import Flow, Row
from .gradient import noise
from .interpret import Address, Stacked, Step, Walk
from .latent import Latent, Part, Source
from .law import Law, constant, normal
from .nudge import is_signal, nudged, nudges
from .rules.control import program
from .share import dead_share, saturated_share
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
    output_gradient: float = 1.0,
) -> Flow:
    r"""Read a program over signals instead of arrays: moments of every signal and gradient, without data.

    Weights count as independent entries with the mean and variance of the arrays given; units of a layer as many. Every
    sum over units is then a new normal number (the central limit theorem), and what operations make of it is computed
    by quadrature: exact in the limit of wide layers, and within a few 1/width for others. Gradients come from the
    program of `jax.vjp`, read in the same way.

    Args:
        function: `function(params, x) -> outputs`, of any JAX library; x has a leading batch axis.
        params: its parameters, a tree of arrays.
        example: one example or its shape and dtype, without the batch axis: features, or positions and channels.
        signal: what is known of the input; standard normal by default.
        output_gradient: mean square of the loss's gradient with respect to one output.

    Raises `UnknownPrimitive` for operations that have no rule.

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
    x = _input(signal or Signal.standard(), spec.shape)
    program = jax.make_jaxpr(function)(shapes, spec)
    walk = Walk()
    walk.run(program.jaxpr, _constants(program), [*leaves, x])
    gradients, powers = _backward(program, params, spec, [*leaves, x], output_gradient)
    kept = [step for step in walk.steps if _is_kept(step)]
    return Flow(tuple(_row(step, gradients) for step in kept), powers)


def _is_kept(step: Step) -> bool:
    """Whether it gave a signal: real numbers that depend on the example."""
    field = step.outputs[0]
    return is_signal(step.equation.outvars[0].aval, BATCH) and isinstance(field, Field) and "batch" in field.roles


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


def _backward(
    program: Any, params: Any, spec: Any, inputs: Sequence[Field], power: float
) -> tuple[Callable[[Step], float | None], dict[str, float]]:
    """Gradients by step, and by path of the parameter."""
    shapes = nudges(program.jaxpr, BATCH)
    flat = [jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype) for v in program.jaxpr.invars]
    outputs = [jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype) for v in program.jaxpr.outvars]

    def back(flat: list[Array], zeros: Any, cotangents: list[Array]) -> Any:
        def run(leaves: list[Array], zeros: Any) -> list[Array]:
            return nudged(program.jaxpr, program.consts, [*leaves, flat[-1]], zeros)

        return jax.vjp(run, flat[:-1], zeros)[1](cotangents)

    traced = jax.make_jaxpr(back)(flat, shapes, outputs)
    zeros = [whole(constant(0.0), s.shape, ["one"] * len(s.shape)) for s in jax.tree.leaves(shapes)]
    cotangents = [whole(noise(power), s.shape, _roles(s.shape)) for s in outputs]
    found = Walk().run(traced.jaxpr, _constants(traced), [*inputs, *zeros, *cotangents])
    count = len(flat) - 1
    tree = jax.tree.unflatten(jax.tree.structure(shapes), found[count:])
    places = _places(program.jaxpr, tree)
    names = [jax.tree_util.keystr(path, simple=True, separator="/") for path, _ in jax.tree.leaves_with_path(params)]
    powers = {name: power_of(value) / BATCH for name, value in zip(names, found[:count], strict=True)}

    def gradient(step: Step) -> float | None:
        known = (places.get(address) for address in (step.address, *step.results))
        value = next((found for found in known if found is not None), None)
        for turn in step.turns:
            value = value.steps[turn] if isinstance(value, Stacked) else value
        return None if value is None else power_of(value)

    return gradient, powers


def _places(jaxpr: Any, tree: Any, calls: Address = ()) -> dict[Address, Any]:
    """By address, what was found for an operation."""
    found: dict[Address, Any] = {}
    for place, value in tree.items():
        equation = jaxpr.eqns[place]
        address = (*calls, id(equation))
        if isinstance(value, dict):
            found.update(_places(program(equation)[0], value, address))
        else:
            found[address] = value
    return found


def power_of(value: Any) -> float:
    """Mean square of a gradient, or of what a loop gave, averaged over its steps."""
    if isinstance(value, Stacked):
        return float(np.mean([power_of(step) for step in value.steps]))
    if isinstance(value, Field):
        return value.moment("second")
    return float(np.square(np.asarray(value, np.float64)).mean())


def _row(step: Step, gradient: Callable[[Step], float | None]) -> Row:
    field = step.outputs[0]
    mean, second, cross = (field.moment(name) for name in ("mean", "second", "cross"))
    dead, saturated = dead_share(field), saturated_share(field)
    name, shape = step.equation.primitive.name, field.shape[1:]
    return Row(step.path, name, shape, mean, second, cross, gradient(step), dead, saturated)


