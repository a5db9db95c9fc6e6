"""Mirrored weights: how they are built, what they state, and that they are an isometry; updates that go with them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import capas
from capas import nn, weights
from capas.errors import ArgumentError

LINEAR = ["relu", "leaky_relu", "gelu", "silu", "hard_swish", "softplus"]
KEY = jax.random.key(0)


def kernel(*shape, groups=1):
    fan_in, fan_out = (int(np.prod(shape[:-2])) * n for n in shape[-2:])
    return nn.Parameter(shape, "kernel", fan_in=fan_in, fan_out=fan_out, groups=groups)


@pytest.mark.parametrize("base", [weights.Orthogonal(1.3), weights.DeltaOrthogonal(), weights.LeCun()])
@pytest.mark.parametrize("shape", [(8, 6), (3, 3, 8, 6)])
def test_halves_and_signs(base, shape):
    w = np.asarray(weights.Mirrored(base).sample(KEY, kernel(*shape)))
    assert w.shape == shape
    q = w[..., :4, :3]
    assert np.abs(q).max() > 0
    np.testing.assert_array_equal(w[..., :4, 3:], -q)
    np.testing.assert_array_equal(w[..., 4:, :3], -q)
    np.testing.assert_array_equal(w[..., 4:, 3:], q)


def test_the_first_and_the_last_of_a_stretch():
    first = np.asarray(weights.Mirrored(inputs=False).sample(KEY, kernel(8, 6)))
    np.testing.assert_array_equal(first[:, 3:], -first[:, :3])
    last = np.asarray(weights.Mirrored(outputs=False).sample(KEY, kernel(8, 6)))
    np.testing.assert_array_equal(last[4:], -last[:4])


@pytest.mark.parametrize("base", [weights.Orthogonal(1.3), weights.DeltaOrthogonal(), weights.LeCun()])
@pytest.mark.parametrize("shape", [(9, 7), (9, 6), (8, 7), (3, 3, 9, 7)])
def test_an_odd_one_is_written_and_not_read(base, shape):
    """It is the sum of all m pairs over the root of m: as large as they are."""
    w = np.asarray(weights.Mirrored(base).sample(KEY, kernel(*shape)))
    q = w[..., :4, :3]
    np.testing.assert_array_equal(w[..., :4, 3:6], -q)
    np.testing.assert_array_equal(w[..., 4:8, :6], -w[..., :4, :6])
    np.testing.assert_allclose(w[..., :4, 6:].sum(-1), q.sum(-1) / 3**0.5 * (shape[-1] % 2), atol=1e-6)
    assert not w[..., 8:, :].any()


def test_an_odd_number_of_channels_at_every_position():
    w = np.asarray(weights.Mirrored(inputs=5, outputs=False).sample(KEY, kernel(15, 7))).reshape(3, 5, 7)
    np.testing.assert_array_equal(w[:, 2:4], -w[:, :2])
    assert w[:, :2].any(axis=(1, 2)).all()
    assert not w[:, 4].any()


def test_odd_ones_are_trained():
    """What reads them gets a gradient at once, and they do after the first step."""
    net = nn.Sequential(nn.Dense(9), *["relu", nn.Dense(9)] * 2, "relu", nn.Dense(2))
    model = capas.init(net, (4,))
    x, y = jax.random.normal(KEY, (64, 4)), jnp.arange(64) % 2
    model, _ = capas.fit(model, (x, y), epochs=2, batch_size=16, validation=None, progress=False)
    before = capas.init(net, (4,)).params
    assert all(model.params[i]["weight"][8].all() and not before[i]["weight"][8].any() for i in "246")
    assert all((model.params[i]["weight"][:, 8] != before[i]["weight"][:, 8]).any() for i in "024")


def test_channels_at_every_position():
    """Twelve inputs are three positions of four channels: the signs change within each."""
    w = np.asarray(weights.Mirrored(inputs=4, outputs=False).sample(KEY, kernel(12, 5))).reshape(3, 2, 2, 5)
    np.testing.assert_array_equal(w[:, 1], -w[:, 0])
    assert not np.allclose(w[0, 0], w[1, 0])


@pytest.mark.parametrize("scheme", [weights.Mirrored(weights.LeCun()), weights.Mirrored(weights.He(), inputs=False)])
@pytest.mark.parametrize("shape", [kernel(200, 150), kernel(201, 151)], ids=["even", "odd"])
def test_the_law_is_that_of_the_draws(scheme, shape):
    """Mean and variance of 40 x 30 000 entries; half or a quarter of them are independent. Odd ones are 0 as inputs."""
    draws = np.stack([scheme.sample(k, shape) for k in jax.random.split(KEY, 40)]).astype(np.float64)
    law = scheme.law(shape)
    assert abs(draws[..., : shape.shape[-1] // 2 * 2].mean()) < 1e-9
    draws = draws[:, : shape.shape[-2] // 2 * 2] if scheme.inputs else draws
    assert np.square(draws).mean() == pytest.approx(law.variance, rel=5 * (2 / (draws.size / 4)) ** 0.5)


@pytest.mark.parametrize(
    ("scheme", "shape"),
    [
        (weights.Mirrored(), kernel(1, 6)),
        (weights.Mirrored(), kernel(8, 1)),
        (weights.Mirrored(inputs=4), kernel(10, 6)),
        (weights.Mirrored(), kernel(3, 3, 4, 8, groups=2)),
    ],
)
def test_refusals(scheme, shape):
    with pytest.raises(ArgumentError) as caught:
        scheme.sample(KEY, shape)
    assert str(caught.value) == (
        f"Mirrored: expected sides of two units or more, without groups, got {shape.shape}. Use wider layers, and set "
        "inputs=False or outputs=False for a side of one unit."
    )


@pytest.mark.parametrize("name", LINEAR)
@pytest.mark.parametrize("odd", [0, 1])
def test_default_weights_are_an_isometry_at_any_depth(name, odd):
    """50 layers in float64: norms of what they give, and of the gradient of the difference that carries the signal."""
    net = nn.Sequential(nn.Dense(32 + odd), *[nn.Activation(name), nn.Dense(32 + odd)] * 50, name, nn.Dense(8))
    with jax.enable_x64(True):
        kernels = [capas.init(net, (16,)).params[str(2 * i)]["weight"].astype(jnp.float64) for i in range(51)]

        def body(z):
            for w in kernels[1:]:
                z = nn.Activation(name)(z) @ w
            return z

        first = jax.random.normal(KEY, (5, 16), jnp.float64) @ kernels[0]
        last, back = jax.vjp(body, first)
        half = jax.random.normal(KEY, (5, 16), jnp.float64)
        (gradient,) = back(jnp.concatenate([half, -half, jnp.zeros((5, odd))], axis=1))
        norm = lambda x: np.sqrt(np.square(np.asarray(x)).sum(1))  # noqa: E731
        np.testing.assert_allclose(norm(last[:, :32]), norm(first[:, :32]), rtol=1e-5)
        np.testing.assert_allclose(norm(gradient[:, :16] - gradient[:, 16:32]), 2 * norm(half), rtol=1e-5)


@pytest.mark.parametrize("name", ["sigmoid", "elu", "mish", "exp"])
def test_what_is_read_of_any_activation_has_no_mean(name):
    w = weights.Mirrored().sample(KEY, kernel(64, 64))
    z = jax.random.normal(KEY, (100, 32))
    y = nn.Activation(name)(jnp.concatenate([z, -z], axis=1)) @ w
    np.testing.assert_allclose(y[:, :32], -y[:, 32:], atol=1e-5)
