"""Elementwise primitives: sums by terms; all else evaluated at the nodes of the latent that the inputs share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jax.numpy as jnp
import numpy as np

from ..align import aligned
from ..choice import Choice, choice
from ..field import Content, Field
from ..function import apply
from ..gradient import Gradient, plus
from ..interpret import Value, Walk, refuse, rule
from ..law import Law, added, constant
from .operation import operation, twins

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
        names = ("centred", "mean_of", "mirrored", "heard")
        found = next((field for field in fields if any(getattr(field, name) for name in names)), None)
        return {} if found is None else {name: getattr(found, name) for name in names}
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
