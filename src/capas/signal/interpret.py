"""The walk over a traced program: every operation is read over random arrays by the rule of its primitive."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
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


Address = tuple[int, ...]
"""An operation, by the identities of the calls around it (one program may be called twice) and its own."""


@dataclass(frozen=True)
class Step:
    """One operation that gave a random array.

    Attributes:
        path: the layer that it belongs to.
        equation: what it is.
        address: where that is: the calls around it and itself.
        turns: in which steps of the loops around it.
        outputs: what came out.
        results: addresses of the calls that it is the result of.
    """

    path: str
    equation: Any
    address: Address
    turns: tuple[int, ...]
    outputs: tuple[Value, ...]
    results: tuple[Address, ...] = ()


@dataclass
class Walk:
    """One reading of a program, and what was met on the way.

    Attributes:
        steps: the operations.
        prefix: names around the program that is read.
        turns: steps of the loops around it.
        calls: calls around it.
        single_taps: by kernel, the only tap that is not zero; None if there are several.
        products: by parameter, what it was multiplied with.
        merged: sizes of axes that were made features, and what they had been.
    """

    steps: list[Step] = field(default_factory=list)
    prefix: str = ""
    turns: tuple[int, ...] = ()
    calls: Address = ()
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
        random = any(isinstance(value, (Field, Stacked)) for value in inputs)
        if not random and name not in never_computed:
            return compute(equation, inputs)
        try:
            outputs = self._read(equation, inputs)
        except CapasError as error:
            path = self.path(equation)
            if path and not error.path:
                error.path = (path,)
            raise
        address = (*self.calls, id(equation))
        if name not in walked_into:
            self.steps.append(Step(self.path(equation), equation, address, self.turns, tuple(outputs)))
        elif self.steps and outputs and self.steps[-1].outputs[0] is outputs[0]:
            self.steps[-1] = replace(self.steps[-1], results=(*self.steps[-1].results, address))
        return outputs

    def _read(self, equation: Any, inputs: list[Value]) -> Sequence[Value]:
        found = rules.get(equation.primitive.name)
        if found is None:
            raise refuse(equation, "one without a rule")
        try:
            return found(self, equation, *inputs)
        except Mixed:
            raise refuse(equation, "features of different laws") from None

    @contextmanager
    def inside(self, equation: Any, turn: int | None = None) -> Iterator[None]:
        """Names inside a called program are relative to the call; those in a loop have the turn in front."""
        before = self.prefix, self.turns, self.calls
        self.prefix, self.calls = self.path(equation), (*self.calls, id(equation))
        if turn is not None:
            self.prefix, self.turns = f"{self.prefix}/{turn}".lstrip("/"), (*self.turns, turn)
        try:
            yield
        finally:
            self.prefix, self.turns, self.calls = before

    def path(self, equation: Any) -> str:
        """The layer that an operation belongs to."""
        name = str(equation.source_info.name_stack)
        return f"{self.prefix}/{name}" if self.prefix and name else self.prefix or name


def compute(equation: Any, inputs: Sequence[Value]) -> Sequence[Value]:
    """An operation on numbers that are known, computed."""
    out = equation.primitive.bind(*map(_jax_array, inputs), **equation.params)
    return [_known(v) for v in (out if equation.primitive.multiple_results else [out])]


def _jax_array(value: Any) -> Any:
    return value if isinstance(value, jax.Array) else jax.numpy.asarray(value)


def _known(value: Any) -> Any:
    """A NumPy array; keys of random numbers stay as they are."""
    return value if jax.dtypes.issubdtype(value.dtype, jax.dtypes.extended) else np.asarray(value)
