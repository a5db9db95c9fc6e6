"""Gradients over a tape: what `jax.vjp` makes of each operation is itself read over random arrays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core

from ..errors import CapasError
from .align import aligned
from .alike import Pattern, multiplied, renamed, successors
from .field import Field, whole
from .gradient import Gradient, plus
from .interpret import Stacked, Tape, Value, Walk, in_layer, refuse
from .law import constant
from .rules.combine import twice
from .rules.control import CUSTOM, PLAIN, loop_counts, step_of, turns


class Backward:
    """The way back over the tape of a walk.

    Args:
        walk: what was read.
    """

    def __init__(self, walk: Walk) -> None:
        self._walk = Walk(single_taps=walk.single_taps, merged=walk.merged)
        self._pulls: dict[Any, Any] = {}

    def run(self, tape: Tape, arriving: Sequence[Value]) -> list[Value]:
        """Gradients by a program's inputs, from those by its outputs; None where there is none."""
        for variable, value in zip(tape.jaxpr.outvars, arriving, strict=True):
            _arrive(tape, variable, value)
        for place in range(len(tape.jaxpr.eqns) - 1, -1, -1):
            equation = tape.jaxpr.eqns[place]
            given = [tape.gradients.get(v) for v in equation.outvars]
            if all(value is None for value in given):
                continue
            try:
                found = self._through(tape, place, equation, given)
            except CapasError as error:
                raise in_layer(error, equation)  # noqa: B904  (the same error)
            for variable, value in zip(equation.invars, found, strict=True):
                _arrive(tape, variable, value)
        return [tape.gradients.get(v) for v in tape.jaxpr.invars]

    def _through(self, tape: Tape, place: int, equation: Any, given: list[Value]) -> list[Value]:
        name = equation.primitive.name
        if name in PLAIN:
            return self.run(tape.inner[place][0], given)
        if name == "cond":
            return [None, *self.run(tape.inner[place][0], given)]
        if name == "scan":
            return self._loop(tape.inner[place], equation, given)
        if name == "while":
            raise refuse(equation, "a loop that JAX has no gradient of; give backward=False")
        if name in CUSTOM:
            self._inside(tape.inner[place][0], given)
        return self._pull(equation, [tape.read(v) for v in equation.invars], given)

    def _inside(self, tape: Tape, given: list[Value]) -> None:
        """Gradients at signals inside a function with a derivative of its own: those of what they do."""
        if len(tape.jaxpr.eqns) > 1:
            self.run(tape, given)
            return
        for variable, value in zip(tape.jaxpr.outvars, given, strict=True):
            _arrive(tape, variable, value)
        for inner in tape.inner.get(0, ()):
            self._inside(inner, given)

    def _loop(self, tapes: list[Tape], equation: Any, given: list[Value]) -> list[Value]:
        fixed, carried = loop_counts(equation)
        carry, stacked = given[:carried], given[carried:]
        constants: list[Value] = [None] * fixed
        sliced: list[list[Value]] = [[] for _ in range(equation.params["length"])]
        last: tuple[Tape, Pattern | None, list[Value]] | None = None
        shared = Counter(id(tape.known) for tape in tapes)
        for turn, tape in zip(reversed(turns(equation)), reversed(tapes), strict=True):
            like = last if last is not None and last[0].known is tape.known else None
            if like is not None:
                carry = self._handed_on(tape, fixed, carry)
            values = [*carry, *(None if v is None else step_of(v, turn) for v in stacked)]
            now = Pattern(values, exact=True) if shared[id(tape.known)] > 1 else None
            if like and like[1] and now and now.is_like(like[1]) and all(value is None for value in constants):
                factor = now.size / like[1].size
                found = [multiplied(value, factor) for value in like[2]]
                tape.take_gradients(like[0], factor)
            else:
                found = self.run(tape, values)
            last = tape, now, found
            constants = [summed(one, other) for one, other in zip(constants, found[:fixed], strict=True)]
            carry, sliced[turn] = found[fixed : fixed + carried], found[fixed + carried :]
        steps = [Stacked(tuple(step)) for step in zip(*sliced, strict=True)]
        return [*constants, *carry, *(None if all(v is None for v in s.steps) else s for s in steps)]

    def _handed_on(self, tape: Tape, fixed: int, carry: list[Value]) -> list[Value]:
        """Gradients by what a turn was given, as those by what the turn before it gave, which was read as the same."""
        inside, outside = tape.jaxpr.invars[fixed : fixed + len(carry)], tape.jaxpr.outvars[: len(carry)]
        names = successors([tape.read(v) for v in inside], [tape.read(v) for v in outside])
        return [renamed(value, names) for value in carry]

    def _pull(self, equation: Any, inputs: list[Value], given: list[Value]) -> list[Value]:
        active = tuple(i for i, v in enumerate(equation.invars) if isinstance(inputs[i], Field) and _is_real(v.aval))
        real = [i for i, v in enumerate(equation.outvars) if _is_real(v.aval)]
        found: list[Value] = [None] * len(inputs)
        if not active or not real:
            return found
        jaxpr, constants = self._traced(equation, active, real)
        zero = [whole(constant(0.0), v.aval.shape, ["one"] * v.aval.ndim) for v in equation.outvars]
        arriving = [zero[i] if given[i] is None else given[i] for i in real]
        for i, value in zip(active, self._walk.run(jaxpr, constants, [*inputs, *arriving]), strict=True):
            nothing = isinstance(value, Field) and all(content.is_zero for _, content in value.blocks)
            found[i] = value if isinstance(value, Field) and not nothing else None
        return found

    def _traced(self, equation: Any, active: tuple[int, ...], real: list[int]) -> tuple[Any, Any]:
        """The program of the operation's gradient; one for all that are alike."""
        same = (id(equation), active)
        if same not in self._pulls:
            avals = tuple((v.aval.shape, v.aval.dtype) for v in equation.invars)
            key = (equation.primitive, _content(equation), avals, active)
            if key not in self._pulls:
                self._pulls[key] = _gradient_program(equation, active, real)
            self._pulls[same] = self._pulls[key]
        return self._pulls[same]


def _content(equation: Any) -> Any:
    """What makes two operations the same one: their parameters, and the derivative of one that has its own."""
    if equation.primitive.name == "custom_jvp_call":
        try:
            derivative, constants, *_ = equation.params["jvp_jaxpr_fun"].call_wrapped(*[False] * len(equation.invars))
        except (AttributeError, KeyError, TypeError, ValueError):
            return id(equation)
        return id(equation) if constants else (str(equation.params["call_jaxpr"]), str(derivative))
    try:
        params = tuple(sorted(equation.params.items()))
        hash(params)
    except TypeError:
        return id(equation)
    return params


def _is_real(aval: Any) -> bool:
    return bool(jnp.issubdtype(aval.dtype, jnp.floating))


def _gradient_program(equation: Any, active: tuple[int, ...], real: list[int]) -> tuple[Any, Any]:
    def back(inputs: list[Any], arriving: list[Any]) -> Any:
        def run(*moving: Any) -> list[Any]:
            values = list(inputs)
            for i, value in zip(active, moving, strict=True):
                values[i] = value
            outputs = _bind(equation, values)
            return [outputs[i] for i in real]

        return jax.vjp(run, *(inputs[i] for i in active))[1](arriving)

    spec = [jax.ShapeDtypeStruct(v.aval.shape, v.aval.dtype) for v in equation.invars]
    out = [jax.ShapeDtypeStruct(equation.outvars[i].aval.shape, equation.outvars[i].aval.dtype) for i in real]
    closed = jax.make_jaxpr(back)(spec, out)
    return _needed(closed.jaxpr), closed.consts


def _bind(equation: Any, values: list[Any]) -> list[Any]:
    bound = equation.primitive.get_bind_params(equation.params)
    functions, params = bound if isinstance(bound, tuple) else ((), bound)
    out = equation.primitive.bind(*functions, *values, **params)
    return list(out) if equation.primitive.multiple_results else [out]


def _needed(jaxpr: Any) -> Any:
    """The program without operations whose results are not used, such as the forward one."""
    used = {v for v in jaxpr.outvars if not isinstance(v, core.Literal)}
    kept = []
    for equation in reversed(jaxpr.eqns):
        if used & set(equation.outvars):
            kept.append(equation)
            used |= {v for v in equation.invars if not isinstance(v, core.Literal)}
    return jaxpr.replace(eqns=kept[::-1])


def _arrive(tape: Tape, variable: Any, value: Value) -> None:
    if value is not None and not isinstance(variable, core.Literal):
        tape.gradients[variable] = summed(tape.gradients.get(variable), value)


def summed(one: Value, other: Value) -> Value:
    """The sum of two gradients with respect to one array."""
    if one is None or other is None:
        return other if one is None else one
    if isinstance(one, Stacked):
        return Stacked(tuple(summed(a, b) for a, b in zip(one.steps, other.steps, strict=True)))
    found = twice(one, other)
    if found is not None:
        return found
    roles, runs = aligned(one.shape, (one, other))
    return Field(one.shape, roles, tuple((width, _plus(contents)) for width, contents in runs))


def _plus(contents: Sequence[Any]) -> Gradient:
    one, other = (content if isinstance(content, Gradient) else Gradient(()) for content in contents)
    return plus(one, other)


def power_of(value: Value) -> float:
    """Mean square of a gradient, or of what a loop gave, averaged over its steps; 0 where none arrives."""
    if value is None:
        return 0.0
    if isinstance(value, Stacked):
        return float(np.mean([power_of(step) for step in value.steps]))
    return float(value.moment("second"))
