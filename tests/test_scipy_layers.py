"""Layers against SciPy, the lecture's formulas, and what they do in training only."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage, signal, special

from capas import nn
from capas.errors import ArgumentError

pytestmark = pytest.mark.usefixtures("strict_promotion")

RNG = np.random.default_rng
BOX = [(13,), (7, 6), (5, 4, 6)]
WINDOW = [(4,), (3, 2), (3, 2, 3)]


def apply64(layer, params, x, **how):
    """Outputs in float64."""
    with jax.enable_x64(True):
        y, _ = layer.apply(jax.tree.map(jnp.asarray, params), {}, jnp.asarray(x), **how)
        return np.asarray(y)


def kernel(window, channels, features, seed=0):
    return RNG(seed).normal(0.2, 1.0, (*window, channels, features))


@pytest.mark.parametrize(("sizes", "window"), list(zip(BOX, WINDOW, strict=True)), ids=["1d", "2d", "3d"])
@pytest.mark.parametrize("mode", ["same", "valid"])
def test_conv_is_scipys_correlation_summed_over_channels(sizes, window, mode):
    x = RNG(1).normal(0.7, 1.0, (2, *sizes, 3))
    weight, bias = kernel(window, 3, 2), np.array([0.3, -0.6])
    # SciPy puts the odd zero of an even window below, capas above: flipped, one is the other.
    flip = tuple(range(len(window)))

    def correlate(image, taps):
        if mode == "valid":
            return signal.correlate(image, taps, "valid")
        return np.flip(signal.correlate(np.flip(image, flip), np.flip(taps, flip), "same"), flip)

    wanted = [
        [sum(correlate(x[n, ..., c], weight[..., c, o]) for c in range(3)) + bias[o] for o in range(2)]
        for n in range(2)
    ]
    found = apply64(nn.Conv(2, window, padding=mode), {"weight": weight, "bias": bias}, x)
    np.testing.assert_allclose(found, np.moveaxis(np.array(wanted), 1, -1), rtol=0, atol=1e-12)


@pytest.mark.parametrize(("sizes", "window"), list(zip(BOX, WINDOW, strict=True)), ids=["1d", "2d", "3d"])
def test_circular_conv_is_scipys_correlation_that_wraps(sizes, window):
    x = RNG(1).normal(0.7, 1.0, (2, *sizes, 3))
    weight = kernel(window, 3, 2)
    origin = [-1 if n % 2 == 0 else 0 for n in window]  # capas puts the odd position of an even window above
    wanted = [
        [
            sum(ndimage.correlate(x[n, ..., c], weight[..., c, o], mode="wrap", origin=origin) for c in range(3))
            for o in range(2)
        ]
        for n in range(2)
    ]
    found = apply64(nn.Conv(2, window, padding="circular", bias=False), {"weight": weight}, x)
    np.testing.assert_allclose(found, np.moveaxis(np.array(wanted), 1, -1), rtol=0, atol=1e-12)


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("dilation", [1, 2])
def test_conv_transpose_is_the_adjoint_of_conv(padding, dilation):
    """<Conv x, y> = <x, ConvTranspose y> with input and output channels of the kernel exchanged."""
    how = {"stride": 2, "dilation": dilation, "padding": padding, "bias": False}
    weight = kernel((4, 3), 3, 2)
    conv, transpose = nn.Conv(2, (4, 3), **how), nn.ConvTranspose(3, (4, 3), **how)
    shape = transpose.output_shape((5, 4, 2))
    assert conv.output_shape(shape) == (5, 4, 2)
    x, y = RNG(1).normal(0.7, 1.0, (1, *shape)), RNG(2).normal(0.7, 1.0, (1, 5, 4, 2))
    there = np.vdot(apply64(conv, {"weight": weight}, x), y)
    back = np.vdot(x, apply64(transpose, {"weight": weight.swapaxes(-1, -2)}, y))
    np.testing.assert_allclose(there, back, rtol=1e-12)


def test_dense_is_the_lectures_formula():
    """Y = [1 X] Wᵀ with W = [bias | weightᵀ], examples in the rows."""
    matrix, x = RNG(0).normal(0.7, 1.0, (3, 5)), RNG(1).normal(0.7, 1.0, (6, 4))
    with jax.enable_x64(True):
        layer, params = nn.Dense.from_augmented(jnp.asarray(matrix))
        y, _ = layer.apply(params, {}, jnp.asarray(x))
        np.testing.assert_allclose(y, np.hstack([np.ones((6, 1)), x]) @ matrix.T, rtol=1e-12)
        np.testing.assert_array_equal(layer.augmented(params), matrix)
    bare = nn.Dense(3, bias=False).augmented({"weight": jnp.asarray(matrix[:, 1:].T)})
    np.testing.assert_array_equal(bare, np.float32(np.hstack([np.zeros((3, 1)), matrix[:, 1:]])))


LOGITS = np.array([[1e4, -1e4, 0.0], [-1e4, -1e4, -1e4], [1e4, 1e4 - 1, 1e4 - 2], [0.7, -0.3, 2.0]])


@pytest.mark.parametrize(
    ("layer", "oracle"),
    [(nn.Softmax(), special.softmax), (nn.LogSoftmax(), special.log_softmax)],
    ids=["softmax", "log"],
)
def test_softmax_is_safe_at_any_size(layer, oracle):
    np.testing.assert_allclose(apply64(layer, {}, LOGITS), oracle(LOGITS, axis=-1), rtol=1e-13)
    single = np.float32(LOGITS)
    np.testing.assert_allclose(
        layer.apply({}, {}, jnp.asarray(single))[0], oracle(np.float64(single), axis=-1), rtol=1e-6
    )
    slopes = jax.grad(lambda x: layer.apply({}, {}, x)[0][:, 0].sum())(jnp.asarray(single))
    assert np.isfinite(slopes).all()


PARAMS = {"scale": np.array([1.5, 0.5], np.float32), "bias": np.array([0.2, -0.4], np.float32)}
STATE = {"mean": np.array([0.3, -1.0], np.float32), "variance": np.array([2.0, 0.5], np.float32)}


@pytest.mark.parametrize("positions", [(), (3, 2)], ids=["features", "positions"])
def test_batch_norm_in_training_uses_the_batch_and_follows_it(positions):
    x = RNG(0).normal(0.7, 1.0, (5, *positions, 2)).astype(np.float32)
    rows = np.float64(x).reshape(-1, 2)
    mean, variance = rows.mean(0), rows.var(0)
    y, state = nn.BatchNorm(momentum=0.8, epsilon=0.01).apply(PARAMS, STATE, jnp.asarray(x), training=True)
    wanted = PARAMS["scale"] * (rows - mean) / np.sqrt(variance + 0.01) + PARAMS["bias"]
    np.testing.assert_allclose(np.reshape(y, (-1, 2)), wanted, rtol=0, atol=2e-6)
    np.testing.assert_allclose(state["mean"], 0.8 * STATE["mean"] + 0.2 * mean, rtol=1e-6)
    np.testing.assert_allclose(state["variance"], 0.8 * STATE["variance"] + 0.2 * variance, rtol=1e-6)


def test_batch_norm_outside_training_uses_the_running_statistics_and_keeps_them():
    x = jnp.asarray(RNG(0).normal(0.7, 1.0, (5, 2)), jnp.float32)
    y, state = nn.BatchNorm().apply(PARAMS, STATE, x)
    wanted = PARAMS["scale"] * (x - STATE["mean"]) / np.sqrt(STATE["variance"] + 1e-5) + PARAMS["bias"]
    np.testing.assert_allclose(y, wanted, rtol=0, atol=2e-6)
    assert state == STATE


def test_batch_norm_of_a_last_batch_of_one_gives_the_bias_and_keeps_the_variance():
    x = jnp.array([[3.0, -7.0]])
    y, state = nn.BatchNorm().apply(PARAMS, STATE, x, training=True)
    np.testing.assert_array_equal(y[0], PARAMS["bias"])
    np.testing.assert_array_equal(state["variance"], STATE["variance"])
    np.testing.assert_allclose(state["mean"], 0.9 * STATE["mean"] + 0.1 * np.array([3.0, -7.0]), rtol=1e-6)
    slopes = jax.grad(lambda x: nn.BatchNorm().apply(PARAMS, STATE, x, training=True)[0].sum())(x)
    assert np.isfinite(slopes).all()


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.8])
def test_dropout_zeroes_its_share_and_keeps_the_mean(rate):
    n, mean, variance = 200_000, 0.7, 1.0
    x = RNG(0).normal(mean, variance**0.5, (4, n // 4)).astype(np.float32)
    y, _ = nn.Dropout(rate).apply({}, {}, jnp.asarray(x), key=jax.random.key(0), training=True)
    y = np.float64(y)
    kept = y != 0
    np.testing.assert_allclose(y[kept], x[kept] / (1 - rate), rtol=1e-6)
    assert abs((~kept).mean() - rate) < 5 * np.sqrt(rate * (1 - rate) / n)
    # Given x, the variance of y is x² rate / (1 - rate).
    error = np.sqrt(rate / (1 - rate) * (mean**2 + variance) / n)
    assert abs(y.mean() - x.mean(dtype=np.float64)) < 5 * error
    # The documented variance; that of an estimated variance is the variance of the squared deviations over n.
    documented = (variance + rate * mean**2) / (1 - rate)
    assert abs(y.var() - documented) < 5 * np.square(y - y.mean()).std() / np.sqrt(n)


def test_dropout_draws_every_entry_anew_and_only_by_its_key():
    x = jnp.ones((64, 64))
    first, again, other = (
        nn.Dropout(0.5).apply({}, {}, x, key=jax.random.key(seed), training=True)[0] for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    # Two independent fair masks agree in half of n entries, with standard error 1 / (2 sqrt(n))
    for mask, shifted in ((first, other), (first, jnp.roll(first, 1, 0)), (first, jnp.roll(first, 1, 1))):
        assert abs(float((mask == shifted).mean()) - 0.5) < 5 * 0.5 / 64


def test_dropout_in_training_needs_a_key():
    net = nn.Sequential(nn.Dense(2), nn.Dropout(0.1))
    params, state = net.init(jax.random.key(0), (3,))
    with pytest.raises(ArgumentError) as caught:
        net.apply(params, state, jnp.ones((1, 3)), training=True)
    assert str(caught.value) == (
        "Dropout '1': expected a random key in training, got key=None. "
        "Call apply(..., key=jax.random.key(seed), training=True)."
    )


def test_dropout_of_nothing_needs_no_key():
    x = jnp.ones((2, 3))
    assert nn.Dropout(0).apply({}, {}, x, training=True)[0] is x


def sigmoid(z):
    return special.expit(z)


def clip(z, low, high):
    return np.minimum(np.maximum(z, low), high)


# All kinks lie at multiples of 1/2, none of these points does.
GRID = np.arange(-70, 70) / 10 + 0.033
SELU = (1.0507009873554805, 1.6732632423543772)  # Klambauer et al. (2017), "Self-normalizing neural networks", eq. 14

FORMULAS = {
    "identity": lambda z: z,
    "relu": lambda z: np.where(z > 0, z, 0),
    "relu6": lambda z: clip(z, 0, 6),
    "relu_squared": lambda z: np.where(z > 0, z**2, 0),
    "leaky_relu": lambda z: np.where(z > 0, z, 0.01 * z),
    "elu": lambda z: np.where(z > 0, z, special.expm1(z)),
    "celu": lambda z: np.where(z > 0, z, special.expm1(z)),
    "selu": lambda z: SELU[0] * np.where(z > 0, z, SELU[1] * special.expm1(z)),
    "gelu": lambda z: z / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z**3))),
    "gelu_exact": lambda z: z * special.ndtr(z),
    "quick_gelu": lambda z: z * sigmoid(1.702 * z),
    "silu": lambda z: z * sigmoid(z),
    "mish": lambda z: z * np.tanh(np.log1p(np.exp(z))),
    "softplus": lambda z: np.log1p(np.exp(z)),
    "squareplus": lambda z: (z + np.sqrt(z**2 + 4)) / 2,
    "sparse_plus": lambda z: np.where(z <= -1, 0, np.where(z >= 1, z, (z + 1) ** 2 / 4)),
    "sigmoid": sigmoid,
    "log_sigmoid": special.log_expit,
    "hard_sigmoid": lambda z: clip(z + 3, 0, 6) / 6,
    "sparse_sigmoid": lambda z: clip((z + 1) / 2, 0, 1),
    "hard_silu": lambda z: z * clip(z + 3, 0, 6) / 6,
    "tanh": np.tanh,
    "lecun_tanh": lambda z: 1.7159 * np.tanh(2 * z / 3),
    "hard_tanh": lambda z: clip(z, -1, 1),
    "tanh_shrink": lambda z: z - np.tanh(z),
    "soft_sign": lambda z: z / (1 + np.abs(z)),
    "soft_shrink": lambda z: np.where(z > 0.5, z - 0.5, np.where(z < -0.5, z + 0.5, 0)),
    "hard_shrink": lambda z: np.where((z > 0.5) | (z < -0.5), z, 0),
    "erf": special.erf,
    "arctan": np.arctan,
    "sin": np.sin,
    "abs": np.abs,
    "exp": np.exp,
}


def test_every_named_activation_has_a_formula():
    assert FORMULAS.keys() == nn.activations.keys()


named = pytest.mark.parametrize("name", sorted(nn.activations))


def values_and_slopes(name, z):
    return jax.jit(jax.vmap(jax.value_and_grad(nn.Activation(name))))(z)


@named
def test_named_activations_and_their_slopes_are_those_of_their_formulas(name):
    formula, step = FORMULAS[name], 1e-5
    with jax.enable_x64(True):
        values, slopes = values_and_slopes(name, GRID)
    np.testing.assert_allclose(values, formula(GRID), rtol=1e-13, atol=1e-14)
    wanted = (formula(GRID + step) - formula(GRID - step)) / (2 * step)
    np.testing.assert_allclose(slopes, wanted, rtol=1e-7, atol=1e-8)


@named
def test_named_activations_in_float32(name):
    """To about ten roundings of input, output or 1, and finite far out."""
    grid = np.float32(np.concatenate([GRID, [-80.0, 0.0, 80.0]]))
    values, slopes = values_and_slopes(name, grid)
    wanted = FORMULAS[name](np.float64(grid))
    np.testing.assert_array_less(
        np.abs(values - wanted), 1e-6 * np.maximum(np.maximum(np.abs(wanted), np.abs(grid)), 1)
    )
    assert np.isfinite(slopes).all()
