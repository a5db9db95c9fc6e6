"""Weights made for the examples that a network will see."""

import warnings

import numpy as np
import pytest

import capas
from capas import nn
from capas.errors import ArgumentError, DataError, ShapeError
from capas.weights.reader import OUTPUT

RNG = np.random.default_rng(0)
MEAN, STD = np.array([100.0, -3.0, 0.2, 7.0]), np.array([30.0, 0.01, 2.0, 5.0])
RAW = (MEAN + STD * RNG.standard_normal((5000, 4))).astype(np.float32)


def power(x):
    return float(np.square(np.asarray(x, np.float64)).mean())


def first(model, x):
    return np.asarray(x @ np.asarray(model.params["0"]["weight"]) + np.asarray(model.params["0"]["bias"]))


def test_the_first_layer_is_made_for_the_power_of_the_data():
    """Off-centre data of very different scales: 30 draws, the mean power within 4 standard errors of 1."""
    net = nn.Sequential(nn.Dense(64), "relu", nn.Dense(2))
    found = [power(first(capas.init(net, (4,), seed=s, data=RAW), RAW)) for s in range(30)]
    assert abs(np.mean(found) - 1) < 4 * np.std(found, ddof=1) / 30**0.5 + 1e-3
    assert power(first(capas.init(net, (4,), seed=0), RAW)) > 1000


@pytest.mark.parametrize("net", [nn.Sequential(nn.Dense(8), "tanh", nn.Dense(2)), nn.Sequential(nn.Dense(8))])
def test_standardization_is_folded_in(net):
    """The model of raw data is that of standardized data with the same seed."""
    folded = capas.init(net, (4,), seed=3, data=RAW, standardize=True)
    plain = capas.init(net, (4,), seed=3)
    standard = (RAW.astype(np.float64) - RAW.mean(0, dtype=np.float64)) / RAW.std(0, dtype=np.float64)
    np.testing.assert_allclose(folded(RAW[:100]), plain(standard[:100].astype(np.float32)), atol=2e-3)


def test_positions_share_the_moments_of_their_channel():
    images = (5 + 2 * RNG.standard_normal((200, 3, 3, 2))).astype(np.float32)
    net = nn.Sequential(nn.Flatten(), nn.Dense(16), "relu", nn.Dense(2))
    model = capas.init(net, (3, 3, 2), data=images, standardize=True)
    flat = images.reshape(200, -1)
    z = flat @ np.asarray(model.params["1"]["weight"]) + np.asarray(model.params["1"]["bias"])
    assert power(z) == pytest.approx(1, rel=0.1)


def test_functions_of_the_input_are_measured():
    net = nn.Sequential("relu", nn.Dense(256))
    model = capas.init(net, (4,), data=RAW)
    assert power(model(RAW)) == pytest.approx(OUTPUT, rel=0.05)


def test_bad_columns_are_named():
    bad = RAW.copy()
    bad[7, 2] = np.nan
    with pytest.raises(DataError) as caught:
        capas.init(nn.Dense(2), (4,), data=bad)
    assert str(caught.value) == (
        "init: expected finite numbers in data, got NaN or infinity in column 2. Fill them in, or leave the columns out."
    )
    bad = np.ones((5, 8), np.float32)
    with pytest.warns(UserWarning, match="equal in columns 0, 1, 2, 3, 4 and 3 more"):
        model = capas.init(nn.Dense(2), (8,), data=bad, standardize=True)
    assert np.isfinite(np.asarray(model(bad))).all()


def test_constant_columns_leave_the_others_alone():
    half = RAW.copy()
    half[:, 1] = 5.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = capas.init(nn.Sequential(nn.Dense(64)), (4,), data=half, standardize=True)
    assert power(model(half)) == pytest.approx(OUTPUT * 3 / 4, rel=0.2)


@pytest.mark.parametrize(
    ("net", "got"),
    [
        (nn.Sequential(nn.Dense(4, bias=False)), "0/weight, nn.Dense(4, bias=False)"),
        (nn.Sequential("relu", nn.Dense(4)), "1/weight, nn.Dense(4)"),
        (nn.Sequential(nn.Residual(nn.Dense(4)), nn.Dense(2)), "a network that passes the input on beside them"),
        (nn.Sequential(nn.LayerNorm(), nn.Dense(4)), "no dense layer that reads it"),
    ],
)
def test_what_cannot_be_folded_is_refused(net, got):
    with pytest.raises(ArgumentError) as caught:
        capas.init(net, (4,), data=RAW, standardize=True)
    assert f"got {got}." in str(caught.value)


def test_refusals():
    with pytest.raises(ArgumentError, match="got standardize=True alone"):
        capas.init(nn.Dense(2), (4,), standardize=True)
    with pytest.raises(ShapeError, match=r"data of shape \(n, 4\), n at least 2, got \(5000, 3\)"):
        capas.init(nn.Dense(2), (4,), data=RAW[:, :3])
