"""Elementwise primitives as functions of NumPy arrays, in float64."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


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
