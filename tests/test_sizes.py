"""Warnings of inputs and targets of the wrong size."""

import warnings

import numpy as np
import pytest

import capas
from capas import losses, nn

RNG = np.random.default_rng(0)
X = RNG.standard_normal((200, 4)).astype(np.float32)
LABELS = (X[:, 0] > 0).astype(np.int32)
NET = nn.Sequential(body=nn.Sequential(nn.Dense(16), "relu"), head=nn.Dense(2))
SETTINGS = {"epochs": 1, "validation": None, "progress": False}


def warned(action):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        action()
    return [str(w.message) for w in caught if w.filename == __file__]


def texts_of_inputs(net, x, **options):
    return warned(lambda: capas.fit(capas.init(net, (4,), **options), (x, LABELS), **SETTINGS))


def texts_of_targets(y, loss):
    return warned(lambda: capas.fit(capas.init(nn.Dense(1), (4,)), (X, y), loss=loss, **SETTINGS))


@pytest.mark.parametrize(("scale", "size"), [(100.0, "1e+02"), (0.02, "0.02")])
def test_inputs_for_which_the_first_layer_was_not_made(scale, size):
    x = scale * X / np.square(X).mean() ** 0.5
    remedy = "Make the model for them, capas.init(..., data=x), or standardize them."
    assert texts_of_inputs(NET, x) == [
        f"fit: inputs of root mean square {size} give what layer 'body/0' writes a size of {size}; it was made for inputs "
        f"of about 1. {remedy}"
    ]
    for options in ({"data": x}, {"data": x, "standardize": True}):
        assert not texts_of_inputs(NET, x, **options)


@pytest.mark.parametrize(
    ("net", "x"),
    [
        (NET, X),
        (NET, 8 * X),
        (NET, X / 255 + 0.5),
        (nn.Sequential(nn.LayerNorm(), NET), 1000 * X),
        (NET, np.zeros_like(X)),
    ],
)
def test_inputs_that_a_network_can_bear(net, x):
    assert not texts_of_inputs(net, x)


def test_weights_that_were_made_for_the_inputs():
    """A first layer for numbers of 1000, from elsewhere: nothing says so but its size."""
    assert not texts_of_inputs(NET, 1000 * X, scheme={"body/*": capas.weights.Normal(std=0.0005), "*": "auto"})


@pytest.mark.parametrize("loss", [losses.mse, losses.mae, losses.huber])
@pytest.mark.parametrize(
    ("mean", "std", "texts"),
    [
        (150.0, 77.0, ["mean 150 and standard deviation 77"]),
        (50.0, 1.0, ["mean 50 and standard deviation 1"]),
        (0.0, 0.01, ["mean 0 and standard deviation 0.01"]),
        (2.0, 3.0, []),
        (0.0, 0.2, []),
        (5.0, 0.0, []),
    ],
)
def test_targets_far_from_one(loss, mean, std, texts):
    found = texts_of_targets(mean + std * np.tile([[-1.0], [1.0]], (100, 1)), loss)
    assert len(found) == len(texts)
    for text, wanted in zip(found, texts, strict=True):
        assert wanted in text
        assert text.endswith("Train on (y - mean) / std, or use datasets.TablePreparation.")


def test_targets_that_are_no_numbers_of_the_outputs_unit():
    assert not texts_of_targets(RNG.poisson(100, (200, 1)).astype(np.float32), losses.poisson)
