"""One network written in capas, plain JAX, Flax Linen, Flax NNX, Equinox and Haiku, with the same parameters: the same
function, and the same prediction."""

import zlib
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from capas.signal import Entries, Signal, propagate

from .framework_builders import BUILDERS
from .framework_networks import NETWORKS, numbers, role

SIGNAL = Signal(mean=0.4, second=1.3, cross=0.5)
TOLERANCE = {"resnet, layer norm": (1e-6, 0.04), "resnet, group norm": (1e-6, 0.1), "resnet, batch norm": (2e-4, 0.03)}
"""Of outputs and of gradients, where it is not 1e-6: frameworks write a normalization in different ways.

A variance over n features fluctuates by 1/n, and how that enters a gradient depends on the order of operations; the
networks are narrow, so that 1/n is some per cent. Running statistics that are random numbers multiply the signal one
after another, or first each other.
"""
OTHERS = [name for name in BUILDERS if name != "capas"]


def _built(network, framework):
    description, shape = NETWORKS[network]
    return *BUILDERS[framework](description, shape, numbers(description)), shape


@cache
def _predicted(network, framework):
    """What is known of the outputs, and of the gradients by parameter, called as capas calls it."""
    return _prediction(*_built(network, framework))


def _prediction(function, params, shape):
    flow = propagate(function, params, jax.ShapeDtypeStruct(shape, jnp.float32), signal=SIGNAL)
    last = flow.rows[-1]
    outputs = {"mean": last.mean, "second": last.second, "cross": last.cross}
    gradients = {role(path): power for path, power in flow.gradients.items()}
    return outputs, {name: power for name, power in gradients.items() if not name.endswith(("mean", "variance"))}


@cache
def _outputs(network, framework):
    function, params, shape = _built(network, framework)
    return function(params, jax.random.normal(jax.random.key(zlib.crc32(network.encode())), (5, *shape)))


@pytest.mark.parametrize("framework", OTHERS)
@pytest.mark.parametrize("network", NETWORKS)
def test_the_function_is_the_same(network, framework):
    found, expected = _outputs(network, framework), _outputs(network, "capas")
    np.testing.assert_allclose(found, expected, atol=1e-5 * abs(expected).max())


@pytest.mark.parametrize("framework", OTHERS)
@pytest.mark.parametrize("network", NETWORKS)
def test_the_predicted_output_is_the_same(network, framework):
    expected = _predicted(network, "capas")[0]
    assert _predicted(network, framework)[0] == pytest.approx(expected, rel=TOLERANCE.get(network, (1e-6, 1e-6))[0])
    assert all(_predicted(network, "capas")[0].values()), "a number that is zero compares nothing"


@pytest.mark.parametrize("framework", OTHERS)
@pytest.mark.parametrize("network", NETWORKS)
def test_the_predicted_gradients_are_the_same(network, framework):
    found, expected = _predicted(network, framework)[1], _predicted(network, "capas")[1]
    assert set(expected) == {n for n in numbers(NETWORKS[network][0]) if not n.endswith(("mean", "variance"))}
    assert found == pytest.approx(expected, rel=TOLERANCE.get(network, (1e-6, 1e-6))[1])


@pytest.mark.parametrize("framework", OTHERS)
def test_laws_stand_for_numbers(framework):
    found, expected = (_prediction_from_laws(name) for name in (framework, "capas"))
    assert found[0] == pytest.approx(expected[0], rel=1e-6)
    assert found[1] == pytest.approx(expected[1], rel=1e-6)


def _prediction_from_laws(framework):
    function, params, shape = _built("mlp", framework)
    laws = jax.tree.map(lambda array: Entries(array.shape, mean=1 / array.size, std=array.size**-0.25), params)
    return _prediction(function, laws, shape)
