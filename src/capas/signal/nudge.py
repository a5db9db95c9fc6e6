"""A program with a zero added to every signal: the gradient with respect to it is the signal's gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend import core

from .rules.control import loop_counts, program

INLINE = ("jit", "pjit", "closed_call", "core_call", "remat", "checkpoint", "remat2")
CUSTOM = ("custom_jvp_call", "custom_vjp_call", "custom_vjp_call_jaxpr")

Nudges = dict[int, Any]
"""By the place of an operation in its program: a zero, or those of the program that it calls."""


def nudges(jaxpr: Any, batch: int, lead: tuple[int, ...] = ()) -> Nudges:
    """Shapes of the zeros for a program: one for every signal, stacked where it stands in a loop."""
    found: Nudges = {}
    for place, equation in enumerate(jaxpr.eqns):
        name = equation.primitive.name
        more = (equation.params["length"],) if name == "scan" else ()
        inner = nudges(program(equation)[0], batch, (*lead, *more)) if name in (*INLINE, *CUSTOM, "scan") else {}
        aval = equation.outvars[0].aval
        if inner and (name not in CUSTOM or len(jax.tree.leaves(inner)) > 1):
            found[place] = inner
        elif name not in (*INLINE, "scan") and is_signal(aval, batch):
            found[place] = jax.ShapeDtypeStruct((*lead, *aval.shape), aval.dtype)
    return found


def is_signal(aval: Any, batch: int) -> bool:
    """Whether it holds real numbers for every example."""
    return aval.shape[:1] == (batch,) and jnp.issubdtype(aval.dtype, jnp.floating)


def nudged(jaxpr: Any, constants: Sequence[Any], inputs: Sequence[Any], zeros: Nudges) -> list[Any]:
    """Run the program with the zeros added."""
    known: dict[Any, Any] = dict(zip(jaxpr.constvars, constants, strict=True))
    known.update(zip(jaxpr.invars, inputs, strict=True))
    for place, equation in enumerate(jaxpr.eqns):
        values = [v.val if isinstance(v, core.Literal) else known[v] for v in equation.invars]
        outputs = _run(equation, values, zeros.get(place))
        known.update(zip(equation.outvars, outputs, strict=True))
    return [v.val if isinstance(v, core.Literal) else known[v] for v in jaxpr.outvars]


def _run(equation: Any, values: list[Any], zero: Any) -> Sequence[Any]:
    if equation.primitive.name == "scan" and zero:
        return _loop(equation, values, zero)
    if equation.primitive.name in INLINE:
        inner, constants = program(equation)
        return nudged(inner, constants, values, zero or {})
    if isinstance(zero, dict):
        return _with_inside(equation, values, zero)
    outputs = _bind(equation, values)
    return outputs if zero is None else [outputs[0] + zero, *outputs[1:]]


def _bind(equation: Any, values: list[Any]) -> list[Any]:
    bound = equation.primitive.get_bind_params(equation.params)
    functions, params = bound if isinstance(bound, tuple) else ((), bound)
    out = equation.primitive.bind(*functions, *values, **params)
    return list(out) if equation.primitive.multiple_results else [out]


def _with_inside(equation: Any, values: list[Any], zeros: Nudges) -> list[Any]:
    """A function with a derivative of its own: that is what its inputs get; signals inside get that of what they do."""
    inner, constants = program(equation)
    inside = nudged(inner, constants, [jax.lax.stop_gradient(v) for v in values], zeros)
    return [_graft(o, i) for o, i in zip(_bind(equation, values), inside, strict=True)]


@jax.custom_vjp
def _graft(outside: jax.Array, inside: jax.Array) -> jax.Array:
    """Two computations of the same array as one, each of which gets the whole gradient."""
    return outside


_graft.defvjp(lambda outside, inside: (outside, None), lambda _, slope: (slope, slope))


def _loop(equation: Any, values: list[Any], zeros: Nudges) -> list[Any]:
    fixed, carried = loop_counts(equation)
    params, inner = equation.params, equation.params["jaxpr"]
    constants, carry, sliced = values[:fixed], values[fixed : fixed + carried], values[fixed + carried :]

    def body(carry: list[Any], step: tuple[list[Any], Nudges]) -> tuple[list[Any], list[Any]]:
        out = nudged(inner.jaxpr, inner.consts, [*constants, *carry, *step[0]], step[1])
        return out[:carried], out[carried:]

    last, stacked = jax.lax.scan(body, carry, (sliced, zeros), length=params["length"], reverse=params["reverse"])
    return [*last, *stacked]
