"""Weights made for the examples that a network will see."""

import warnings
from datetime import date
from decimal import Decimal

import jax
import numpy as np
import pandas as pd
import pytest

import capas
from capas import nn
from capas.errors import ArgumentError, DataError, ShapeError
from capas.weights.reader import OUTPUT

RNG = np.random.default_rng(0)
MEAN, STD = np.array([100.0, -3.0, 0.2, 7.0]), np.array([30.0, 0.01, 2.0, 5.0])
RAW = (MEAN + STD * RNG.standard_normal((5000, 4))).astype(np.float32)


CENTRED = np.random.default_rng(1).standard_normal((500, 4))
BEFORE = "Standardize the data before, with datasets.ImagePreparation or TablePreparation, or leave the columns out."


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


@pytest.mark.parametrize(
    ("net", "data", "expected", "got"),
    [
        (nn.Dense(8), np.zeros((10, 4)), "are not zero everywhere", "zeros"),
        (
            nn.Sequential("relu", nn.Dense(8)),
            -abs(CENTRED),
            "are not zero everywhere",
            "zeros behind nn.Activation('relu')",
        ),
        (nn.Dense(8), np.full((10, 4), -2e35), "have a root mean square from 1e-30 to 1e+30", "2e+35"),
        (
            nn.Sequential("relu_squared", nn.Dense(8)),
            np.full((10, 4), 3e20),
            "have a root mean square from 1e-30 to 1e+30",
            "9e+40 behind nn.Activation('relu_squared')",
        ),
        (
            nn.Sequential("exp", nn.Dense(8)),
            np.full((10, 4), 1e3),
            "have a root mean square from 1e-30 to 1e+30",
            "inf behind nn.Activation('exp')",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:init. all numbers are equal")
def test_a_power_that_no_weights_can_undo_is_refused(net, data, expected, got):
    with pytest.raises(ArgumentError) as caught:
        capas.init(net, (4,), data=data)
    path = "weight" if isinstance(net, nn.Dense) else "1/weight"
    assert str(caught.value) == (
        f"init {path!r}: expected examples that {expected} where the first layer reads them, got {got}. "
        "Rescale them, give it others, or leave data out."
    )


@pytest.mark.parametrize("size", [1e25, 1e-25])
def test_the_power_of_very_large_and_very_small_data_is_measured(size):
    """Their squares are no numbers of float32. Rows of the weights are orthogonal, so that the power is exact."""
    data = (size * (3 + CENTRED)).astype(np.float32)
    weight = capas.init(nn.Sequential(nn.Dense(64), "relu", nn.Dense(2)), (4,), data=data).params["0"]["weight"]
    assert power(data.astype(np.float64) @ np.asarray(weight, np.float64)) == pytest.approx(1, rel=1e-4)


def test_functions_that_cannot_be_computed_in_float64_are_measured_in_float32():
    net = nn.Sequential(nn.Activation(lambda x: jax.lax.add(x, np.full(x.shape, 3, np.float32))), nn.Dense(64))
    model = capas.init(net, (4,), data=RAW)
    assert power(model(RAW)) == pytest.approx(OUTPUT, rel=0.05)


DEEP = nn.Sequential(nn.Dense(32), "relu", nn.Dense(32), "relu", nn.Dense(3))


@pytest.mark.parametrize("mean", [0.0, 1e3, -9e4])
def test_large_means_are_folded_in(mean):
    """Up to what is left of the numbers in float32, which rounds each by 6e-8 of its size, and every sum of four."""
    data = mean + CENTRED * [1, 1, 1, 2]
    folded, plain = capas.init(DEEP, (4,), data=data, standardize=True), capas.init(DEEP, (4,))
    standard = (data - data.mean(0)) / data.std(0)
    difference = folded(data.astype(np.float32)) - plain(standard.astype(np.float32))
    assert np.abs(difference).max() < 1e-6 + 4 * 6e-8 * abs(mean)


def test_columns_too_narrow_for_float32_are_not_folded():
    data = 1e6 + CENTRED
    data[:, 3] *= -1
    data[:, 2] = CENTRED[:, 2]
    with pytest.raises(DataError) as caught:
        capas.init(DEEP, (4,), data=data, standardize=True)
    assert str(caught.value) == (
        "init: expected columns with a standard deviation of at least 1e-05 of their mean, "
        f"got less, too little for float32, in columns 0, 1, 3. {BEFORE}"
    )


@pytest.mark.parametrize("data", [1e6 + CENTRED, (CENTRED - CENTRED.mean(0)) / CENTRED.std(0)])
def test_whether_a_fold_is_possible_does_not_depend_on_the_data(data):
    with pytest.raises(ArgumentError, match="got a network that passes the input on beside them"):
        capas.init(nn.Residual(nn.Dense(4)), (4,), data=data, standardize=True)


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("data", [1e6 + 1e-3 * CENTRED, (2**30 + np.arange(40) % 7).reshape(10, 4)])
def test_numbers_that_only_float32_makes_equal_are_not_said_to_be_equal(data, standardize):
    with pytest.raises(DataError) as caught:
        capas.init(DEEP, (4,), data=data, standardize=standardize)
    assert str(caught.value) == (
        f"init: expected numbers that differ in float32, got some that it makes equal in columns 0, 1, 2, 3. {BEFORE}"
    )


@pytest.mark.parametrize("value", [0.3, 1e9])
def test_equal_numbers_of_any_size_say_nothing(value):
    """Also those that rounding in float64 keeps from being equal. What the other columns say is left as it is."""
    data = 2 + CENTRED
    data[:, 1] = value * (1 + 2e-16 * (np.arange(500) % 2))
    with pytest.warns(UserWarning, match="all numbers are equal in column 1, which say nothing"):
        folded = capas.init(DEEP, (4,), data=data, standardize=True)
    standard = (data - data.mean(0)) / np.where(np.arange(4) == 1, 1, data.std(0))
    standard[:, 1] = 0
    np.testing.assert_allclose(folded(data.astype(np.float32)), capas.init(DEEP, (4,))(standard), atol=1e-5)


def test_numbers_too_large_for_float32_are_refused():
    with pytest.raises(DataError) as caught:
        capas.init(DEEP, (4,), data=CENTRED * [1, 1e39, 1, 1])
    assert str(caught.value) == (
        "init: expected numbers in data that float32 can hold, got larger ones in column 1. "
        "Rescale them, or leave the columns out."
    )


@pytest.mark.parametrize(
    ("data", "got"),
    [
        (np.array([["a", "1"], ["b", "2"]]), "str in columns 0, 1"),
        (np.array([[1.0, "1"], [2, None]], object), "str in column 1"),
        (np.array([[1, date(2020, 1, 1)], ["a", 2]], object), "date, str in columns 0, 1"),
        (np.array([[1j, 2], [3, 4]]), "complex in columns 0, 1"),
        (pd.DataFrame({"age": [3, 4], "city": ["Rome", "Lima"]}), "str in column 'city'"),
    ],
)
def test_what_is_no_number_is_refused(data, got):
    with pytest.raises(DataError) as caught:
        capas.init(nn.Dense(2), (2,), data=data)
    assert str(caught.value) == (
        f"init: expected numbers in data, got {got}. "
        "Make numbers of them, as datasets.TablePreparation does, or leave the columns out."
    )


def test_numbers_of_all_kinds_are_taken():
    wanted = capas.init(DEEP, (2,), data=np.array([[1.0, 0.0], [2.0, 1.0], [4.0, 1.0]]), standardize=True)
    kinds = np.float16, np.int8, "bfloat16", object
    tables = [jax.numpy.array([[1, 0], [2, 1], [4, 1]], kind) for kind in kinds[:3]]
    tables += [pd.DataFrame({"a": [1, 2, 4], "b": [False, True, True]}), [[Decimal(1), False], [2, True], [4.0, True]]]
    for data in tables:
        model = capas.init(DEEP, (2,), data=data, standardize=True)
        np.testing.assert_array_equal(model.params["0"]["weight"], wanted.params["0"]["weight"])


@pytest.mark.parametrize(
    ("columns", "named"), [(["age", "income"], "'income'"), ([7, 8], "8"), ([("a", 1), ("a", 2)], "1")]
)
def test_columns_of_a_frame_are_named(columns, named):
    frame = pd.DataFrame([[1.0, 2.0], [3.0, np.nan]], columns=columns)
    with pytest.raises(DataError, match=f"got NaN or infinity in column {named}. Fill"):
        capas.init(nn.Dense(2), (2,), data=frame)
    with pytest.warns(UserWarning, match=f"all numbers are equal in column {named}, which"):
        capas.init(nn.Dense(2), (2,), data=frame.fillna(2.0))
    frame.iloc[:, 1] = [1e6, 1e6 + 1]
    with pytest.raises(DataError, match=f"too little for float32, in column {named}. Standardize"):
        capas.init(nn.Dense(2), (2,), data=frame, standardize=True)


SIDES = nn.Parallel(("relu", "sigmoid"), "concatenate")
SKIP = nn.Residual(nn.Sequential(nn.Dense(12), "tanh", nn.Dense(12)))
NETS = {
    "dropout behind sigmoid": (nn.Sequential("sigmoid", nn.Dropout(0.5), nn.Dense(24)), 1.0),
    "activations side by side": (nn.Sequential(SIDES, nn.Dense(24)), 1.0),
    "a skip of large inputs": (nn.Sequential(SKIP, nn.Dense(8)), 1.5),
    "beside the input": (nn.Sequential(nn.Parallel((nn.Dense(12), nn.Sequential()), "concatenate"), nn.Dense(8)), 1.0),
}


@pytest.mark.parametrize("scale", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("name", NETS)
def test_what_stands_behind_the_input_is_measured_too(name, scale):
    """In training, mean over 20 draws: the output's power, times what branches add, within four standard errors."""
    net, added = NETS[name]
    x = (scale * (1 + RNG.standard_normal((1000, 12)))).astype(np.float32)

    def drawn(seed):
        model = capas.init(net, (12,), seed=seed, data=x)
        return power(net.apply(model.params, model.state, x, key=jax.random.key(seed), training=True)[0])

    found = [drawn(seed) for seed in range(20)]
    assert abs(np.mean(found) / added - OUTPUT) < 4 * np.std(found, ddof=1) / 20**0.5 + 0.01 * OUTPUT


def test_standardized_weights_take_off_the_mean_of_examples():
    net = nn.Sequential(nn.WeightStandardized(nn.Dense(64)), "tanh", nn.Dense(2))
    x = 10 + RNG.standard_normal((2000, 64)).astype(np.float32)
    given = capas.init(net, (64,), data=x).params["0"]
    assert power(net.layers[0][1].apply(given, {}, x)[0]) == pytest.approx(1, rel=0.03)
