"""What many draws of the weights measure at every signal: an oracle for `capas.propagate` that shares no code with it.

A signal is a floating-point output of an operation that depends on the input and whose first axis is the batch. Each
draw has weights, inputs and a gradient at the output of its own, so that the standard error of a mean over draws is
that of independent numbers.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend import core

from capas.nn.plain import plainly

CALLS = {"jit", "pjit", "closed_call", "core_call", "remat", "remat2", "checkpoint"}
CUSTOM = {"custom_jvp_call", "custom_vjp_call", "custom_vjp_call_jaxpr"}
MOMENTS = ("mean", "second", "cross", "gradient")
TOLERANCE, ERRORS = 0.02, 4


class Estimate(NamedTuple):
    """The mean over draws and its standard error."""

    value: float
    error: float


@dataclass(frozen=True)
class Measured:
    """One signal, or one parameter (of which only the gradient is measured).

    Attributes:
        path: the names around the operation; in a loop with the number of the step behind the loop's own.
        operation: the primitive that gives the signal; "parameter" for a parameter.
        shape: of the array, examples first.
        mean: E x over units, examples and draws.
        second: E x².
        cross: E of the product of what two independent examples give at the same unit.
        gradient: mean square of the derivative of sum(outputs * g), g standard normal; for a parameter, of the share
            of one example.
    """

    path: str
    operation: str
    shape: tuple[int, ...]
    mean: Estimate | None
    second: Estimate | None
    cross: Estimate | None
    gradient: Estimate


def agree(
    measured: float, error: float, predicted: float | None, scale: float | None = None, tolerance: float = TOLERANCE
) -> bool:
    """Whether |predicted - measured| <= max(tolerance * scale, 4 standard errors).

    The scale is |measured| for second moments and gradients. A mean, or a product of independent examples, may be zero
    and then has no relative error: for them the scale to give is the root of the signal's second moment, and the second
    moment. What is measured as infinite or undefined must not be predicted as a number.
    """
    if not math.isfinite(measured):
        return predicted is None or not math.isfinite(predicted)
    if predicted is None or not math.isfinite(predicted):
        return False
    allowed = tolerance * (abs(measured) if scale is None else scale)
    return abs(predicted - measured) <= max(allowed, ERRORS * error)


def measure(
    function: Callable[[Any, jax.Array], jax.Array],
    draw: Callable[[int], Any],
    shape: tuple[int, ...],
    draws: int = 30,
    batch: int = 64,
    mean: float = 0.0,
    std: float = 1.0,
) -> list[Measured]:
    """Every signal in the order of the program, then every parameter.

    Args:
        function: `function(params, x)` of any JAX library, with the batch as the first axis of x.
        draw: `draw(seed)` gives the params.
        shape: of one example.
        draws: how many times everything is drawn.
        batch: examples in a draw; no other axis may have this size, since the batch is known by it.
        mean, std: of the input, whose entries are independent and normal.
    """
    params = draw(0)
    _require_distinct(batch, shape, params)
    with plainly():
        program = jax.make_jaxpr(function)(params, jax.ShapeDtypeStruct((batch, *shape), jnp.float32))
    signals = _signals(program, params, batch, shape)

    @jax.jit
    def one(params: Any, seed: jax.Array) -> Any:
        keys = jax.random.split(jax.random.fold_in(jax.random.key(2026), seed))
        x = mean + std * jax.random.normal(keys[0], (batch, *shape))
        return _one(program, params, x, keys[1], signals)

    found = [jax.tree.map(lambda a: np.asarray(a, np.float64), one(draw(seed), seed)) for seed in range(draws)]
    return [*_signal_rows(signals, found, batch), *_parameter_rows(params, found, batch)]


def _require_distinct(batch: int, shape: tuple[int, ...], params: Any) -> None:
    sizes = {*shape, *(size for leaf in jax.tree.leaves(params) for size in jnp.shape(leaf))}
    if batch in sizes:
        raise ValueError(f"A batch of {batch} cannot be told from an axis of the same size: choose another.")


def _signal_rows(signals: "list[_Signal]", found: list[Any], batch: int) -> list[Measured]:
    rows = []
    for i, signal in enumerate(signals):
        numbers = np.array([_moments(*draw[0][i], batch) for draw in found])
        rows.append(Measured(signal.path, signal.operation, signal.array.shape, *map(_estimate, numbers.T)))
    return rows


def _parameter_rows(params: Any, found: list[Any], batch: int) -> list[Measured]:
    rows = []
    for i, (path, leaf) in enumerate(jax.tree.leaves_with_path(params)):
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        gradient = _estimate(np.array([draw[1][i] for draw in found]) / batch)
        rows.append(Measured(name, "parameter", leaf.shape, None, None, None, gradient))
    return rows


def _estimate(numbers: np.ndarray) -> Estimate:
    with np.errstate(invalid="ignore"):
        return Estimate(float(numbers.mean()), float(numbers.std(ddof=1) / math.sqrt(len(numbers))))


def _moments(parts: np.ndarray, square_of_sum: np.ndarray, batch: int) -> tuple[float, ...]:
    """Mean, second moment, product of independent examples and power of the gradient, of one draw.

    The square of a sum over examples holds all pairs of them, and each example with itself.
    """
    mean, second, gradient = parts.mean(axis=1)
    with np.errstate(invalid="ignore"):
        cross = (square_of_sum - batch * second) / (batch * (batch - 1))
    return mean, second, cross, gradient


def _one(program: Any, params: Any, x: jax.Array, key: jax.Array, signals: "list[_Signal]") -> Any:
    """One draw: sums over the units of every signal, one by example, and the power of every parameter's gradient.

    Sums over examples are left to the caller, in float64.
    """

    def run(nudges: list[jax.Array], params: Any) -> Any:
        walk = _Walk(len(x), nudges)
        (y,) = walk.run(program, _inputs(params, x), "")
        return y.array, [signal.array for signal in walk.signals]

    nudges = [jnp.zeros(signal.array.shape, signal.array.dtype) for signal in signals]
    y, back, arrays = jax.vjp(run, nudges, params, has_aux=True)
    slopes, gradients = back(jax.random.normal(key, y.shape, y.dtype))
    return (
        [_parts(array, slope) for array, slope in zip(arrays, slopes, strict=True)],
        [jnp.square(leaf).mean() for leaf in jax.tree.leaves(gradients)],
    )


def _parts(x: jax.Array, slope: jax.Array) -> tuple[jax.Array, jax.Array]:
    def by_example(a: jax.Array) -> jax.Array:
        return a.reshape(len(a), -1).mean(1)

    by_unit = x.reshape(len(x), -1).sum(0)
    return jnp.stack([by_example(x), by_example(x**2), by_example(slope**2)]), jnp.square(by_unit).mean()


class _Value(NamedTuple):
    """An array, and whether it depends on the input."""

    array: Any
    depends: bool


class _Signal(NamedTuple):
    path: str
    operation: str
    array: Any


def _inputs(params: Any, x: Any) -> list[_Value]:
    return [*(_Value(leaf, False) for leaf in jax.tree.leaves(params)), _Value(x, True)]


def _signals(program: Any, params: Any, batch: int, shape: tuple[int, ...]) -> list[_Signal]:
    """Where the signals are and what shapes they have, with nothing computed."""
    walk = _Walk(batch)

    def run(params: Any, x: jax.Array) -> list[jax.Array]:
        walk.run(program, _inputs(params, x), "")
        return [signal.array for signal in walk.signals]

    shapes = jax.eval_shape(run, params, jax.ShapeDtypeStruct((batch, *shape), jnp.float32))
    return [signal._replace(array=array) for signal, array in zip(walk.signals, shapes, strict=True)]


@dataclass
class _Walk:
    """One run of a program, operation by operation, with a number added to every signal: its gradient is the signal's.

    Attributes:
        batch: number of examples.
        nudges: what is added, all zero, in the order of the signals; nothing where they are still to be counted.
        signals: those met so far.
    """

    batch: int
    nudges: Sequence[jax.Array] = ()
    signals: list[_Signal] = field(default_factory=list)

    def run(self, program: Any, inputs: Sequence[_Value], path: str) -> list[_Value]:
        jaxpr, constants = (program.jaxpr, program.consts) if hasattr(program, "jaxpr") else (program, ())
        known = dict(zip(jaxpr.constvars, [_Value(constant, False) for constant in constants], strict=True))
        known.update(zip(jaxpr.invars, inputs, strict=True))

        def read(variable: Any) -> _Value:
            return _Value(variable.val, False) if isinstance(variable, core.Literal) else known[variable]

        for equation in jaxpr.eqns:
            here = _join(path, str(equation.source_info.name_stack))
            outputs = self._apply(equation, [read(variable) for variable in equation.invars], here)
            known.update(zip(equation.outvars, outputs, strict=True))
        return [read(variable) for variable in jaxpr.outvars]

    def _apply(self, equation: Any, inputs: list[_Value], path: str) -> list[_Value]:
        name = equation.primitive.name
        if name == "scan":
            return self._scan(equation, inputs, path)
        if name in CALLS:
            return self.run(_inner(equation), inputs, path)
        if name in CUSTOM:
            return self._custom(equation, inputs, path)
        depends = any(value.depends for value in inputs)
        outputs = _compute(equation, inputs)
        return [_Value(self._note(array, path, name) if depends else array, depends) for array in outputs]

    def _note(self, x: jax.Array, path: str, operation: str) -> jax.Array:
        if not jnp.issubdtype(x.dtype, jnp.floating) or x.shape[:1] != (self.batch,):
            return x
        x = x + self.nudges[len(self.signals)] if self.nudges else x
        self.signals.append(_Signal(path, operation, x))
        return x

    def _custom(self, equation: Any, inputs: list[_Value], path: str) -> list[_Value]:
        """A function with a derivative of its own: that is what its inputs get, and the signals inside get JAX's."""
        held = [value._replace(array=lax.stop_gradient(value.array)) for value in inputs]
        inside = self.run(_inner(equation), held, path)
        outside = _compute(equation, inputs)
        return [_Value(_graft(o, i.array), i.depends) for o, i in zip(outside, inside, strict=True)]

    def _scan(self, equation: Any, inputs: list[_Value], path: str) -> list[_Value]:
        fixed, carried = _counts(equation)
        constants, carry, sliced = inputs[:fixed], inputs[fixed : fixed + carried], inputs[fixed + carried :]
        steps = range(equation.params["length"])
        given = {}
        for i in reversed(steps) if equation.params["reverse"] else steps:
            slices = [_Value(array[i], depends) for array, depends in sliced]
            outputs = self.run(_inner(equation), [*constants, *carry, *slices], _join(path, str(i)))
            carry, given[i] = outputs[:carried], outputs[carried:]
        columns = zip(*(given[i] for i in steps), strict=True)
        return [*carry, *(_Value(jnp.stack([v.array for v in c]), any(v.depends for v in c)) for c in columns)]


def _join(path: str, name: str) -> str:
    """Names inside a called program are relative to the call."""
    return f"{path}/{name}" if path and name else path or name


def _inner(equation: Any) -> Any:
    return next(equation.params[name] for name in ("jaxpr", "call_jaxpr", "fun_jaxpr") if name in equation.params)


def _counts(equation: Any) -> tuple[int, int]:
    """How many inputs of a scan are the same in every step, and how many are carried from step to step.

    JAX names these numbers differently from version to version; but what is sliced has an axis more outside than inside.
    """
    program = _inner(equation)
    jaxpr = getattr(program, "jaxpr", program)
    sliced = sum(o.aval.ndim != i.aval.ndim for o, i in zip(equation.invars, jaxpr.invars, strict=True))
    carried = sum(o.aval.ndim == i.aval.ndim for o, i in zip(equation.outvars, jaxpr.outvars, strict=True))
    return len(equation.invars) - sliced - carried, carried


def _compute(equation: Any, inputs: list[_Value]) -> list[Any]:
    params = equation.primitive.get_bind_params(equation.params)
    outputs = equation.primitive.bind(*(value.array for value in inputs), **params)
    return outputs if equation.primitive.multiple_results else [outputs]


@jax.custom_vjp
def _graft(outside: jax.Array, inside: jax.Array) -> jax.Array:
    """Two computations of the same array as one, each of which gets the whole gradient."""
    return outside


_graft.defvjp(lambda outside, inside: (outside, None), lambda _, slope: (slope, slope))
