"""What is predicted of one activation, against closed forms and float64 integrals: 1e-9 for a standard normal input,
1e-6 for any other mean and variance, 1e-5 for the product of two that are correlated.

Everything runs in float64, so that constants inside JAX's functions (those of GELU and SELU) have all their digits.
"""

import math
from collections.abc import Callable, Iterator
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special
from scipy.integrate import quad

from capas import nn
from capas.signal import Row, Signal, propagate

PI = math.pi


@pytest.fixture(autouse=True)
def _double() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


def through(f: Callable, signal: Signal | None = None) -> tuple[Row, Row]:
    """Rows of what enters an activation and of what leaves it."""
    rows = propagate(lambda _, x: f(x * 1.0), {}, jnp.zeros(8), signal=signal).rows
    return rows[0], rows[-1]


def exactly(value: float, precision: float = 1e-9) -> object:
    return pytest.approx(value, rel=precision, abs=precision)


STANDARD = {
    "identity": (0, 1.0, 1.0, 1.0, 0, 1.0),
    "relu": (0.398942280401, 0.5, 0.340845056908, 0.5, 0.318309886184, 1.0),
    "relu6": (0.398942280245, 0.499999998075, 0.340845055108, 0.499999999013, 0.31830988716, 1.00000000188),
    "leaky_relu": (0.394952857597, 0.50005, 0.344062240276, 0.50005, 0.311944325016, 1.0),
    "elu": (0.160520572267, 0.644945417493, 0.619178563372, 0.668102001223, 0.039951991939, 1.0359047186),
    "celu": (0.160520572267, 0.644945417493, 0.619178563372, 0.668102001223, 0.039951991939, 1.0359047186),
    "selu": (0, 1.0, 1.0, 1.07157499246, 0, 1.07157499246),
    "gelu_exact": (0.282094791774, 0.42522148257, 0.345644011024, 0.455850865649, 0.187143582363, 1.07203159844),
    "gelu": (0.282038588079, 0.425193711033, 0.345647945868, 0.455817845963, 0.18708123639, 1.07202396022),
    "quick_gelu": (0.282330552813, 0.421952806897, 0.342242265845, 0.449549200479, 0.18890866407, 1.06540161158),
    "silu": (0.206620964142, 0.355775519817, 0.313083296994, 0.379482351633, 0.119997640211, 1.06663424124),
    "mish": (0.240403888375, 0.452342192376, 0.39454816283, 0.479083758374, 0.127766170213, 1.0591180006),
    "softplus": (0.806059183347, 0.921245908859, 0.271514501801, 0.293379035858, 0.70527467293, 0.318458983684),
    "sigmoid": (0.5, 0.293379035858, 0.0433790358581, 0.0448362413502, 0.852139960406, 0.152827011716),
    "log_sigmoid": (-0.806059183347, 0.921245908859, 0.271514501801, 0.293379035858, 0.70527467293, 0.318458983684),
    "tanh": (0, 0.394294490398, 0.394294490398, 0.464402902448, 0, 1.1778072323),
    "lecun_tanh": (0, 0.750430276305, 0.750430276305, 0.80398911332, 0, 1.07137083711),
    "erf": (0, 0.464559054398, 0.464559054398, 0.569410034734, 0, 1.22570000379),
    "hard_tanh": (0, 0.516058550962, 0.516058550962, 0.682689492137, 0, 1.32289154179),
    "soft_sign": (0, 0.183014021267, 0.183014021267, 0.227671340422, 0, 1.24401037061),
    "arctan": (0, 0.449700916435, 0.449700916435, 0.5, 0, 1.11185008019),
    "sin": (0, 0.432332358382, 0.432332358382, 0.567667641618, 0, 1.3130352855),
    "abs": (0.797884560803, 1.0, 0.363380227632, 1.0, 0.636619772368, 1.0),
    "relu_squared": (0.5, 1.5, 1.25, 2.0, 0.166666666667, 1.33333333333),
    "hard_silu": (0.166216700656, 0.331567375138, 0.303939383561, 0.358531517179, 0.0833254223686, 1.08132326659),
    "exp": (1.6487212707, 7.38905609893, 4.67077427047, 7.38905609893, 0.367879441171, 1.0),
}
"""E f, E f², Var f, E f'², (E f)² / E f², E f'² / E f² of a standard normal input, from mpmath at 30 digits."""


@pytest.mark.parametrize("name", STANDARD)
def test_moments_under_a_standard_normal_input(name):
    before, after = through(nn.activations[name])
    mean, second, variance, slope, asymmetry, chi = map(exactly, STANDARD[name])
    assert (before.mean, before.second) == (0, 1)
    assert (after.mean, after.second, after.variance) == (mean, second, variance)
    if name in FLOAT32_SLOPES:
        slope, chi = (exactly(STANDARD[name][i], 1e-8) for i in (3, 5))
    assert (before.gradient, after.gradient) == (slope, 1)
    assert (after.asymmetry, before.gradient / after.second) == (asymmetry, chi)
    assert after.cross == exactly(STANDARD[name][0] ** 2)  # independent examples have nothing in common but the mean


CLOSED = {
    "relu": (1 / math.sqrt(2 * PI), 1 / 2, 1 / 2),
    "gelu_exact": (
        1 / (2 * math.sqrt(PI)),
        1 / 3 + 1 / (2 * PI * math.sqrt(3)),
        1 / 3 + 2 / (3 * PI * math.sqrt(3)),
    ),
    "erf": (0, 2 / PI * math.asin(2 / 3), 4 / (PI * math.sqrt(5))),
    "sin": (0, (1 - math.exp(-2)) / 2, (1 + math.exp(-2)) / 2),
    "abs": (math.sqrt(2 / PI), 1, 1),
    "exp": (math.exp(1 / 2), math.exp(2), math.exp(2)),
}


FLOAT32_SLOPES = {"erf", "gelu_exact"} if jax.__version_info__ >= (0, 12) else set()
"""Of which newer versions of JAX compute the derivative by a polynomial that is made for float32."""


@pytest.mark.parametrize("name", CLOSED)
def test_closed_forms_under_a_standard_normal_input(name):
    before, after = through(nn.activations[name])
    mean, second, slope = CLOSED[name]
    assert (after.mean, after.second) == (exactly(mean), exactly(second))
    assert before.gradient == exactly(slope, 1e-8 if name in FLOAT32_SLOPES else 1e-9)


@pytest.mark.parametrize("slope", [0.01, 0.1, 0.2, 0.25, 1.5, -0.5])
def test_leaky_relu(slope):
    """E f = (1 - a) / sqrt(2 pi), E f² = E f'² = (1 + a²) / 2."""
    before, after = through(lambda x: jax.nn.leaky_relu(x, slope))
    assert after.mean == exactly((1 - slope) / math.sqrt(2 * PI))
    assert (after.second, before.gradient) == (exactly((1 + slope**2) / 2), exactly((1 + slope**2) / 2))


def test_the_fixed_point_of_selu_attracts():
    """d(mean, variance)/d variance at (0, 1), by central differences; Klambauer et al. (2017) print the same digits."""
    low, high = (through(jax.nn.selu, Signal(0.0, 1 + h))[1] for h in (-1e-3, 1e-3))
    assert (high.mean - low.mean) / 2e-3 == pytest.approx(0.08883476, abs=1e-6)
    assert (high.variance - low.variance) / 2e-3 == pytest.approx(0.78264788, abs=1e-6)


SHAPED = {
    10: (0.5395738884, 2.2749413532, 1.0413797440),
    50: (0.3133089160, 3.4732541302, 1.0081422716),
    100: (0.2547973927, 4.1610559462, 1.0040628823),
    200: (0.2092339622, 4.9778154287, 1.0020293820),
    1000: (0.1355354670, 7.5105413832, 1.0004055473),
}
"""By depth L, beta and s of s tanh(beta x), which has unit variance, and its chi, with chi^L = 1.5."""


@pytest.mark.parametrize("depth", SHAPED)
def test_shaped_tanh_has_unit_variance(depth):
    beta, scale, chi = SHAPED[depth]
    before, after = through(lambda x: scale * jnp.tanh(beta * x))
    assert (after.mean, after.variance, before.gradient) == (exactly(0), exactly(1), exactly(chi))
    assert before.gradient**depth == pytest.approx(1.5, abs=1e-6)


def relu_moments(m, s, a=0.0):
    """E f, E f², E f'² of leaky ReLU with slope a."""
    up, density = special.ndtr(m / s), s * math.exp(-((m / s) ** 2) / 2) / math.sqrt(2 * PI)
    second = (m * m + s * s) * up + m * density
    return (
        (1 - a) * (m * up + density) + a * m,
        (1 - a * a) * second + a * a * (m * m + s * s),
        up + a * a * (1 - up),
    )


FORMULAS = {
    "relu": relu_moments,
    "leaky_relu": lambda m, s: relu_moments(m, s, 0.01),
    "abs": lambda m, s: relu_moments(m, s, -1.0),
    "sin": lambda m, s: (
        math.sin(m) * math.exp(-s * s / 2),
        (1 - math.cos(2 * m) * math.exp(-2 * s * s)) / 2,
        (1 + math.cos(2 * m) * math.exp(-2 * s * s)) / 2,
    ),
    "exp": lambda m, s: (math.exp(m + s * s / 2), *[math.exp(2 * m + 2 * s * s)] * 2),
}
"""E f, E f², E f'² for a mean and a standard deviation."""

NORMALS = [(0.0, 0.01), (0.0, 2.0), (0.7, 2.0), (-1.3, 0.25), (3.0, 0.01), (0.4, 9.0), (0.0, 25.0), (1.0, 100.0)]
"""Means and variances."""

SMALL = [normal for normal in NORMALS if normal[1] < 25]


@pytest.mark.parametrize(
    ("name", "mean", "variance"),
    [(name, *normal) for name in FORMULAS for normal in (SMALL if name == "exp" else NORMALS)],
)
def test_closed_forms_under_other_normal_inputs(name, mean, variance):
    before, after = through(nn.activations[name], Signal(mean, mean**2 + variance, mean**2))
    expected = (exactly(v, 1e-6) for v in FORMULAS[name](mean, math.sqrt(variance)))
    assert (after.mean, after.second, before.gradient) == tuple(expected)


def _softplus(x):
    return np.logaddexp(0, x)


SIGMOID, GAUSS = special.expit, lambda x: np.exp(-x * x / 2) / math.sqrt(2 * PI)
NUMPY = {
    "relu": (lambda x: np.maximum(x, 0), lambda x: x > 0, (0,)),
    "relu6": (lambda x: np.clip(x, 0, 6), lambda x: (x > 0) & (x < 6), (0, 6)),
    "elu": (lambda x: np.expm1(np.minimum(x, 0)) + np.maximum(x, 0), lambda x: np.exp(np.minimum(x, 0)), (0,)),
    "gelu_exact": (lambda x: x * special.ndtr(x), lambda x: special.ndtr(x) + x * GAUSS(x), ()),
    "silu": (lambda x: x * SIGMOID(x), lambda x: SIGMOID(x) * (1 + x * SIGMOID(-x)), ()),
    "mish": (
        lambda x: x * np.tanh(_softplus(x)),
        lambda x: np.tanh(_softplus(x)) + x * SIGMOID(x) / np.cosh(_softplus(x)) ** 2,
        (),
    ),
    "softplus": (_softplus, SIGMOID, ()),
    "sigmoid": (SIGMOID, lambda x: SIGMOID(x) * SIGMOID(-x), ()),
    "tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2, ()),
    "erf": (special.erf, lambda x: 2 * np.exp(-x * x) / math.sqrt(PI), ()),
    "hard_tanh": (lambda x: np.clip(x, -1, 1), lambda x: abs(x) < 1, (-1, 1)),
    "hard_silu": (
        lambda x: x * np.clip(x + 3, 0, 6) / 6,
        lambda x: np.where(abs(x) < 3, (2 * x + 3) / 6, x > 0),
        (-3, 3),
    ),
    "soft_sign": (lambda x: x / (1 + abs(x)), lambda x: (1 + abs(x)) ** -2, (0,)),
    "arctan": (np.arctan, lambda x: 1 / (1 + x * x), ()),
    "sin": (np.sin, np.cos, ()),
    "abs": (abs, np.sign, (0,)),
}
"""Activations in NumPy, their derivatives, and where they have kinks."""


def integral(f: Callable, kinks: tuple[float, ...], mean: float, std: float) -> float:
    """E f(mean + std z), adaptively, in pieces that end at the kinks and around zero, where functions turn."""
    turns = [(k - mean) / std for k in (*kinks, -3 * std, -3, -1, 0, 1, 3, 3 * std)]
    ends = sorted({-12.0, *(t for t in turns if abs(t) < 12), *range(-9, 10, 3), 12.0})
    parts = [
        quad(lambda z: f(mean + std * z) * GAUSS(z), a, b, epsabs=1e-14, epsrel=1e-12)[0] for a, b in pairwise(ends)
    ]
    return math.fsum(parts)


@pytest.mark.parametrize(("name", "mean", "variance"), [(name, *normal) for name in NUMPY for normal in NORMALS])
def test_integrals_under_other_normal_inputs(name, mean, variance):
    f, slope, kinks = NUMPY[name]
    before, after = through(nn.activations[name], Signal(mean, mean**2 + variance, mean**2))
    functions = f, lambda x: f(x) ** 2, lambda x: slope(x) ** 2.0
    expected = [exactly(integral(g, kinks, mean, math.sqrt(variance)), 1e-6) for g in functions]
    assert [after.mean, after.second, before.gradient] == expected


def pair_integral(f: Callable, kinks: tuple[float, ...], mean: float, std: float, c: float) -> float:
    """E f(x) f(y) by Gauss-Legendre on panels of a quarter, 8 nodes each, in both directions."""
    ends = np.unique([*np.arange(-9, 9.1, 0.25), *(t for k in kinks if abs(t := (k - mean) / std) < 9)])
    nodes, weights = np.polynomial.legendre.leggauss(8)
    half = np.diff(ends)[:, None] / 2
    z, w = (ends[:-1, None] + half + half * nodes).ravel(), (half * weights).ravel()
    kernel = np.exp(-(z[:, None] ** 2 - 2 * c * np.outer(z, z) + z**2) / (2 * (1 - c * c)))
    values = f(mean + std * z) * w
    return float(values @ kernel @ values) / (2 * PI * math.sqrt(1 - c * c))


@pytest.mark.parametrize("correlation", [0.3, 0.95])
@pytest.mark.parametrize(("mean", "variance"), [(0.0, 1.0), (0.7, 2.0), (-1.3, 0.25), (0.4, 9.0)])
@pytest.mark.parametrize("name", NUMPY)
def test_two_examples_that_are_correlated(name, mean, variance, correlation):
    signal = Signal(mean, mean**2 + variance, mean**2 + correlation * variance)
    f, _, kinks = NUMPY[name]
    expected = pair_integral(f, kinks, mean, math.sqrt(variance), correlation)
    assert through(nn.activations[name], signal)[1].cross == exactly(expected, 1e-5)


def arc_cosine(c: float) -> float:
    """Of two inputs with correlation c the correlation after ReLU, the power kept (Cho and Saul 2009)."""
    return (math.sqrt(1 - c * c) + c * (PI - math.acos(c))) / PI


PAIRS = {
    "relu": lambda q, c: q / 2 * arc_cosine(c),
    "leaky_relu": lambda q, c: q / 2 * (0.99**2 * arc_cosine(c) + 2 * 0.01 * c),
    "abs": lambda q, c: 2 * q / PI * (math.sqrt(1 - c * c) + c * math.asin(c)),
    "erf": lambda q, c: 2 / PI * math.asin(2 * c * q / (1 + 2 * q)),
    "sin": lambda q, c: math.exp(-q) * math.sinh(c * q),
    "exp": lambda q, c: math.exp(q + c * q),
}
"""E f(x) f(y) for mean zero, variances q and correlation c."""


@pytest.mark.parametrize("correlation", [0.0, 0.25, 0.75, 0.99, 1.0])
@pytest.mark.parametrize("variance", [0.3, 2.5])
@pytest.mark.parametrize("name", PAIRS)
def test_closed_forms_of_two_examples(name, variance, correlation):
    after = through(nn.activations[name], Signal(0.0, variance, correlation * variance))[1]
    assert after.cross == exactly(PAIRS[name](variance, correlation), 1e-5)


ARC_COSINE = {
    -1: 0,
    -0.5: 0.108997781044,
    0: 0.318309886184,
    0.25: 0.453309877845,
    0.5: 0.608997781044,
    0.75: 0.788002107552,
    0.9: 0.909538398845,
    0.99: 0.990300255733,
    1: 1,
}


@pytest.mark.parametrize("c", [c for c in ARC_COSINE if c >= 0])  # what examples have in common is a power
def test_correlation_of_two_examples_after_relu(c):
    assert arc_cosine(c) == pytest.approx(ARC_COSINE[c], abs=1e-12)
    assert through(jax.nn.relu, Signal(0.0, 1.0, c))[1].correlation == exactly(ARC_COSINE[c], 1e-5)


@pytest.mark.parametrize("c", ARC_COSINE)
def test_product_of_two_units_that_are_correlated(c):
    """E relu(u) relu(v) = C(c) / 2 in one example, u and v sums of the same two signals."""

    def network(_, x):
        u, w = jnp.split(x, 2, axis=-1)
        return jax.nn.relu(u) * jax.nn.relu(c * u + math.sqrt(1 - c * c) * w)

    assert propagate(network, {}, jnp.zeros(8)).rows[-1].mean == exactly(ARC_COSINE[c] / 2, 1e-5)
