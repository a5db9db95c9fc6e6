"""Random bits: uniform numbers, new for each entry and example, whatever the key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..atom import Atom
from ..expression import Expression, Z
from ..field import whole
from ..interpret import Value, Walk, never_computed, rule
from ..latent import Latent
from ..law import ONE, ZERO, Law
from ..source import Part, Source

never_computed.add("random_bits")


@rule("random_bits")
def random_bits(walk: Walk, equation: Any, key: Value) -> Sequence[Value]:
    """floor(2^n Phi(z)), with z a normal number."""
    from scipy.special import ndtr  # slow to import, and not needed by all

    width, shape = equation.params["bit_width"], equation.outvars[0].aval.shape
    kind = np.dtype(f"uint{width}")

    def bits(z: Any) -> Any:
        return np.minimum(np.floor(ndtr(z) * 2.0**width), 2.0**width - 1).astype(kind)

    law = Law(ZERO, {Atom(Expression(bits, (Z,)), Latent((Part(Source(False), ONE),))): ONE})
    return [whole(law, shape, ["weight" if n > 1 else "one" for n in shape])]
