"""What is predicted of layers upon layers, against closed forms and recursions: the edge of chaos, fixed points, residual
and normalized networks, zero padding. Weights are given by their law, so that nothing is sampled."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from capas import nn
from capas.signal import Entries, Flow, Signal, propagate

N = 64


def square(variance: float = 1.0) -> Entries:
    """A matrix with n Var(w) = variance."""
    return Entries((N, N), std=math.sqrt(variance / N))


def layers(f: Callable, weight: float, bias: float, q: float, c: float = 0.0, depth: int = 1) -> Flow:
    """Dense layers after an activation, at this variance and correlation."""

    def network(params, x):
        x = x * 1.0
        for w, b in params:
            x = f(x) @ w + b
        return x

    params = [(square(weight), Entries((N,), std=math.sqrt(bias)))] * depth
    return propagate(network, params, jnp.zeros(N), signal=Signal(0.0, q, c * q))


def slope(f: Callable, weight: float, bias: float, q: float) -> float:
    """Q', by central differences."""
    low, high = (layers(f, weight, bias, q * (1 + h)).rows[-1].second for h in (-1e-3, 1e-3))
    return (high - low) / (2e-3 * q)


VARIANCES = (0.1, 0.5, 1.0, 2.0)
EDGE = {
    "tanh": ((1.177569, 0.000832), (1.687975, 0.038041), (2.153303, 0.150965), (2.861162, 0.512265)),
    "erf": ((0.9292956, 0.00093638), (1.3603495, 0.0465502), (1.7562037, 0.1841397), (2.3561945, 0.6090572)),
    "sin": ((1.0996680, 0.00033201), (1.462117, 0.037883), (1.7615942, 0.2384058), (1.9640276, 1.0359724)),
    "hard_tanh": ((1.001568, 0.000135), (1.186661, 0.059635), (1.464795, 0.244080), (1.921230, 0.767113)),
    "arctan": ((1.167588, 0.000677), (1.610140, 0.026206), (2.000000, 0.100598), (2.587922, 0.341421)),
    "soft_sign": ((2.033131, 0.004803), (3.366558, 0.067804), (4.392296, 0.196148), (5.867612, 0.540470)),
    "elu": ((1.216702, 0.000818), (1.400969, 0.012321), (1.496777, 0.034660), (1.593123, 0.088070)),
    "selu": ((0.646440, 0.001343), (0.824540, 0.022413), (0.933206, 0.066794), (1.056313, 0.180492)),
    "gelu_exact": ((3.300200, 0.003996), (2.455506, 0.034543), (2.193700, 0.067192), (2.042851, 0.116322)),
    "silu": ((3.666263, 0.001991), (2.987670, 0.026226), (2.635169, 0.062472), (2.342619, 0.127889)),
    "mish": ((2.568134, 0.002093), (2.226603, 0.024422), (2.087318, 0.055818), (1.994289, 0.112002)),
    "relu": ((2.0, 0.0),) * 4,
    "leaky_relu": ((2 / 1.0001, 0.0),) * 4,
}
"""n Var(w) and Var(b) that keep gradient power (chi = 1) and these variances, to 6 decimals; of kinked ones by integrals that stop at
the kinks, as for hard tanh, n Var(w) = 1 / erf(1 / sqrt(2 q))."""


@pytest.mark.parametrize(("name", "place"), [(name, place) for name in EDGE for place in range(4)])
def test_edge_of_chaos(name, place):
    flow = layers(nn.activations[name], *EDGE[name][place], VARIANCES[place])
    assert flow.rows[-1].second == pytest.approx(VARIANCES[place], abs=2e-6)
    assert flow.rows[0].gradient == pytest.approx(1, abs=2e-6)


@pytest.mark.parametrize("q", VARIANCES)
def test_edge_of_chaos_in_closed_form(q):
    """erf: n Var(w) = pi sqrt(1 + 4q) / 4 and Q' = 1 / (1 + 2q); sin: 2 / (1 + e^-2q) and 2 / (1 + e^2q)."""
    erf, sin = math.pi * math.sqrt(1 + 4 * q) / 4, 2 / (1 + math.exp(-2 * q))
    seconds = {"erf": 2 / math.pi * math.asin(2 * q / (1 + 2 * q)), "sin": (1 - math.exp(-2 * q)) / 2}
    for name, weight, expected in (("erf", erf, 1 / (1 + 2 * q)), ("sin", sin, 2 / (1 + math.exp(2 * q)))):
        f, bias = nn.activations[name], q - weight * seconds[name]
        flow = layers(f, weight, bias, q)
        assert (flow.rows[-1].second, flow.rows[0].gradient) == (pytest.approx(q, rel=1e-6), pytest.approx(1, rel=1e-6))
        assert slope(f, weight, bias, q) == pytest.approx(expected, abs=1e-5)


SLOPES = {
    "tanh": (0.3915, 0.4611),
    "erf": (0.3333, 0.4086),
    "sin": (0.2384, 0.3130),
    "hard_tanh": (0.2911, 0.3851),
    "arctan": (0.5044, 0.5608),
    "soft_sign": (0.3832, 0.4767),
    "elu": (0.8601, 0.8910),
    "selu": (0.7304, 0.7826),
    "relu": (1.0, 1.0),
    "gelu_exact": (1.0672, 1.1441),
    "silu": (1.0993, 1.1726),
    "mish": (1.0163, 1.0763),
}
"""Q' at q = 1 on the edge of chaos, and without a bias at n Var(w) = 1 / E f², to 4 decimals; above 1 it is unstable."""


@pytest.mark.parametrize("name", SLOPES)
def test_stability_of_the_variance(name):
    f, (critical, unit) = nn.activations[name], SLOPES[name]
    gain = 1 / layers(f, 1.0, 0.0, 1.0).rows[-1].second
    assert slope(f, *EDGE[name][2], 1.0) == pytest.approx(critical, abs=7e-5)
    assert slope(f, gain, 0.0, 1.0) == pytest.approx(unit, abs=7e-5)


def test_edge_of_chaos_as_published():
    """Tanh at (1.05, 2.01e-5) (Pennington, Schoenholz and Ganguli 2017); exactly, 1.049996 at q* = 0.025919."""
    flow = layers(jnp.tanh, 1.049996, 2.01e-5, 0.025919)
    assert flow.rows[-1].second == pytest.approx(0.025919, abs=1e-6)
    assert flow.rows[0].gradient == pytest.approx(1, abs=2e-6)


CHAOS = {
    1.00: (0.193593, 0.759032, 1, 3.627),
    1.25: (0.292054, 0.863240, 1, 6.800),
    1.50: (0.418037, 0.938636, 1, 15.791),
    1.70: (0.533076, 0.986741, 1, 74.918),
    1.75: (0.563346, 0.997656, 1, 426.198),
    1.80: (0.594132, 1.008223, 0.950411, 125.784),
    2.00: (0.721762, 1.047666, 0.744082, 25.213),
    2.50: (1.063958, 1.133516, 0.446804, 11.796),
    3.00: (1.428008, 1.208934, 0.299318, 9.051),
    4.00: (2.195494, 1.342402, 0.165065, 6.980),
}
"""Tanh, Var(b) = 0.05 (Schoenholz et al. 2017): by n Var(w), the fixed point q*, chi, c*, and the depth scale of c."""


@pytest.mark.parametrize("weight", CHAOS)
def test_fixed_points_of_tanh(weight):
    """A correlation that is 0.001 below c* comes nearer by exp(-1/xi) a layer."""
    q, chi, c, xi = CHAOS[weight]
    flow = layers(jnp.tanh, weight, 0.05, q, c - 1e-3, depth=5)
    correlations = [row.correlation for row in flow.rows if row.operation == "add"]
    gradients = [flow.rows[0].gradient, *(row.gradient for row in flow.rows if row.operation == "add")]
    assert flow.rows[-1].second == pytest.approx(q, abs=2e-6)
    assert [a / b for a, b in pairwise(gradients)] == pytest.approx([chi] * 5, abs=3e-6)
    assert correlations == pytest.approx([c - 1e-3 * math.exp(-layer / xi) for layer in range(1, 6)], abs=1e-5)


TANH = {
    1.05: (0.053250, 0.048300, 1.002876),
    0.394294490398**-0.5: (1.000000, 0.394294, 1.177807),
    5 / 3: (1.178480, 0.424253, 1.209831),
    2.0: (2.121474, 0.530368, 1.362673),
}
"""Tanh without bias: by gain, q*, the variance after the activation there, and chi."""


@pytest.mark.parametrize("gain", TANH)
def test_tanh_without_bias(gain):
    q, variance, chi = TANH[gain]
    before, tanh, after = layers(jnp.tanh, gain**2, 0.0, q).rows[:3]
    assert (tanh.second, before.gradient) == (pytest.approx(variance, abs=2e-6), pytest.approx(chi, abs=2e-6))
    assert after.second == pytest.approx(q, abs=3e-6)


CORRELATIONS = {1: 0.3183098862, 2: 0.4937310902, 3: 0.6048257201, 5: 0.7359463506, 10: 0.8715355160}
CORRELATIONS |= {20: 0.9484284792, 50: 0.9878619449, 100: 0.9964231467, 200: 0.9990156436, 500: 0.9998317268}
CORRELATIONS |= {1000: 0.9999568703}
"""Between two examples after so many layers of ReLU, of inputs that are independent."""


def relu_layer(x, w):
    return jax.nn.relu(x) @ w, None


def test_correlation_after_many_layers_of_relu():
    stack = Entries((1000, N, N), std=math.sqrt(2 / N))
    flow = propagate(lambda w, x: jax.lax.scan(relu_layer, x, w)[0], stack, jnp.zeros(N), backward=False)
    rows = [row for row in flow.rows if row.operation == "dot_general"]
    assert len(rows) == 1000
    assert [rows[depth - 1].second for depth in CORRELATIONS] == pytest.approx([1] * len(CORRELATIONS), rel=1e-9)
    found = {depth: rows[depth - 1].correlation for depth in CORRELATIONS}
    assert found == pytest.approx(CORRELATIONS, abs=1e-5)


def test_loops_and_lists_of_layers_are_alike():
    def unrolled(stack, x):
        for w in stack:
            x = relu_layer(x, w)[0]
        return x

    listed = propagate(unrolled, [square(1.8)] * 20, jnp.zeros(N))
    stack = Entries((20, N, N), std=math.sqrt(1.8 / N))
    looped = propagate(lambda w, x: jax.lax.scan(relu_layer, x, w)[0], stack, jnp.zeros(N))
    for flow in (listed, looped):
        assert flow.rows[-1].correlation == pytest.approx(CORRELATIONS[20], abs=1e-5)
        products = [row for row in flow.rows if row.operation == "dot_general"]
        assert [row.second for row in products] == pytest.approx([0.9**layer for layer in range(1, 21)], rel=1e-6)
        assert [row.gradient for row in products] == pytest.approx([0.9 ** (20 - k) for k in range(1, 21)], rel=1e-6)


def residual(scale: float, weights: Sequence, x: jax.Array) -> jax.Array:
    x = x * 1.0
    for w in weights:
        x = x + scale * relu_layer(x, w)[0]
    return x


@pytest.mark.parametrize(("scale", "depth"), [(1.0, 10), (10**-0.5, 10), (0.1, 100)])
def test_residual_networks(scale, depth):
    """With He's weights variance and gradient power grow by 1 + scale² a block: 2^L, and (1 + 1/L)^L if that is 1/L."""
    flow = propagate(partial(residual, scale), [square(2.0)] * depth, jnp.zeros(N))
    growth = (1 + scale**2) ** depth
    assert flow.rows[-1].second == pytest.approx(growth, rel=1e-6)
    assert flow.rows[0].gradient == pytest.approx(growth, rel=1e-6)


def test_normalizer_free_blocks():
    """Branches that divide by the expected standard deviation add the same power each: beta² + alpha² (Brock 2021)."""

    def network(weights, x, alpha=0.2):
        for place, w in enumerate(weights):
            x = x + alpha * relu_layer(x / math.sqrt(1 + place * alpha**2), w)[0]
        return x

    flow = propagate(network, [square(2.0)] * 12, jnp.zeros(N))
    found = [row.second for row in flow.rows if row.operation == "add"]
    assert found == pytest.approx([1 + block * 0.04 for block in range(1, 13)], rel=1e-6)


def standardized(x: jax.Array, axis: int) -> jax.Array:
    centred = x - x.mean(axis, keepdims=True)
    return centred * jax.lax.rsqrt(jnp.square(centred).mean(axis, keepdims=True))


def growth(normalize: Callable, f: Callable, width: int = N, depth: int = 5) -> list[float]:
    """Factors on gradient power from product to product, backwards, the last layer first."""

    def network(weights, x):
        for w in weights:
            x = f(normalize(x @ w))
        return x

    flow = propagate(network, [Entries((width, width), std=0.3)] * depth, jnp.zeros(width))
    gradients = [row.gradient for row in flow.rows if row.operation == "dot_general"]
    return [a / b for a, b in pairwise(gradients)][::-1]


def batch_norm(x: jax.Array) -> jax.Array:
    layer = nn.BatchNorm()
    return layer.apply(*layer.init(jax.random.key(0), (N,)), x, training=True)[0]


@pytest.mark.parametrize("normalize", [batch_norm, partial(standardized, axis=0)])
def test_batch_norm_and_relu_make_gradients_explode(normalize):
    """By pi / (pi - 1) a layer, whatever the weights (Yang et al. 2019); by as much as E f'² from the input's layer."""
    *layers, first = growth(normalize, jax.nn.relu, depth=8)
    assert layers == pytest.approx([1.46694220692426] * 6, rel=1e-5)
    assert first == pytest.approx(1 / 2, rel=1e-5)


@pytest.mark.parametrize(
    ("f", "slope", "variance"),
    [
        (jnp.tanh, 0.464402902448, 0.394294490398),
        (jnp.sin, 0.567667641618, 0.432332358382),
        (jax.nn.elu, 0.668102001223, 0.619178563372),
        (jax.nn.sigmoid, 0.0448362413502, 0.0433790358581),
        (jnp.abs, 1, 0.363380227632),
        (jax.nn.gelu, 0.455817845963, 0.345647945868),
    ],
)
def test_batch_norm_and_others(f, slope, variance):
    """By E f'² / Var f a layer."""
    assert growth(partial(standardized, axis=0), f)[:-1] == pytest.approx([slope / variance] * 3, rel=1e-5)


@pytest.mark.parametrize(("f", "chi"), [(jax.nn.relu, 1), (jnp.tanh, 1.1778072323), (jax.nn.gelu, 1.07202396022)])
def test_layer_norm(f, chi):
    """By E f'² / E f² a layer, in the limit of many units: the projections are of the order 1/n."""
    assert growth(partial(standardized, axis=-1), f, width=10**6)[:-1] == pytest.approx([chi] * 3, rel=1e-5)


@pytest.mark.parametrize("f", [jax.nn.relu, jax.nn.gelu, jax.nn.softplus])
@pytest.mark.parametrize("centre", [True, False])
@pytest.mark.parametrize("orthogonal", [True, False])
def test_layer_norm_of_pairs(f, centre, orthogonal):
    """Of pairs f(z), f(-z) mirrored weights read z: a linear network of m units. On the way back a norm gives |P g|² / q.

    Orthogonal weights keep q = 1, and P g = g from the second norm on. Of independent ones q is a chi² over m, and they
    make (m - 1) / m of what is orthogonal to the signal: (m - 1) / (m - 2) a layer.
    """
    m, depth = 32, 30
    w = Entries((2 * m, 2 * m), std=(2 * m) ** -0.5, mirrored=((0, 2 * m), (1, 2 * m)), orthogonal=orthogonal)

    def network(weights, x):
        for w in weights:
            mean = x.mean(-1, keepdims=True) if centre else 0.0
            x = f((x - mean) * jax.lax.rsqrt(jnp.square(x - mean).mean(-1, keepdims=True))) @ w
        return x

    first = Entries((2 * m, 2 * m), std=(2 * m) ** -0.5, mirrored=((1, 2 * m),))
    flow = propagate(lambda w, x: network(w[1], x @ w[0]), (first, [w] * depth), jnp.zeros(2 * m))
    gradients = [row.gradient for row in flow.rows if row.operation == "dot_general"][1:-1]
    found = [a / b for a, b in pairwise(gradients)]
    assert found == pytest.approx([1 if orthogonal else (m - 1) / (m - 2)] * len(found), rel=4 / m**2)


CHANNELS = 3


def convolutions(padding: str, weights: Sequence, x: jax.Array) -> jax.Array:
    for w in weights:
        reach = w.shape[0] // 2
        if padding == "circular":
            x = jnp.pad(x, ((0, 0), (reach, reach), (reach, reach), (0, 0)), mode="wrap")
        how = "VALID" if padding == "circular" else padding
        x = jax.lax.conv_general_dilated(x, w, (1, 1), how, dimension_numbers=("NHWC", "HWIO", "NHWC"))
    return x


def padded(size: int, window: int, depth: int, padding: str = "SAME") -> Flow:
    kernel = Entries((window, window, CHANNELS, CHANNELS), std=math.sqrt(1 / (window**2 * CHANNELS)))
    image = jax.ShapeDtypeStruct((size, size, CHANNELS), jnp.float32)
    return propagate(partial(convolutions, padding), [kernel] * depth, image)


def fields(size: int, window: int, depth: int) -> list[float]:
    """Mean power by layer where it spreads over windows and what leaves the map is lost: V' = T V Tᵀ."""
    spread = sum(np.eye(size, k=k) for k in range(-(window // 2), window // 2 + 1)) / window
    field, means = np.ones((size, size)), []
    for _ in range(depth):
        field = spread @ field @ spread.T
        means.append(float(field.mean()))
    return means


PADDING = {
    (4, 3): (0.694444, 0.761567),
    (5, 3): (0.751111, 0.829345),
    (7, 3): (0.818594, 0.901081),
    (8, 3): (0.840278, 0.921207),
    (7, 5): (0.686531, 0.758242),
}
"""By size of the map and window: the factor of the first layer on mean power, and that of every layer in the end."""


@pytest.mark.parametrize(("size", "window"), PADDING)
def test_zero_padding_loses_signal(size, window):
    rows, expected = padded(size, window, 30).rows, fields(size, window, 30)
    assert [row.second for row in rows] == pytest.approx(expected, rel=1e-6)
    assert [row.gradient for row in rows] == pytest.approx([*expected[-2::-1], 1.0], rel=1e-6)
    first, last = PADDING[size, window]
    assert rows[0].second == pytest.approx(first, abs=1e-6)
    assert rows[-1].second / rows[-2].second == pytest.approx(last, abs=1e-5)


def test_thirty_zero_padded_layers_on_small_maps():
    assert padded(7, 3, 30).rows[-1].second == pytest.approx(0.0358060269, abs=1e-9)


@pytest.mark.parametrize(("size", "factor"), [(14, 0.907029), (16, 0.918403)])
def test_first_zero_padded_layer_on_larger_maps(size, factor):
    """((3H - 2) / 3H)²."""
    assert padded(size, 3, 1).rows[0].second == pytest.approx(factor, abs=1e-6)


@pytest.mark.parametrize("window", [3, 5])
def test_circular_padding_loses_nothing(window):
    rows = [row for row in padded(7, window, 5, "circular").rows if row.operation == "conv_general_dilated"]
    assert [row.second for row in rows] == pytest.approx([1] * 5, rel=1e-6)
    assert [row.gradient for row in rows] == pytest.approx([1] * 5, rel=1e-6)
