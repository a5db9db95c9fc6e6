"""The walk over a traced program: every operation is read over random arrays by the rule of its primitive."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
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
walked_into: set[str] = set()
"""Primitives that are programs: what is inside is recorded, not they."""
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


@dataclass
class Walk:
    """One reading of a program, and what was met on the way.

    Attributes:
        signals: what the zeros that mark signals were added to, by zero and turns of the loops around it.
        turns: steps of the loops around what is read.
        single_taps: by kernel, the only tap that is not zero; None if there are several.
        products: by parameter, what it was multiplied with.
        merged: sizes of axes that were made features, and what they had been.
    """

    signals: dict[tuple[int, tuple[int, ...]], Field] = field(default_factory=dict)
    turns: tuple[int, ...] = ()
    single_taps: dict[Any, int | None] = field(default_factory=dict)
    products: dict[Any, list[Any]] = field(default_factory=dict)
    merged: dict[tuple[int, ...], tuple[Any, ...]] = field(default_factory=dict)

    def run(self, jaxpr: Any, constants: Sequence[Value], inputs: Sequence[Value]) -> list[Value]:
        """Read a program: outputs for inputs."""
        known: dict[Any, Value] = {}
        known.update(zip(jaxpr.constvars, constants, strict=True))
        known.update(zip(jaxpr.invars, inputs, strict=True))

        def read(variable: Any) -> Value:
            return np.asarray(variable.val) if isinstance(variable, core.Literal) else known[variable]

        for equation in jaxpr.eqns:
            outputs = self._apply(equation, [read(v) for v in equation.invars])
            known.update(zip(equation.outvars, outputs, strict=True))
        return [read(v) for v in jaxpr.outvars]

    def _apply(self, equation: Any, inputs: list[Value]) -> Sequence[Value]:
        name = equation.primitive.name
        if name == "add":
            inputs = self._unmarked(inputs)
            if len(inputs) == 1:
                return inputs
        random = any(isinstance(value, (Field, Stacked)) for value in inputs)
        if not random and name not in never_computed:
            return compute(equation, inputs)
        try:
            return self._read(equation, inputs)
        except CapasError as error:
            path = scope(equation)
            if path:
                error.path = (path, *error.path)
            raise

    def _unmarked(self, inputs: list[Value]) -> list[Value]:
        """A signal without the zero that marks it, which is noted."""
        for mark, value in (inputs, inputs[::-1]):
            if isinstance(mark, Field) and mark.mark is not None:
                self.signals[mark.mark, self.turns] = value
                return [value]
        return inputs

    def _read(self, equation: Any, inputs: list[Value]) -> Sequence[Value]:
        found = rules.get(equation.primitive.name)
        if found is None:
            raise refuse(equation, "one without a rule")
        try:
            return found(self, equation, *inputs)
        except Mixed:
            raise refuse(equation, "features of different laws") from None

    @contextmanager
    def turn(self, turn: int) -> Iterator[None]:
        """One step of a loop."""
        before, self.turns = self.turns, (*self.turns, turn)
        try:
            yield
        finally:
            self.turns = before


def scope(equation: Any) -> str:
    """The name of the layer that an operation belongs to, without what differentiation adds."""
    name = str(equation.source_info.name_stack)
    while (plain := re.sub(r"\b(?:transpose|jvp|vmap|rematted_computation|checkpoint)\(([^()]*)\)", r"\1", name)) != name:
        name = plain
    return name.strip("/")


def compute(equation: Any, inputs: Sequence[Value]) -> Sequence[Value]:
    """An operation on numbers that are known, computed."""
    out = equation.primitive.bind(*map(_jax_array, inputs), **equation.params)
    return [_known(v) for v in (out if equation.primitive.multiple_results else [out])]


def _jax_array(value: Any) -> Any:
    return value if isinstance(value, jax.Array) else jax.numpy.asarray(value)


def _known(value: Any) -> Any:
    """A NumPy array; keys of random numbers stay as they are."""
    return value if jax.dtypes.issubdtype(value.dtype, jax.dtypes.extended) else np.asarray(value)
