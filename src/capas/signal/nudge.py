"""A program with a zero added to every signal: the gradient with respect to it is the signal's gradient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend import core

from .rules.control import loop_counts, program

INLINE = ("jit", "pjit", "closed_call", "core_call", "remat", "checkpoint", "remat2")
CUSTOM = ("custom_jvp_call", "custom_vjp_call", "custom_vjp_call_jaxpr")

Nudges = dict[int, Any]
"""By the place of an operation in its program: a zero, or those of the program that it calls."""


@dataclass(frozen=True)
class Mark:
    """Where a zero is added.

    Attributes:
        path: the layer; a loop's turn is to be put in where there is a {}.
        operation: the primitive that gives the signal.
        shape: of the signal, without the turns of loops.
        lengths: of the loops around it.
        dtype: of the signal.
    """

    path: str
    operation: str
    shape: tuple[int, ...]
    lengths: tuple[int, ...]
    dtype: Any

    @property
    def zero(self) -> jax.ShapeDtypeStruct:
        """What is added, for all turns."""
        return jax.ShapeDtypeStruct((*self.lengths, *self.shape), self.dtype)


def marks(jaxpr: Any, batch: int, path: str = "", lengths: tuple[int, ...] = ()) -> Nudges:
    """A mark for every signal of a program, in the order of its operations."""
    found: Nudges = {}
    for place, equation in enumerate(jaxpr.eqns):
        name, here = equation.primitive.name, _join(path, str(equation.source_info.name_stack))
        aval = equation.outvars[0].aval if equation.outvars else None
        inner: Nudges = {}
        if name == "scan":
            inner = marks(program(equation)[0], batch, _join(here, "{}"), (*lengths, equation.params["length"]))
        elif name in (*INLINE, *CUSTOM):
            inner = marks(program(equation)[0], batch, here, lengths)
        if inner and name in CUSTOM and len(jax.tree.leaves(inner)) == 1:
            (only,) = jax.tree.leaves(inner)
            found[place] = only if only.shape == aval.shape else inner
        elif inner:
            found[place] = inner
        elif name not in (*INLINE, "scan") and is_signal(aval, batch):
            found[place] = Mark(here, name, aval.shape, lengths, aval.dtype)
    return found


def _join(path: str, name: str) -> str:
    return f"{path}/{name}" if path and name else path or name


def is_signal(aval: Any, batch: int) -> bool:
    """Whether it holds real numbers for every example."""
    return aval is not None and aval.shape[:1] == (batch,) and jnp.issubdtype(aval.dtype, jnp.floating)


def nudged(jaxpr: Any, constants: Sequence[Any], inputs: Sequence[Any], zeros: Nudges) -> list[Any]:
    """Run the program with the zeros added."""
    known: dict[Any, Any] = dict(zip(jaxpr.constvars, constants, strict=True))
    known.update(zip(jaxpr.invars, inputs, strict=True))
    for place, equation in enumerate(jaxpr.eqns):
        values = [v.val if isinstance(v, core.Literal) else known[v] for v in equation.invars]
        with jax.named_scope(str(equation.source_info.name_stack)):
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
