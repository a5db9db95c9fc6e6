"""Networks of raw inputs are trained as those of standardized ones."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import capas
from capas import nn
from capas.train import standardize_inputs
from capas.weights.data import InputData
from capas.weights.inputs import read_inputs

RNG = np.random.default_rng(0)
MEAN, STD = np.array([200.0, -3.0, 0.02, 7.0]), np.array([80.0, 1.0, 0.005, 5.0])
STANDARD = RNG.standard_normal((512, 4)).astype(np.float32)
RAW = (MEAN + STD * STANDARD).astype(np.float32)
LABELS = (STANDARD[:, 0] * STANDARD[:, 1] > 0).astype(np.int32)


def trained(model, x, **options):
    options = {"epochs": 16, "batch_size": 64, "validation": None, "progress": False} | options
    return capas.fit(model, (x, LABELS[: len(x)]), **options)[0]


def standardized(data):
    return ((data - data.mean(0, dtype=np.float64)) / data.std(0, dtype=np.float64)).astype(np.float32)


@pytest.mark.parametrize("act", ["relu", "tanh"])
def test_training_on_raw_numbers_is_that_on_standardized_ones(act):
    """Off-centre columns of sizes from 0.02 to 200; what differs is rounding, a thousandth of what is learned."""
    net = nn.Sequential(nn.Dense(32), act, nn.Dense(32), act, nn.Dense(2))
    start = capas.init(net, (4,), data=RAW, standardize=True)
    raw, plain = trained(start, RAW)(RAW), trained(capas.init(net, (4,)), standardized(RAW))(standardized(RAW))
    np.testing.assert_allclose(raw, plain, atol=1e-3)
    assert abs(raw - start(RAW)).max() > 1
    with pytest.warns(UserWarning, match="layer '0' makes of these inputs"):
        unaware = trained(replace(capas.init(net, (4,)), inputs={}), RAW)(RAW)
    assert abs(unaware - plain).max() > 1


@pytest.mark.parametrize("bias", [True, False])
def test_convolutions_too(bias):
    """Padded around: what the mean gives is the same everywhere. The raw one starts as the other by hand."""
    images = RNG.standard_normal((256, 6, 6, 2)).astype(np.float32)
    mean, std = np.array([40.0, -2.0]) * bias, np.array([10.0, 0.5])
    net = nn.Sequential(nn.Conv(8, (3, 3), padding="circular", bias=bias), "tanh", nn.Flatten(), nn.Dense(2))
    plain = capas.init(net, (6, 6, 2))
    first = plain.params["0"]
    weight = np.asarray(first["weight"]) / std[:, None]
    shift = {"bias": jnp.asarray(first["bias"] - (mean[:, None] * weight).sum((0, 1, 2)), jnp.float32)} if bias else {}
    folded = {**plain.params, "0": {"weight": jnp.asarray(weight, jnp.float32), **shift}}
    inputs = {"0": {"mean": jnp.asarray(mean, jnp.float32), "std": jnp.asarray(std, jnp.float32)}}
    raw = trained(replace(plain, params=folded, inputs=inputs), (mean + std * images).astype(np.float32))
    learned = trained(plain, images)(images)
    np.testing.assert_allclose(raw((mean + std * images).astype(np.float32)), learned, atol=1e-3)
    assert abs(learned - plain(images)).max() > 1


def test_without_standardize_features_count_by_the_size_of_what_there_is():
    """Normal ones by their deviation; one that is 40 in 1 % of the examples by E d² / E |d| = 40 / 2, not by 4."""
    rare = np.where(RNG.permutation(5000) < 50, 40.0, 0.0)
    x = np.stack([7 + 3 * RNG.standard_normal(5000), rare, np.zeros(5000), np.full(5000, 0.1)], 1)
    with pytest.warns(UserWarning, match="equal in columns 2, 3"):
        moments = capas.init(nn.Dense(2), (4,), data=x).inputs[""]
    np.testing.assert_allclose(moments["mean"], x.mean(0), rtol=1e-6)
    np.testing.assert_allclose(moments["std"], [3, (2 / np.pi) ** 0.5 * 20, 1, 1], rtol=0.05)


def test_an_optimizer_of_ones_own_sees_standard_inputs_too():
    net = nn.Sequential(nn.Dense(16), "tanh", nn.Dense(2))
    raw = trained(capas.init(net, (4,), data=RAW, standardize=True), RAW, optimizer=optax.adam(1e-2))(RAW)
    plain = trained(capas.init(net, (4,)), standardized(RAW), optimizer=optax.adam(1e-2))(standardized(RAW))
    np.testing.assert_allclose(raw, plain, atol=2e-3)


def test_weights_without_gradients_stay():
    inputs = {"0": {"mean": jnp.array([3.0]), "std": jnp.array([7.0])}}
    optimizer = standardize_inputs(optax.adam(1.0), inputs)
    params = {"0": {"weight": jnp.ones((2, 2)), "bias": jnp.ones(2)}, "1": jnp.ones(3)}
    zeros = jax.tree.map(jnp.zeros_like, params)
    updates, _ = optimizer.update(zeros, optimizer.init(params), params)
    assert all(bool((leaf == 0).all()) for leaf in jax.tree.leaves(updates))


IMAGES = RNG.normal(5, 2, (64, 6, 6, 2)).astype(np.float32)


@pytest.mark.parametrize(
    ("net", "paths"),
    [
        (nn.Sequential(nn.Conv(4, (3, 3)), "relu", nn.Conv(4, (3, 3))), ["0"]),
        (nn.Sequential(body=nn.Sequential(nn.Dropout(0.5), nn.Flatten(), nn.Dense(4)), last=nn.Dense(2)), ["body/2"]),
        (nn.Parallel([nn.Conv(4, (1, 1)), nn.Conv(4, (3, 3))]), ["0", "1"]),
        (nn.Sequential(nn.Residual(nn.Conv(2, (3, 3))), nn.Conv(4, (3, 3))), ["0/block", "1"]),
        (nn.Sequential("relu", nn.Conv(4, (3, 3))), []),
        (nn.Sequential(nn.Conv(4, (3, 3), groups=2), nn.Conv(4, (3, 3))), []),
        (nn.Repeat(nn.Conv(2, (3, 3)), 3), []),
        (nn.Sequential(nn.BatchNorm(), nn.Conv(4, (3, 3))), []),
    ],
)
def test_which_layers_read_the_input(net, paths):
    found = read_inputs(net, (6, 6, 2), InputData(IMAGES, (6, 6, 2)), standardized=True)
    assert sorted(found) == sorted(paths)
    for moments in found.values():
        np.testing.assert_allclose(moments["mean"], IMAGES.mean((0, 1, 2), dtype=np.float64), rtol=1e-6)
        np.testing.assert_allclose(moments["std"], IMAGES.std((0, 1, 2), dtype=np.float64), rtol=1e-6)


def test_features_that_are_made_positions_have_the_moments_of_all():
    flat = IMAGES.reshape(64, -1)
    net = nn.Sequential(nn.Reshape((6, 6, 2)), nn.Conv(4, (3, 3)))
    (moments,) = read_inputs(net, (72,), InputData(flat, (72,)), standardized=True).values()
    np.testing.assert_allclose([moments["mean"][0], moments["std"][0]], [flat.mean(), flat.std()], rtol=1e-5)


@pytest.mark.parametrize("net", [nn.Dense(2), nn.Sequential(body=nn.Sequential(nn.Dense(4), "relu"), last=nn.Dense(2))])
def test_they_travel_with_the_model(net, tmp_path):
    model = trained(capas.init(net, (4,), data=RAW, standardize=True), RAW, epochs=1)
    model.save(tmp_path / "model")
    found = capas.load(tmp_path / "model").inputs
    assert jax.tree.map(np.array_equal, found, model.inputs) == jax.tree.map(lambda _: True, model.inputs)
    assert list(found) == list(model.inputs) != []
