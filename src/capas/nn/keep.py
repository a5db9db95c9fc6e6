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

Not among them: tanh and the logistic function, whose derivatives are functions of what they gave.
"""

COMPARISONS = frozenset({"eq", "ne", "lt", "gt", "le", "ge"})


def keep_what_is_dear(block: Any, comparisons: bool) -> Any:
    """A function of which the derivative finds products and sums and computes the rest anew.

    In a loop XLA keeps all that automatic differentiation asks for, and to write and read a signal takes longer than to
    compute an activation. Outside of loops XLA itself chooses, and better.

    Args:
        block: the function.
        comparisons: whether these are kept too, a quarter of the size of a signal: where an activation ends a block,
            what it compares is needed for nothing else, and would be kept for it.
    """
    cheap = CHEAP if comparisons else CHEAP | COMPARISONS
    return jax.checkpoint(block, policy=lambda operation, *_, **__: operation.name not in cheap, prevent_cse=False)
