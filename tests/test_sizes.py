"""Warnings of inputs and targets of the wrong size."""

import re
import warnings
from functools import partial

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
    x = scale * np.sign(X)
    assert texts_of_inputs(NET, x) == [
        f"fit: layer 'body/0' makes of these inputs a signal of size {size}, where about 1 was meant; their largest "
        f"feature has a root mean square of {size}. Make the model for them, capas.init(..., data=x), or standardize them."
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


def test_one_feature_that_drowns_the_others():
    """An age beside numbers of 1; and the mean of a year."""
    for column in (45 + 15 * X[:, :1], 2000 + X[:, :1]):
        (text,) = texts_of_inputs(NET, np.hstack([column, X[:, 1:]]))
        assert "layer 'body/0'" in text


def test_functions_of_inputs_are_taken_into_account():
    """What comes out of v / 255 is small for standard inputs, for which the layer was made, and right for raw ones."""
    net = nn.Sequential(lambda v: v / 255, nn.Dense(16), "relu", nn.Dense(2))
    raw = RNG.uniform(0, 255, (200, 4)).astype(np.float32)
    (text,) = texts_of_inputs(net, raw)
    assert "layer '1'" in text
    assert not texts_of_inputs(net, raw, data=raw)
    assert not texts_of_inputs(nn.Sequential("tanh", NET), X)


@pytest.mark.parametrize("loss", [losses.mse, losses.mae, losses.huber, partial(losses.huber, delta=2.0)])
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


def test_one_target_of_several_and_targets_in_order():
    y = np.hstack([np.sort(X[:, :1], 0), 12 + X[:, 1:2], X[:, 2:3]])
    assert len(warned(lambda: capas.fit(capas.init(nn.Dense(3), (4,)), (X, y), loss=losses.mse, **SETTINGS))) == 1
    late = np.where(np.arange(200)[:, None] < 150, 0.0, 1000.0)
    assert len(texts_of_targets(late, losses.mse)) == 1


def test_targets_that_are_no_numbers_of_the_outputs_unit():
    assert not texts_of_targets(RNG.poisson(100, (200, 1)).astype(np.float32), losses.poisson)


def test_inputs_other_than_those_that_a_model_was_made_for():
    model = capas.init(NET, (4,), data=100 * X + 500)
    assert not warned(lambda: capas.fit(model, (100 * X + 500, LABELS), **SETTINGS))
    for x, away, apart in ((X, "5.*", "0.01"), (1000 * (100 * X + 500), "5.*e[+]03", "1e[+]03")):
        (text,) = warned(lambda x=x: capas.fit(model, (x, LABELS), **SETTINGS))
        assert re.fullmatch(
            rf"fit: layer 'body/0' was made for data: from its mean these inputs are {away} standard deviations away, and "
            rf"{apart} from each other\. Give it inputs like those of capas\.init\(\.\.\., data=x\)\.",
            text,
        )
