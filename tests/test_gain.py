"""Expectations and gains against closed forms, and numbers computed with mpmath at 30 digits."""

import math

import jax
import jax.numpy as jnp
import pytest
from scipy import special

from capas import nn, weights
from capas.errors import ArgumentError
from capas.signal import expectation

MOMENTS = {
    "identity": (0, 1.0),
    "relu": (0.398942280401, 0.5),
    "relu6": (0.398942280245, 0.499999998075),
    "leaky_relu": (0.394952857597, 0.50005),
    "elu": (0.160520572267, 0.644945417493),
    "celu": (0.160520572267, 0.644945417493),
    "selu": (0, 1.0),
    "gelu_exact": (0.282094791774, 0.42522148257),
    "gelu": (0.282038588079, 0.425193711033),
    "quick_gelu": (0.282330552813, 0.421952806897),
    "silu": (0.206620964142, 0.355775519817),
    "mish": (0.240403888375, 0.452342192376),
    "softplus": (0.806059183347, 0.921245908859),
    "sigmoid": (0.5, 0.293379035858),
    "log_sigmoid": (-0.806059183347, 0.921245908859),
    "tanh": (0, 0.394294490398),
    "lecun_tanh": (0, 0.750430276305),
    "erf": (0, 0.464559054398),
    "hard_tanh": (0, 0.516058550962),
    "soft_sign": (0, 0.183014021267),
    "arctan": (0, 0.449700916435),
    "sin": (0, 0.432332358382),
    "abs": (0.797884560803, 1.0),
    "relu_squared": (0.5, 1.5),
    "hard_silu": (0.166216700656, 0.331567375138),
    "exp": (1.6487212707, 7.38905609893),
}
"""E f and E f^2 to 12 digits."""

CLOSED = {
    "relu": (1 / math.sqrt(2 * math.pi), 1 / 2),
    "gelu_exact": (1 / (2 * math.sqrt(math.pi)), 1 / 3 + 1 / (2 * math.pi * math.sqrt(3))),
    "erf": (0, 2 / math.pi * math.asin(2 / 3)),
    "sin": (0, (1 - math.exp(-2)) / 2),
    "abs": (math.sqrt(2 / math.pi), 1),
    "exp": (math.exp(0.5), math.exp(2)),
}


@pytest.mark.parametrize("name", MOMENTS)
def test_moments_of_activations(name):
    f = nn.activations[name]
    mean, second = expectation(f), expectation(lambda z: f(z) ** 2)
    assert (mean, second) == (pytest.approx(MOMENTS[name][0], abs=1e-11), pytest.approx(MOMENTS[name][1], rel=2e-12))
    assert weights.gain(name) == pytest.approx(1 / math.sqrt(second), rel=1e-12)


@pytest.mark.parametrize("name", CLOSED)
def test_closed_forms(name):
    f = nn.activations[name]
    assert expectation(f) == pytest.approx(CLOSED[name][0], rel=1e-12, abs=1e-13)
    assert expectation(lambda z: f(z) ** 2) == pytest.approx(CLOSED[name][1], rel=1e-12)


@pytest.mark.parametrize("slope", [0.01, 0.1, 0.2, 0.25])
def test_gain_of_leaky_relu(slope):
    exact = math.sqrt(2 / (1 + slope**2))
    assert weights.gain(nn.Activation("leaky_relu", negative_slope=slope)) == pytest.approx(exact, rel=1e-12)


def test_published_sampled_constants_are_near():
    """1 / sqrt(Var f) of NFNets (Brock et al. 2021), sampled there: within 1e-3."""
    published = {"gelu_exact": 1.7015043, "silu": 1.7881293, "tanh": 1.5939118, "relu": 1.7139589, "elu": 1.2716005}
    for name, value in published.items():
        f = nn.activations[name]
        variance = expectation(lambda z, f=f: f(z) ** 2) - expectation(f) ** 2
        assert 1 / math.sqrt(variance) == pytest.approx(value, rel=1e-3)


@pytest.mark.parametrize(("mean", "std"), [(0.7, 1.3), (-2.0, 0.25), (5.0, 3.0)])
def test_other_means_and_deviations(mean, std):
    exact = mean * special.ndtr(mean / std) + std * math.exp(-((mean / std) ** 2) / 2) / math.sqrt(2 * math.pi)
    assert expectation(jax.nn.relu, mean, std) == pytest.approx(exact, rel=1e-12)
    assert expectation(jnp.cos, mean, std) == pytest.approx(math.cos(mean) * math.exp(-(std**2) / 2), rel=1e-11)
    assert expectation(jnp.exp, mean, std) == pytest.approx(math.exp(mean + std**2 / 2), rel=1e-11)


def test_jumps_and_a_point():
    assert expectation(lambda z: (z > 0.1234567).astype(float)) == pytest.approx(special.ndtr(-0.1234567), rel=1e-11)
    assert expectation(jnp.square, mean=3.0, std=0.0) == pytest.approx(9, rel=1e-12)


def named(function):
    """A repr that is the same in every run."""

    class Named:
        def __call__(self, z):
            return function(z)

        def __repr__(self):
            return "f"

    return Named()


NOT_ALIKE = (
    "expectation: expected a function that treats every entry of an array alike, on its own, got f. Softmax, "
    "normalization and the like have no expectation of one number."
)
NOT_FINITE = (
    "expectation: expected a function with a finite mean under the normal distribution, got f. It may be undefined on "
    "one side, or grow as fast as exp(z²/2)."
)


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (jax.nn.softmax, NOT_ALIKE),
        (lambda z: z - z.mean(), NOT_ALIKE),
        (lambda z: z[0], NOT_ALIKE),
        (lambda z: z - jnp.arange(64.0), NOT_ALIKE),
        (lambda z: jnp.cumsum(z, -1), NOT_ALIKE),
        (jnp.log, NOT_FINITE),
        (lambda z: jnp.exp(z**2), NOT_FINITE),
        (lambda z: 1 / jnp.abs(z), NOT_FINITE),
    ],
)
def test_functions_without_an_expectation(function, text):
    with pytest.raises(ArgumentError) as caught:
        expectation(named(function))
    assert str(caught.value) == text


def test_no_gain_for_nothing():
    with pytest.raises(ArgumentError) as caught:
        weights.gain(named(jnp.zeros_like))
    assert str(caught.value) == (
        "gain: expected an activation that is not zero everywhere, got nn.Activation(f). No weights can restore a "
        "signal that is gone."
    )
