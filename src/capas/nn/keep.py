"""What a loop over layers keeps for its way back, and what is computed anew there."""

from __future__ import annotations

from typing import Any

import jax

CHEAP = frozenset(
    {
        *("add", "add_any", "sub", "mul", "div", "neg", "abs", "sign", "max", "min", "clamp", "select_n"),
        *("exp", "exp2", "expm1", "log", "log1p", "sqrt", "rsqrt", "square", "pow", "integer_pow", "sin", "cos"),
        *("erf", "erfc", "one_minus_square", "and", "or", "not", "is_finite", "custom_jvp_call"),
        *("broadcast_in_dim", "reshape", "convert_element_type", "copy"),
    }
)
"""Operations on every entry by itself.

Not among them: comparisons, since what they give is a quarter of the size, and tanh and the logistic function, whose
derivatives are functions of what they gave.
"""


def keep_what_is_dear(block: Any) -> Any:
    """A function of which the derivative finds products, sums and comparisons and computes the rest anew.

    In a loop XLA keeps all that automatic differentiation asks for, and to write and read a signal takes longer than to
    compute an activation. Outside of loops XLA itself chooses, and better.
    """
    return jax.checkpoint(block, policy=_is_dear, prevent_cse=False)


def _is_dear(operation: Any, *_: Any, **__: Any) -> bool:
    return operation.name not in CHEAP
