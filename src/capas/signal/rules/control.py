"""Programs inside programs: walked into. Loops, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..alike import Pattern
from ..field import Field
from ..interpret import Stacked, Value, Walk, never_computed, refuse, rule
from ..parameter import slice_of

PLAIN = ("jit", "pjit", "closed_call", "core_call", "remat", "checkpoint", "remat2")
CUSTOM = ("custom_jvp_call", "custom_vjp_call", "custom_vjp_call_jaxpr")
CALLS = (*PLAIN, *CUSTOM)
never_computed.update(CALLS, {"scan", "cond", "while"})


def program(equation: Any) -> tuple[Any, Sequence[Any]]:
    """The program that an operation calls, and its constants."""
    for name in ("jaxpr", "call_jaxpr", "fun_jaxpr"):
        if name in equation.params:
            found = equation.params[name]
            return (found.jaxpr, found.consts) if hasattr(found, "jaxpr") else (found, ())
    raise refuse(equation, "a call without a program")


@rule(*CALLS)
def call(walk: Walk, equation: Any, *inputs: Value) -> Sequence[Value]:
    """A function inside the program."""
    jaxpr, constants = program(equation)
    return walk.run(jaxpr, constants, inputs)


@rule("cond")
def cond(walk: Walk, equation: Any, index: Value, *inputs: Value) -> Sequence[Value]:
    """The branch that is taken, where that is known."""
    if isinstance(index, (Field, Stacked)):
        raise refuse(equation, "a branch that depends on a signal")
    branch = equation.params["branches"][int(index)]
    return walk.run(branch.jaxpr, branch.consts, inputs)


@rule("while")
def loop(walk: Walk, equation: Any, *inputs: Value) -> Sequence[Value]:
    """A loop whose end depends on known numbers alone."""
    params, split = equation.params, equation.params["cond_nconsts"]
    test, rest = inputs[:split], inputs[split:]
    fixed, carry = rest[: params["body_nconsts"]], list(rest[params["body_nconsts"] :])
    for _ in range(1 << 20):
        (more,) = Walk().run(params["cond_jaxpr"].jaxpr, params["cond_jaxpr"].consts, [*test, *carry])
        if isinstance(more, (Field, Stacked)):
            raise refuse(equation, "a loop whose end depends on a signal")
        if not more:
            return carry
        carry = walk.run(params["body_jaxpr"].jaxpr, params["body_jaxpr"].consts, [*fixed, *carry])
    raise refuse(equation, "a loop of more than a million steps")


@rule("scan")
def scan(walk: Walk, equation: Any, *inputs: Value) -> Sequence[Value]:
    """A loop of known length; what each step is given and gives is kept apart. A step like the last is its copy."""
    params, jaxpr = equation.params, equation.params["jaxpr"]
    length, (fixed, carried) = params["length"], loop_counts(equation)
    constants, carry = inputs[:fixed], list(inputs[fixed : fixed + carried])
    given: list[Sequence[Value]] = [()] * length
    last: Pattern | None = None
    for i in turns(equation):
        values = [*constants, *carry, *(step_of(value, i) for value in inputs[fixed + carried :])]
        now = Pattern(values) if walk.shares and walk.rescale is None else None
        outputs = walk.run_again() if now and now.is_like(last) else walk.run(jaxpr.jaxpr, jaxpr.consts, values)
        carry, given[i], last = list(outputs[:carried]), outputs[carried:], now
    return [*carry, *(Stacked(tuple(step)) for step in zip(*given, strict=True))]


def turns(equation: Any) -> range:
    """The turns of a loop in the order in which they are taken."""
    length = equation.params["length"]
    return range(length - 1, -1, -1) if equation.params["reverse"] else range(length)


def loop_counts(equation: Any) -> tuple[int, int]:
    """How many inputs are the same in every step, and how many are carried: what is sliced has one axis more outside.

    Read off the shapes, since JAX names these numbers differently from version to version.
    """
    inner = equation.params["jaxpr"].jaxpr
    sliced = sum(o.aval.ndim != i.aval.ndim for o, i in zip(equation.invars, inner.invars, strict=True))
    carried = sum(o.aval.ndim == i.aval.ndim for o, i in zip(equation.outvars, inner.outvars, strict=True))
    return len(equation.invars) - sliced - carried, carried


def step_of(value: Value, i: int) -> Value:
    """What one step of a loop is given."""
    if isinstance(value, Stacked):
        return value.steps[i]
    if isinstance(value, Field):
        return slice_of(value, i)
    return value[i] if not isinstance(value, np.ndarray) else np.asarray(value[i])
