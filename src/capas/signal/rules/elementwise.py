"""Elementwise primitives: sums by terms; all else evaluated at the nodes of the latent that the inputs share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..align import aligned
from ..choice import Choice, choice
from ..field import Content, Field
from ..function import apply
from ..gradient import Gradient, plus
from ..interpret import Value, Walk, refuse, rule
from ..law import Law, added, constant


def _special(name: str) -> Callable[..., Any]:
    """A function of `scipy.special`, which is slow to import and not needed by all."""

    def later(x: Any) -> Any:
        return getattr(import_module("scipy.special"), name)(x)

    return later


def _bitwise(function: Callable[..., Any]) -> Callable[..., Any]:
    """On booleans, or on integers, which constants beside them are made."""

    def whole(*args: Any) -> Any:
        kinds = {np.asarray(a).dtype for a in args} - {np.dtype(np.float64)}
        kind = kinds.pop() if kinds else np.dtype(np.int64)
        return function(*(np.asarray(a).astype(kind) for a in args))

    return whole


twins: dict[str, Callable[..., Any]] = {
    "div": np.divide,
    "max": np.maximum,
    "min": np.minimum,
    "mul": np.multiply,
    "abs": np.abs,
    "sign": np.sign,
    "floor": np.floor,
    "ceil": np.ceil,
    "round": np.round,
    "exp": np.exp,
    "exp2": np.exp2,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "tanh": np.tanh,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "atan": np.arctan,
    "atan2": np.arctan2,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "asinh": np.arcsinh,
    "sqrt": np.sqrt,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "cbrt": np.cbrt,
    "square": np.square,
    "one_minus_square": lambda x: 1 - x * x,
    "pow": np.power,
    "logistic": _special("expit"),
    "erf": _special("erf"),
    "erfc": _special("erfc"),
    "gt": np.greater,
    "lt": np.less,
    "ge": np.greater_equal,
    "le": np.less_equal,
    "eq": np.equal,
    "ne": np.not_equal,
    "and": _bitwise(np.bitwise_and),
    "or": _bitwise(np.bitwise_or),
    "xor": _bitwise(np.bitwise_xor),
    "not": _bitwise(np.bitwise_not),
    "shift_right_logical": _bitwise(np.right_shift),
    "shift_left": _bitwise(np.left_shift),
    "is_finite": np.isfinite,
}
"""NumPy's name for a primitive. What has none is computed by JAX in float64, which is slower."""

KEEP = ("stop_gradient", "copy", "copy_p", "reduce_precision", "optimization_barrier")
BY_JAX = (
    "polynomial",
    "asin",
    "acos",
    "acosh",
    "atanh",
    "nextafter",
    "lgamma",
    "digamma",
    "erf_inv",
    "random_gamma_grad",
)
SPECIAL = ("integer_pow", "select_n", "clamp", "convert_element_type", "bitcast_convert_type")
LINEAR = ("add", "add_any", "sub", "neg")

COMPARED: dict[str, tuple[tuple[int, int | None], ...]] = {
    **dict.fromkeys(("max", "min", "gt", "lt", "ge", "le", "eq", "ne"), ((0, 1),)),
    **dict.fromkeys(("abs", "sign"), ((0, None),)),
    "clamp": ((1, 0), (1, 2)),
}
"""Primitives that are not smooth where one input equals another, or zero."""

CONCENTRATED = {"rsqrt": 0, "sqrt": 0, "div": 1, "log": 0, "pow": 0}
"""Primitives that take a sum of many squares, and which input it is: it counts as its mean."""


@rule(*twins, *KEEP, *BY_JAX, *SPECIAL, *LINEAR)
def elementwise(walk: Walk, equation: Any, *inputs: Value) -> Sequence[Value]:
    """One law for the output, for every run of features that have one."""
    shape = equation.outvars[0].aval.shape
    roles, runs = aligned(shape, inputs)
    blocks = tuple((width, _combined(equation, contents)) for width, contents in runs)
    return [Field(shape, roles, blocks, **_as_parameter(equation, inputs))]


def _as_parameter(equation: Any, inputs: Sequence[Value]) -> dict[str, Any]:
    """What is kept of a parameter: that it is one's mean, or sums to zero."""
    name, fields = equation.primitive.name, [value for value in inputs if isinstance(value, Field)]
    if not all(field.is_weight for field in fields):
        return {}
    if name == "sub" and len(fields) == 2 and fields[1].mean_of and fields[1].mean_of[0] is fields[0].law:
        return {"centred": fields[1].mean_of[1]}
    if name in {"mul", "div", "convert_element_type"}:
        found = next((field for field in fields if field.centred or field.mean_of or field.mirrored), None)
        return {} if found is None else {name: getattr(found, name) for name in ("centred", "mean_of", "mirrored")}
    return {}


def _combined(equation: Any, contents: list[Content]) -> Content:
    if any(isinstance(content, Gradient) for content in contents):
        return _gradient(equation, contents)
    name = equation.primitive.name
    laws = _with_fixed([content for content in contents if isinstance(content, Law)])
    if name == "eq" and (winner := _winner(*laws)) is not None:
        return winner
    if isinstance(laws[0], Choice) and name in {"convert_element_type", "div"}:
        return laws[0]
    kept = _linear(name, laws)
    if kept is not None:
        return kept
    if name in CONCENTRATED and laws[CONCENTRATED[name]].is_average:
        average = laws[CONCENTRATED[name]]
        laws[CONCENTRATED[name]] = replace(average, concentrated=constant(average.mean), is_average=False)
    try:
        return apply(operation(equation), laws, COMPARED.get(name, ()))
    except NotImplementedError as error:
        raise refuse(equation, str(error)) from None


def _winner(one: Law, other: Law) -> Choice | None:
    """Who equals the maximum over a window: entries that are compared with it."""
    for entry, largest in ((one, other), (other, one)):
        root = largest.origin[0] if largest.origin else largest
        if root.maximum_of is not None and (entry is root.maximum_of[0] or not largest.origin):
            return choice(*root.maximum_of, root, ties=True)
    return None


def _with_fixed(laws: list[Law]) -> list[Law]:
    """Beside a signal, what is nearly a number counts as one."""
    if all(law.is_number or law.concentrated is not None for law in laws):
        return laws
    return [law.concentrated or law for law in laws]


def _linear(name: str, laws: list[Law]) -> Law | None:
    """What keeps a sum of terms a sum of terms."""
    if name in {"add", "add_any", "sub"}:
        return added(laws[0], laws[1], sign=-1.0 if name == "sub" else 1.0)
    if name == "neg":
        return laws[0].scaled(np.full((1, 1), -1.0))
    if name in KEEP:
        return laws[0]
    if name == "mul" and any(law.is_number for law in laws):
        x, factor = laws if laws[1].is_number else laws[::-1]
        return x.scaled(factor.offset)
    if name == "div" and laws[1].is_number and not laws[0].is_number:
        return laws[0].scaled(1 / laws[1].offset)
    return None


def operation(equation: Any) -> Callable[..., Any]:
    """The primitive as a function of NumPy arrays."""
    name, params = equation.primitive.name, equation.params
    if name == "integer_pow":
        return lambda x: np.power(np.asarray(x, float), float(params["y"]))
    if name == "select_n":
        return _select
    if name == "clamp":
        return lambda low, x, high: np.clip(x, low, high)
    if name == "convert_element_type":
        return _convert(params["new_dtype"])
    if name == "bitcast_convert_type":
        return _reinterpret(equation.invars[0].aval.dtype, params["new_dtype"])
    return twins[name] if name in twins else lambda *args: _by_jax(equation, args)


def _reinterpret(old: Any, new: Any) -> Callable[..., Any]:
    """The same bits as another type; numbers go on in float64."""

    def view(x: Any) -> Any:
        found = np.asarray(x).astype(old).view(new)
        return found.astype(np.float64) if np.issubdtype(found.dtype, np.floating) else found

    return view


def _select(which: Any, *cases: Any) -> Any:
    which, *cases = np.broadcast_arrays(which, *cases)  # type: ignore[assignment]
    return np.choose(which.astype(int), cases)


def _convert(dtype: Any) -> Callable[..., Any]:
    """Rounding is left out; what truncates is not."""
    if np.issubdtype(dtype, np.bool_):
        return lambda x: x != 0
    if jnp.issubdtype(dtype, np.integer):
        return lambda x: np.asarray(x).astype(dtype)
    return lambda x: np.asarray(x, np.float64)


def _by_jax(equation: Any, args: Sequence[Any]) -> Any:
    with jax.enable_x64(True):
        arrays = np.broadcast_arrays(*(np.asarray(a, np.float64) for a in args))
        return np.asarray(equation.primitive.bind(*map(jnp.asarray, arrays), **equation.params))


def _gradient(equation: Any, contents: list[Any]) -> Content:
    """Operations that are linear in a gradient."""
    name = equation.primitive.name
    moving = [isinstance(content, Gradient) for content in contents]
    if name in {"add", "add_any", "sub"}:
        return _sum(equation, contents, -1.0 if name == "sub" else 1.0)
    if name == "neg":
        return contents[0].times(constant(-1.0))
    if name in KEEP or (name == "convert_element_type" and jnp.issubdtype(equation.params["new_dtype"], np.floating)):
        return contents[0]
    if name == "mul" and sum(moving) == 1:
        gradient, factor = contents if moving[0] else contents[::-1]
        return gradient.times(factor)
    if name == "div" and moving == [True, False]:
        return contents[0].times(apply(np.reciprocal, [contents[1]]))
    if name == "select_n" and not moving[0]:
        return _selected(contents[0], contents[1:])
    raise refuse(equation, "a gradient, in which it is not linear")


def _sum(equation: Any, contents: list[Any], sign: float) -> Content:
    one, other = contents
    for content in contents:
        if isinstance(content, Law):
            if content.is_number and not content.offset.any():
                rest = other if content is one else one
                return rest.times(constant(sign)) if content is one else rest
            raise refuse(equation, "a gradient added to a signal")
    return plus(one, other, sign)


def _selected(which: Law, cases: list[Any]) -> Gradient:
    """Each case times whether it is the one."""
    total: Gradient | None = None
    for i, case in enumerate(cases):
        if isinstance(case, Gradient):
            chosen = case.times(apply(lambda w, i=i: (np.asarray(w).astype(int) == i) * 1.0, [which]))
            total = chosen if total is None else plus(total, chosen)
    assert total is not None
    return total
