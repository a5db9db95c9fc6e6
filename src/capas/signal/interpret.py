"""The walk over a traced program: every operation is read over random arrays by the rule of its primitive."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np
from jax.extend import core

from ..errors import CapasError
from .field import Field, Mixed

Value = Any
"""A `Field`, a `Stacked`, or an array of numbers that are known."""

Rule = Callable[..., Sequence[Value]]
rules: dict[str, Rule] = {}
never_computed: set[str] = set()
"""Primitives that are read by their rule even where all inputs are known."""


@dataclass(frozen=True, eq=False)
class Stacked:
    """What the steps of a loop gave, one after another."""

    steps: tuple[Any, ...]


class UnknownPrimitive(CapasError, NotImplementedError):  # noqa: N818  (the name is that of what is unknown)
    """An operation that no rule can read over random arrays."""


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Register `rule(walk, equation, *inputs) -> outputs` for primitives.

    Example:
        >>> from capas.signal import rule
        >>> from capas.signal.interpret import rules
        >>> @rule("my_identity")
        ... def read(walk, equation, x):
        ...     return [x]
        >>> del rules["my_identity"]
    """

    def register(function: Rule) -> Rule:
        for name in names:
            rules[name] = function
        return function

    return register


def refuse(equation: Any, why: str) -> UnknownPrimitive:
    """The error for an operation, with what would have to be written."""
    name = equation.primitive.name
    return UnknownPrimitive(
        f"primitive {name!r}",
        expected="an operation that can be read over signals",
        got=why,
        remedy=(
            f"To add it: from capas.signal import rule; @rule({name!r}); "
            "def read(walk, equation, *inputs): return [a Field for each output]"
        ),
    )


@dataclass(eq=False)
class Tape:
    """A reading of a program: what its variables were, and the readings of programs that it calls.

    Attributes:
        jaxpr: the program.
        known: values of its variables.
        inner: by the place of an operation, the readings of what it calls; of a loop one for each turn.
        gradients: the gradients that arrived at variables, once they were asked for.
        factor: what they are to be multiplied with.
    """

    jaxpr: Any
    known: dict[Any, Value] = field(default_factory=dict)
    inner: dict[int, list[Tape]] = field(default_factory=dict)
    gradients: dict[Any, Value] = field(default_factory=dict)
    factor: float = 1.0

    def read(self, variable: Any) -> Value:
        """What a variable was."""
        return np.asarray(variable.val) if isinstance(variable, core.Literal) else self.known[variable]

    def again(self) -> Tape:
        """The same reading once more, with gradients of its own."""
        inner = {place: [tape.again() for tape in tapes] for place, tapes in self.inner.items()}
        return Tape(self.jaxpr, self.known, inner)

    def take_gradients(self, other: Tape, factor: float) -> None:
        """Those of the same reading, where what arrived was as much smaller or larger."""
        self.gradients, self.factor = other.gradients, other.factor * factor
        for place, tapes in self.inner.items():
            for tape, twin in zip(tapes, other.inner[place], strict=True):
                tape.take_gradients(twin, factor)


@dataclass(eq=False)
class Walk:
    """One reading of a program, and what was met on the way.

    Attributes:
        tape: the reading.
        single_taps: by kernel, the only tap that is not zero; None if there are several.
        products: by parameter, what it was multiplied with.
        merged: sizes of axes that were made features, and what they had been.
        shares: whether turns of a loop that are alike are read once.
        rescale: given a parameter's root, the law of a product with it and the second moment of what it met, the
            factor to put on the parameter.
    """

    tape: Tape | None = None
    single_taps: dict[Any, int | None] = field(default_factory=dict)
    products: dict[Any, list[Any]] = field(default_factory=dict)
    merged: dict[tuple[int, ...], tuple[Any, ...]] = field(default_factory=dict)
    shares: bool = True
    rescale: Callable[[Any, Any, float], float] | None = None
    _around: list[tuple[Tape, int]] = field(default_factory=list)

    def run(self, jaxpr: Any, constants: Sequence[Value], inputs: Sequence[Value]) -> list[Value]:
        """Read a program: outputs for inputs."""
        tape = Tape(jaxpr)
        if self._around:
            outside, place = self._around[-1]
            outside.inner.setdefault(place, []).append(tape)
        else:
            self.tape = tape
        tape.known.update(zip(jaxpr.constvars, constants, strict=True))
        tape.known.update(zip(jaxpr.invars, inputs, strict=True))
        for place, equation in enumerate(jaxpr.eqns):
            self._around.append((tape, place))
            outputs = self._apply(equation, [tape.read(v) for v in equation.invars])
            self._around.pop()
            tape.known.update(zip(equation.outvars, outputs, strict=True))
        return [tape.read(v) for v in jaxpr.outvars]

    def run_again(self) -> list[Value]:
        """The program that was read last at this place, read once more in the same way."""
        outside, place = self._around[-1]
        tapes = outside.inner[place]
        tapes.append(tapes[-1].again())
        return [tapes[-1].read(v) for v in tapes[-1].jaxpr.outvars]

    def rescaled(self, x: Field, weight: Field, law: Any) -> Any:
        """The law of the product of a signal with a parameter on which there is another factor."""
        if self.rescale is None:
            return law
        return law.scaled(np.full((1, 1), self.rescale(weight.root, law, x.moment("second"))))

    def _apply(self, equation: Any, inputs: list[Value]) -> Sequence[Value]:
        known = not any(isinstance(value, (Field, Stacked)) for value in inputs)
        if known and equation.primitive.name not in never_computed:
            return compute(equation, inputs)
        try:
            return self._read(equation, inputs)
        except CapasError as error:
            raise in_layer(error, equation)  # noqa: B904  (the same error)

    def _read(self, equation: Any, inputs: list[Value]) -> Sequence[Value]:
        found = rules.get(equation.primitive.name)
        if found is None:
            raise refuse(equation, "one without a rule")
        try:
            return found(self, equation, *inputs)
        except Mixed:
            raise refuse(equation, "features of different laws") from None


def in_layer(error: CapasError, equation: Any) -> CapasError:
    """The error, with the name of the layer that an operation belongs to in front of its path."""
    name = str(equation.source_info.name_stack)
    if name:
        error.path = (name, *error.path)
    return error


def compute(equation: Any, inputs: Sequence[Value]) -> Sequence[Value]:
    """An operation on numbers that are known, computed."""
    out = equation.primitive.bind(*map(_jax_array, inputs), **equation.params)
    return [_known(v) for v in (out if equation.primitive.multiple_results else [out])]


def _jax_array(value: Any) -> Any:
    return value if isinstance(value, jax.Array) else jax.numpy.asarray(value)


def _known(value: Any) -> Any:
    """A NumPy array; keys of random numbers stay as they are."""
    return value if jax.numpy.issubdtype(value.dtype, jax.dtypes.extended) else np.asarray(value)
