"""Settings under which tests run."""

from collections.abc import Iterator

import jax
import pytest


@pytest.fixture
def strict_promotion() -> Iterator[None]:
    """Mixed precisions are an error: a number of another one that slips into a layer widens all that follows, unseen.

    Not for tests that train, since Optax mixes integers and floats. Ranks stay free: a bias added to a batch promotes
    one. Types are left to mypy: checked at run time, a wrong one would stop before the refusal that is to be tested.
    """
    with jax.numpy_dtype_promotion("strict"):
        yield
