"""What is read of a network beyond moments: losses, maps, fixed points, shares, the width, and weights calibrated."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import capas
from capas import losses, nn, weights
from capas.errors import ArgumentError
from capas.signal import Entries, Signal
from capas.signal.maps import fixed_point


def depth(activation, gain, n=100, layers=3, **options):
    net = nn.Sequential(nn.Dense(n), *[layer for _ in range(layers) for layer in (activation, nn.Dense(n))])
    return capas.propagate(net, input_shape=(n,), scheme=weights.LeCun(gain), **options)


SOFTMAX = {2: 0.3184190770, 5: 0.1865253812, 10: 0.0994687394, 100: 0.0100553848, 1000: 0.0010006982}


@pytest.mark.parametrize("n", SOFTMAX)
def test_power_of_softmax_cross_entropy(n):
    """E p² + 1/n - 2/n² for independent standard normal logits, computed by Laplace transforms at 30 digits."""
    flow = capas.propagate(lambda _, x: x * 1.0, {}, jnp.zeros(n), loss=losses.softmax_cross_entropy)
    assert flow.rows[-1].gradient == pytest.approx(SOFTMAX[n], rel=1e-6)


def test_power_of_softmax_cross_entropy_is_measured():
    logits = 0.5 + 1.7 * np.random.default_rng(0).normal(size=(200_000, 7))
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    power = np.square(p - np.eye(7)[0]).mean(1)
    signal = Signal(0.5, 0.5**2 + 1.7**2, 0.25)
    flow = capas.propagate(lambda _, x: x * 1.0, {}, jnp.zeros(7), signal=signal, loss=losses.softmax_cross_entropy)
    assert flow.rows[-1].gradient == pytest.approx(power.mean(), abs=5 * power.std() / len(power) ** 0.5)


def test_power_of_mse():
    """4 (E y² + 1) / n² with standard targets: 8 / n² for standard outputs."""
    flow = capas.propagate(lambda _, x: x * 1.0, {}, jnp.zeros(5), loss=losses.mse)
    assert flow.rows[-1].gradient == pytest.approx(8 / 25)
    off_centre = Signal(0.7, 2.0, 0.6)
    flow = capas.propagate(lambda _, x: x * 1.0, {}, jnp.zeros(5), signal=off_centre, loss=losses.mse)
    assert flow.rows[-1].gradient == pytest.approx(4 * 3 / 25)


def test_loss_that_is_not_known():
    with pytest.raises(ArgumentError) as error:
        depth("relu", 1.0, loss=losses.mae)
    assert str(error.value) == (
        "propagate: expected loss=losses.softmax_cross_entropy or losses.mse, got mae. Give output_gradient, the mean "
        "square of its derivative by one output, instead."
    )


def test_description_without_input_shape():
    with pytest.raises(ArgumentError) as error:
        capas.propagate(nn.Dense(3))
    assert str(error.value) == (
        "propagate: expected input_shape, the shape of one example, got none. Write capas.propagate(network, "
        "input_shape=(784,), scheme=...), or give a model."
    )


def test_moments_that_no_number_has():
    with pytest.raises(ArgumentError) as error:
        Signal(1.0, 2.0, 0.5)
    assert str(error.value) == (
        "Signal: expected mean² <= cross <= second, got Signal(mean=1.0, second=2.0, cross=0.5). Estimate it from data: "
        "capas.Signal.of(x)."
    )


def test_inputs_themselves_are_no_signal():
    with pytest.raises(ArgumentError) as error:
        capas.propagate(nn.Dense(3), input_shape=(2,), signal=np.ones((5, 2)))
    assert str(error.value) == (
        "signal: expected a capas.Signal, got an object of type ndarray. Estimate it from data: capas.Signal.of(x)."
    )


MAPS = {
    "relu": (2**0.5, 1.0, 1.0),
    "tanh": (1.59253741972, 1.1778072323, 0.4611),
    "gelu_exact": (1.5335304412, 1.07203159844, 1.1441),
    "silu": (1.67653247033, 1.06663424124, 1.1726),
}


@pytest.mark.parametrize("name", MAPS)
def test_maps_at_unit_variance(name):
    """chi = E f'² / E f² and Q' = E[f f' z] / E f² where the gain keeps unit variance."""
    gain, chi, slope = MAPS[name]
    *_, layer = depth(name, gain, signal=Signal(0.0, 1 / gain**2, 0.0)).maps()
    assert layer.gradient_growth == pytest.approx(chi, rel=1e-6)
    assert layer.variance_slope == pytest.approx(slope, abs=2e-4)


def test_slope_of_the_correlation_of_relu():
    """C'(c) = (pi - acos c) / pi."""
    first, second, _ = depth("relu", 2**0.5).maps()
    assert first.correlation_slope == pytest.approx(0.5, abs=1e-4)
    assert second.correlation_slope == pytest.approx((math.pi - math.acos(1 / math.pi)) / math.pi, abs=1e-4)


# tanh with weights of variance w / n and biases of variance 0.05 (Schoenholz et al. 2017): w, q*, c*, xi_c
TANH = [(1.25, 0.292054, 1.0, 6.800), (1.70, 0.533076, 1.0, 74.918), (2.0, 0.721762, 0.744082, 25.213)]


@pytest.mark.parametrize(("power", "q", "c", "depth_scale"), TANH)
def test_fixed_points_of_tanh_with_biases(power, q, c, depth_scale):
    params = {"w": Entries((50, 50), std=(power / 50) ** 0.5), "b": Entries((50,), std=0.05**0.5)}

    def again(signal):
        return capas.propagate(
            lambda p, x: jnp.tanh(x) @ p["w"] + p["b"], params, jnp.zeros(50), signal=signal, backward=False
        )

    found = fixed_point(again, Signal.standard())
    assert found.second == pytest.approx(q, abs=2e-6)
    assert found.correlation == pytest.approx(c, abs=1e-5)
    assert found.correlation_depth == pytest.approx(depth_scale, rel=0.01)


def test_blocks_that_grow_or_fade_have_no_fixed_point():
    for gain in 0.5, 4.0:
        block = nn.Sequential("relu", nn.Dense(50))
        assert capas.fixed_point(block, (50,), weights.LeCun(gain)) is None


def test_dead_and_saturated_shares():
    flow = depth("relu", 1.4, layers=1, signal=Signal(0.0, 1.0, 0.0))
    relu = next(row for row in flow.rows if row.operation == "max")
    assert relu.saturated == pytest.approx(0.5, abs=1e-3)
    assert relu.dead < 0.01  # independent examples: each unit is alive for half of them
    alike = depth("relu", 1.4, layers=1, signal=Signal(0.0, 1.0, 1.0))
    assert next(row for row in alike.rows if row.operation == "max").dead == pytest.approx(0.5, abs=1e-3)
    tanh = next(row for row in depth("tanh", 5.0, layers=1).rows if row.operation == "tanh")
    flat = math.atanh(math.sqrt(1 - 1e-3)) / 5  # 1 - tanh² < 1e-3 beyond
    assert tanh.saturated == pytest.approx(math.erfc(flat / 2**0.5), abs=0.02)


def test_spread_of_networks_of_finite_width():
    """Var log q = 5 sum 1/n for ReLU with He weights, 2 sum 1/n for linear networks; the first layer sees the input."""
    n, layers = 64, 100
    relu = depth("relu", 2**0.5, n=n, layers=layers, backward=False).rows[-1]
    assert relu.log_std**2 == pytest.approx((5 * layers + 2) / n, rel=1e-9)
    linear = depth("identity", 1.0, n=n, layers=layers, backward=False).rows[-1]
    assert linear.log_std**2 == pytest.approx(2 * (layers + 1) / n, rel=1e-9)


def test_spread_is_what_many_networks_have():
    n, layers, draws = 128, 12, 400

    def power(key):
        keys = jax.random.split(key, layers + 2)
        x = jax.random.normal(keys[0], (n,))
        for k in keys[1:-1]:
            x = jnp.tanh(x @ (1.3 * n**-0.5 * jax.random.normal(k, (n, n))))
        return jnp.log(jnp.square(x @ (n**-0.5 * jax.random.normal(keys[-1], (n, n)))).mean())

    logs = np.asarray(jax.jit(jax.vmap(power))(jax.random.split(jax.random.key(0), draws)))
    params = [Entries((n, n), std=1.3 * n**-0.5)] * layers + [Entries((n, n), std=n**-0.5)]

    def network(params, x):
        for w in params[:-1]:
            x = jnp.tanh(x @ w)
        return x @ params[-1]

    row = capas.propagate(network, params, jnp.zeros(n), backward=False).rows[-1]
    # one more 2/n: the mean over the n units of the last layer is measured, too
    assert logs.std() == pytest.approx((row.log_std**2 + 2 / n) ** 0.5, rel=5 / (2 * draws) ** 0.5)


def test_calibrated_weights_give_unit_power_and_it_is_measured():
    net = nn.Sequential(nn.Conv(64, (3, 3)), nn.Repeat(nn.Sequential("gelu", nn.Conv(64, (3, 3))), 3), nn.Flatten())
    net = nn.Sequential(net, "gelu", nn.Dense(200))
    model = capas.init(net, (6, 6, 8), scheme=weights.LeCun(0.3))

    def function(params, x):
        return net.apply(params, model.state, x)[0]

    scaled = capas.calibrate(function, model.params, jnp.zeros((6, 6, 8)))
    flow = capas.propagate(function, scaled, jnp.zeros((6, 6, 8)))
    products = [row for row in flow.rows if row.operation in {"conv_general_dilated", "dot_general"}]
    assert [row.second for row in products] == pytest.approx([1.0] * 5, rel=1e-6)
    y = function(scaled, jax.random.normal(jax.random.key(0), (64, 6, 6, 8)))
    assert float(jnp.square(y).mean()) == pytest.approx(1.0, abs=0.25)


def test_calibrated_after_the_activation():
    def network(params, x):
        for w in params:
            x = jax.nn.relu(x @ w)
        return x

    params = [jax.random.normal(jax.random.key(i), (80, 80)) for i in range(3)]
    scaled = capas.calibrate(network, params, jnp.zeros(80), after_activation=True)
    rows = capas.propagate(network, scaled, jnp.zeros(80)).rows
    assert [row.second for row in rows if row.operation == "max"] == pytest.approx([1.0] * 3, rel=1e-6)


def test_weights_side_by_side_are_calibrated_as_without_activations():
    """What the next weight of the program takes up does not depend on the first: it was scaled by 64."""

    def network(params, x):
        return jax.nn.relu(x @ params[0]) + jax.nn.relu(x @ params[1])

    params = [jax.random.normal(jax.random.key(i), (80, 80)) for i in range(2)]
    scaled = capas.calibrate(network, params, jnp.zeros(80), after_activation=True)
    rows = capas.propagate(network, scaled, jnp.zeros(80)).rows
    assert next(row.second for row in rows if row.operation == "dot_general") == pytest.approx(1.0, rel=1e-6)
    assert rows[-1].second == pytest.approx(1.0, rel=1e-6)


def test_weights_that_are_zero_cannot_be_calibrated():
    with pytest.raises(ArgumentError) as error:
        capas.calibrate(lambda p, x: x @ p["w"], {"w": jnp.zeros((4, 4))}, jnp.zeros(4))
    assert str(error.value) == (
        "calibrate: expected weights that give a signal, got zero behind params['w']. Draw random weights first; a layer "
        "of zeros has no scale to set."
    )


def test_the_transpose_of_weights_is_refused_with_its_layer():
    def tied(params, x):
        with jax.named_scope("decoder"):
            return jnp.tanh(x @ params["w"]) @ params["w"].T

    with pytest.raises(capas.UnknownPrimitive) as error:
        capas.propagate(tied, {"w": Entries((9, 9), std=0.3)}, jnp.zeros(9))
    assert "'decoder'" in str(error.value)
    assert "the transpose of weights that were used before, which knows what they met" in str(error.value)


def test_table_shows_the_ends_of_loops(capsys):
    net = nn.Sequential(nn.Dense(20), nn.Repeat(nn.Sequential("relu", nn.Dense(20)), 50))
    capas.propagate(net, input_shape=(20,)).show()
    shown = capsys.readouterr().out
    assert "..." in shown
    assert len(shown.splitlines()) < 30
