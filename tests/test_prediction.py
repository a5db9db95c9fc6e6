"""What `capas.propagate` predicts is what many draws of the weights measure: every signal of every architecture."""

import jax
import jax.numpy as jnp
import pytest

import capas

from .architectures import ARCHITECTURES, build, law
from .comparison import differences
from .monte_carlo import measure


def rows():
    """Every architecture; where something is known not to hold, it has to fail."""
    for name, row in ARCHITECTURES.items():
        yield pytest.param(
            name, marks=[pytest.mark.xfail(strict=True, raises=AssertionError, reason=row.gap)] if row.gap else []
        )


@pytest.mark.parametrize("name", list(rows()))
def test_every_signal_is_as_predicted(name):
    row = ARCHITECTURES[name]
    function, draw = build(row)
    signal = capas.Signal(mean=row.mean, second=row.mean**2 + 1, cross=row.mean**2)
    flow = capas.propagate(function, law(row), jax.ShapeDtypeStruct(row.shape, jnp.float32), signal=signal)
    measured = measure(function, draw, row.shape, row.draws, row.batch, row.mean)
    wrong = [str(d) for d in differences(flow, measured, row.narrow, row.tolerance) if not d.agrees]
    assert not wrong, "\n".join(wrong)
