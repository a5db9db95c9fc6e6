"""What schemes sample against the law that they state, and the law against formulas written down by hand."""

import math

import jax
import numpy as np
import pytest
from scipy import stats

from capas import nn, weights
from capas.errors import ArgumentError

KERNELS = {
    "dense": (nn.Dense(60), (90,)),
    "wide": (nn.Dense(90), (60,)),
    "conv": (nn.Conv(24, (3, 3)), (8, 8, 16)),
    "strided": (nn.Conv(24, (3, 3), stride=2), (8, 8, 16)),
    "grouped": (nn.Conv(24, (3,), groups=4), (8, 16)),
    "depthwise": (nn.Conv(64, (5, 5), groups=64), (8, 8, 64)),
    "transposed": (nn.ConvTranspose(24, (4, 4), stride=2), (8, 8, 16)),
}
FANS = {
    "dense": (90, 60),
    "wide": (60, 90),
    "conv": (144, 216),
    "strided": (144, 54),
    "grouped": (12, 18),
    "depthwise": (25, 25),
    "transposed": (64, 384),
}
SCHEMES = [
    weights.Zeros(),
    weights.Constant(0.3),
    weights.Normal(0.2, mean=0.7),
    weights.Uniform(-0.1, 0.5),
    weights.TruncatedNormal(0.2, mean=-0.4),
    *(
        make(mode=mode, distribution=distribution)
        for make in (weights.LeCun, weights.Glorot, weights.He)
        for mode in ("fan_in", "fan_out", "fan_average")
        for distribution in ("normal", "uniform", "truncated_normal")
    ),
    weights.LeCun(gain=1.7),
    weights.He(slope=0.5),
]


def kernel_of(name):
    layer, shape = KERNELS[name]
    return layer.parameters(shape)["weight"]


def standard_error_of_variance(values, variance):
    """Of the mean of (w - mean)^2 over independent entries, from their own spread."""
    return np.sqrt(np.var((values - values.mean()) ** 2) / values.size) + 1e-12 + 1e-6 * variance


@pytest.mark.parametrize("scheme", SCHEMES, ids=repr)
@pytest.mark.parametrize("name", ["dense", "conv", "grouped"])
def test_samples_follow_the_law_within_5_standard_errors(scheme, name):
    kernel = kernel_of(name)
    law = scheme.law(kernel)
    keys = jax.random.split(jax.random.key(3), 40)
    values = np.asarray([scheme.sample(k, kernel) for k in keys], np.float64)
    assert values.shape == (40, *kernel.shape)
    assert law.structure == "independent"
    assert abs(values.mean() - law.mean) <= 5 * math.sqrt(law.variance / values.size) + 1e-7
    assert abs(values.var() - law.variance) <= 5 * standard_error_of_variance(values, law.variance)


@pytest.mark.parametrize("name", KERNELS)
def test_laws_by_hand(name):
    fan_in, fan_out = FANS[name]
    average = (fan_in + fan_out) / 2
    kernel = kernel_of(name)
    expected = {
        weights.LeCun(): 1 / fan_in,
        weights.LeCun(gain=2.0, mode="fan_out"): 4 / fan_out,
        weights.Glorot(): 1 / average,
        weights.Glorot(distribution="normal", gain=5 / 3): (25 / 9) / average,
        weights.He(): 2 / fan_in,
        weights.He(mode="fan_out"): 2 / fan_out,
        weights.He(slope=0.2, mode="fan_average"): 2 / 1.04 / average,
    }
    for scheme, variance in expected.items():
        assert scheme.law(kernel).variance == pytest.approx(variance, rel=1e-12)
        assert scheme.law(kernel).mean == 0
    assert weights.Uniform(-1, 2).law(kernel) == (0.5, 0.75, "independent", (), ())
    assert weights.Normal(3.0, mean=1.0).law(kernel) == (1.0, 9.0, "independent", (), ())


@pytest.mark.parametrize(
    ("distribution", "law"),
    [
        ("normal", stats.norm(0, 0.1)),
        ("uniform", stats.uniform(-0.1 * math.sqrt(3), 0.2 * math.sqrt(3))),
        ("truncated_normal", stats.truncnorm(-2, 2, 0, 0.1 / 0.87962566103423976)),
    ],
)
def test_distributions_by_their_whole_shape(distribution, law):
    kernel = nn.Parameter((100, 200), "kernel", fan_in=100, fan_out=200)
    values = np.asarray(weights.LeCun(distribution=distribution).sample(jax.random.key(0), kernel)).ravel()
    assert stats.kstest(values, law.cdf).pvalue > 1e-4


@pytest.mark.parametrize("name", ["dense", "wide", "conv", "grouped", "depthwise", "transposed"])
def test_orthogonal_blocks(name):
    kernel, gain = kernel_of(name), 1.3
    values = np.asarray(weights.Orthogonal(gain).sample(jax.random.key(1), kernel), np.float64)
    assert values.shape == kernel.shape
    rows = values.reshape(-1, kernel.shape[-1])
    for block in np.split(rows, kernel.groups, axis=1):
        small = block.T @ block if block.shape[0] >= block.shape[1] else block @ block.T
        np.testing.assert_allclose(small, gain**2 * np.eye(len(small)), atol=1e-5)
    law = weights.Orthogonal(gain).law(kernel)
    assert law.mean == 0
    assert law.structure == "orthogonal"
    assert law.variance == pytest.approx((values**2).mean(), rel=1e-5)


def test_orthogonal_entries_follow_the_uniform_law():
    """An entry of a uniform orthogonal n x n matrix squared is Beta(1/2, (n-1)/2), and each has either sign."""
    kernel = nn.Parameter((8, 8), "kernel", fan_in=8, fan_out=8)
    keys = jax.random.split(jax.random.key(0), 1000)
    values = np.asarray([weights.Orthogonal().sample(k, kernel)[0, 0] for k in keys], np.float64)
    assert stats.kstest(values**2, stats.beta(0.5, 3.5).cdf).pvalue > 1e-4
    assert abs((values > 0).mean() - 0.5) < 5 * 0.5 / math.sqrt(1000)


def test_delta_orthogonal_keeps_the_norm_of_every_signal():
    layer = nn.Conv(16, (3, 3), padding="circular", bias=False)
    params, state = layer.init(jax.random.key(0), (6, 6, 16), weights.DeltaOrthogonal(1.5).sample)
    x = 0.7 + np.asarray(jax.random.normal(jax.random.key(1), (2, 6, 6, 16)))
    y, _ = layer.apply(params, state, x)
    np.testing.assert_allclose((np.asarray(y) ** 2).sum((1, 2, 3)), 2.25 * (x**2).sum((1, 2, 3)), rtol=1e-5)
    values = np.asarray(params["weight"])
    assert np.array_equal(np.flatnonzero(np.abs(values).sum((2, 3))), [4])
    law = weights.DeltaOrthogonal(1.5).law(layer.parameters((6, 6, 16))["weight"])
    assert law == (0.0, pytest.approx((values**2).mean(), rel=1e-5), "delta_orthogonal", (), ())


@pytest.mark.parametrize("window", [(3,), (5, 3), (3, 3, 3)])
@pytest.mark.parametrize("groups", [1, 2])
def test_identity_passes_its_input_on(window, groups):
    shape = (6,) * len(window) + (4,)
    layer = nn.Conv(4, window, groups=groups)
    params, state = layer.init(jax.random.key(0), shape, weights.Identity(2.0).sample)
    x = np.asarray(jax.random.normal(jax.random.key(1), (2, *shape)))
    np.testing.assert_array_equal(layer.apply(params, state, x)[0], 2 * x)
    law = weights.Identity(2.0).law(layer.parameters(shape)["weight"])
    values = np.asarray(params["weight"], np.float64)
    assert law == (pytest.approx(values.mean()), pytest.approx(values.var()), "identity", (), ())


def test_identity_drops_or_pads():
    wide, narrow = (weights.Identity().sample(jax.random.key(0), nn.Parameter(s, "kernel")) for s in ((2, 3), (3, 2)))
    assert wide.tolist() == [[1, 0, 0], [0, 1, 0]]
    assert narrow.tolist() == [[1, 0], [0, 1], [0, 0]]


@pytest.mark.parametrize("scheme", [*SCHEMES, weights.Orthogonal(0.5), weights.DeltaOrthogonal(), weights.Identity()])
def test_schemes_print_as_the_call_that_makes_them(scheme):
    assert eval(repr(scheme), vars(weights)) == scheme
    assert hash(scheme) == hash(eval(repr(scheme), vars(weights)))


WITH_GAIN = (weights.LeCun, weights.Glorot, weights.Orthogonal, weights.DeltaOrthogonal, weights.Identity)
GAIN = "got 'relu'. That of an activation is weights.gain(activation)."


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: weights.Normal(-1), "Normal: expected std >= 0, got -1. It is a standard deviation."),
        (
            lambda: weights.TruncatedNormal(-1),
            "TruncatedNormal: expected std >= 0, got -1. It is a standard deviation.",
        ),
        (lambda: weights.Uniform(1, 0), "Uniform: expected low <= high, got (1, 0). Swap them."),
        (
            lambda: weights.He(mode="fan_avg"),
            "He: expected mode to be one of 'fan_in', 'fan_out', 'fan_average', got 'fan_avg'. Choose one of them.",
        ),
        (
            lambda: weights.Glorot(distribution="gaussian"),
            "Glorot: expected distribution to be one of 'normal', 'uniform', 'truncated_normal', got 'gaussian'. "
            "Choose one of them.",
        ),
        *(
            (
                lambda scheme=scheme: scheme(gain="relu"),
                f"{scheme.__name__}: expected gain to be a finite number, {GAIN}",
            )
            for scheme in WITH_GAIN
        ),
        (
            lambda: weights.He("relu"),
            "He: expected slope to be a finite number, got 'relu'. Give a Python number.",
        ),
        (
            lambda: weights.Constant(float("nan")),
            "Constant: expected value to be a finite number, got nan. Give a Python number.",
        ),
        (
            lambda: weights.Normal("0.1"),
            "Normal: expected std to be a finite number, got '0.1'. Give a Python number.",
        ),
        (
            lambda: weights.TruncatedNormal(1.0, None),
            "TruncatedNormal: expected mean to be a finite number, got None. Give a Python number.",
        ),
        (
            lambda: weights.Uniform(True, 1),
            "Uniform: expected low to be a finite number, got True. Give a Python number.",
        ),
    ],
)
def test_refusals(call, text):
    with pytest.raises(ArgumentError) as caught:
        call()
    assert str(caught.value) == text
