"""Pairs with an odd one beside them: what is read of signals and gradients, in closed form and from arrays."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import capas
from capas import nn, weights
from capas.signal import Entries, propagate
from capas.signal.parameter import mirrored_axes


def chain(params, x):
    x = x * 1.0
    for w in params[:-1]:
        x = jax.nn.relu(x @ w)
    return x @ params[-1]


@pytest.mark.parametrize("n", [3, 7, 65])
def test_relu_of_pairs_is_linear_beside_an_odd_one(n):
    """m pairs keep power 1. Gradients arrive at 2m of n units: of power 4/m in front of four outputs, half behind ReLU."""
    m, inputs, outputs = n // 2, 5, 4
    square = Entries((n, n), std=m**-0.5, mirrored=((0, n), (1, n)))
    first = Entries((inputs, n), std=inputs**-0.5, mirrored=((1, n),))
    last = Entries((n, outputs), std=m**-0.5, mirrored=((0, n),))
    flow = propagate(chain, [first, square, square, last], jnp.zeros(inputs))
    rows = [row for row in flow.rows if row.operation == "dot_general"]
    arriving = outputs / m * 2 * m / n / 2
    assert [row.second for row in rows] == pytest.approx([1] * 4)
    assert [row.gradient for row in rows] == pytest.approx([arriving] * 3 + [1])
    seconds = [1.0, 0.5, 0.5, 0.5]
    expected = [second * row.gradient for second, row in zip(seconds, rows, strict=True)]
    assert [flow.gradients[str(i)] for i in range(4)] == pytest.approx(expected)


@pytest.mark.parametrize("n", [3, 8, 9])
def test_gradients_of_all_that_is_written(n):
    """Weights without pairs read the odd one too: of n units, n Var(v) outputs come back, and n Var(w) of that."""
    first, last = Entries((5, n), std=0.5, mirrored=((1, n),)), Entries((n, 4), std=0.3)
    flow = propagate(lambda p, x: (x * 1.0) @ p[0] @ p[1], [first, last], jnp.zeros(5))
    assert flow.rows[0].gradient == pytest.approx(n * 0.25 * 4 * 0.09)


@pytest.mark.parametrize("inputs", [True, 3, 4, 5])
def test_arrays_are_known_for_what_they_are(inputs):
    """Of two units of ReLU a pair of weights reads the difference, of power 1 - 1/pi; what is 0 for good is left out."""
    rows, columns = (15, 9) if inputs is True else (60, 9)
    kernel = nn.Parameter((rows, columns), "kernel", fan_in=rows, fan_out=columns)
    scheme, size = weights.Mirrored(weights.LeCun(), inputs=inputs), rows if inputs is True else inputs
    draws = [np.asarray(scheme.sample(jax.random.key(seed), kernel)) for seed in range(50)]
    for w in draws:
        assert {axis: pairs.size for axis, pairs in mirrored_axes(w).items()} == {0: size, 1: columns}
    found = [propagate(lambda w, x: jax.nn.relu(x) @ w, w, jnp.zeros(rows)).rows[-1].second for w in draws]
    expected = rows // size * (size // 2) * scheme.law(kernel).variance * (1 - 1 / np.pi)
    assert abs(np.mean(found) - expected) < 4 * np.std(found) / len(found) ** 0.5


@pytest.mark.parametrize("drawn", [False, True])
def test_a_loop_is_read_like_its_layers(drawn):
    def rows(*body):
        net = nn.Sequential(nn.Dense(257), *body, "gelu", nn.Dense(9))
        flow = capas.propagate(capas.init(net, (4,))) if drawn else capas.propagate(net, input_shape=(4,))
        return np.array([(row.second, row.gradient) for row in flow.rows if row.operation == "dot_general"])

    layers = ["gelu", nn.Dense(257)]
    one, other = rows(nn.Repeat(nn.Sequential(*layers), 6)), rows(*layers * 6)
    np.testing.assert_allclose(one, other, rtol=0.02 if drawn else 1e-9)
