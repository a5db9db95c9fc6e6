"""Models: calls, files, and what they refuse."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file

import capas
from capas import nn
from capas.errors import ArgumentError, DataError, ShapeError

NET = nn.Sequential(
    encoder=nn.Sequential(nn.Flatten(), nn.Dense(5), "tanh", nn.BatchNorm()),
    body=nn.Repeat(nn.Residual(nn.Dense(5), scale=0.5), 3),
    head=nn.Dense(2, bias=False),
)


@pytest.fixture
def model():
    return capas.init(NET, input_shape=(2, 3), seed=1, metadata={"classes": ["a", "b"]})


def test_leading_axes_are_all_batch(model):
    x = np.random.default_rng(0).normal(0.7, 1, (4, 5, 2, 3)).astype(np.float32)
    y = model(x)
    assert y.shape == (4, 5, 2)
    np.testing.assert_allclose(y[2, 3], model(x[2, 3]), rtol=1e-6, atol=1e-6)


def test_predict_equals_call_for_any_number_of_examples(model):
    x = np.random.default_rng(0).normal(0.7, 1, (11, 2, 3)).astype(np.float32)
    for batch_size in (4, 11, 50):
        np.testing.assert_allclose(model.predict(x, batch_size), model(x), rtol=1e-6, atol=1e-6)


def test_the_seed_decides_the_weights(model):
    again, other = (capas.init(NET, input_shape=(2, 3), seed=seed) for seed in (1, 2))
    assert all(map(np.array_equal, jax.tree.leaves(model.params), jax.tree.leaves(again.params)))
    assert not np.array_equal(model.params["head"]["weight"], other.params["head"]["weight"])


def test_a_file_gives_back_the_same_model(model, tmp_path):
    state = jax.tree.map(lambda a: a + 0.25, model.state)
    model = capas.Model(model.network, model.input_shape, model.params, state, model.metadata)
    model.save(tmp_path / "m.safetensors")
    loaded = capas.load(tmp_path / "m.safetensors")
    assert loaded.network == model.network
    assert (loaded.input_shape, loaded.metadata) == ((2, 3), {"classes": ["a", "b"]})
    assert jax.tree.structure(loaded.params) == jax.tree.structure(model.params)
    for ours, theirs in ((model.params, loaded.params), (model.state, loaded.state)):
        assert all(map(np.array_equal, jax.tree.leaves(ours), jax.tree.leaves(theirs)))
    assert list(tmp_path.iterdir()) == [tmp_path / "m.safetensors"]


def test_bfloat16_survives_a_file(tmp_path):
    model = capas.init(nn.Dense(2), input_shape=(3,))
    half = capas.Model(model.network, (3,), jax.tree.map(lambda a: a.astype(jnp.bfloat16), model.params), {})
    half.save(tmp_path / "m")
    assert capas.load(tmp_path / "m").params["weight"].dtype == jnp.bfloat16


def message(kind, action):
    with pytest.raises(kind) as caught:
        action()
    return str(caught.value)


def test_shapes_that_do_not_fit_say_what_would():
    flat = capas.init(nn.Dense(2), input_shape=(784,))
    assert message(ShapeError, lambda: flat(jnp.ones((128, 28, 28)))) == (
        "Model: expected x of shape (..., 784), got (128, 28, 28). "
        "Reshape the data: x.reshape(-1, 784), or put nn.Flatten() first and initialize anew."
    )
    image = capas.init(nn.Flatten(), input_shape=(4, 4, 1))
    assert message(ShapeError, lambda: image(jnp.ones((2, 4, 4)))) == (
        "Model: expected x of shape (..., 4, 4, 1), got (2, 4, 4). Add the channel axis: x[..., None]."
    )
    assert message(ShapeError, lambda: flat(jnp.ones((2, 3)))) == (
        "Model: expected x of shape (..., 784), got (2, 3). Give it examples like those it was initialized for."
    )


def test_init_names_the_layer_that_does_not_fit():
    net = nn.Sequential(encoder=nn.Sequential(nn.Dense(4), nn.Conv(3, (3, 3))))
    assert message(ShapeError, lambda: capas.init(net, input_shape=(7,))) == (
        "Conv 'encoder/1': expected examples of shape (height, width, channels), got (4,). "
        "Reshape the input with nn.Reshape, or change the rank of the window."
    )


def test_init_takes_layers_only():
    assert message(ArgumentError, lambda: capas.init(jnp.tanh, input_shape=(3,))) == (
        f"init: expected a layer, got {jnp.tanh!r}. "
        "Wrap functions in nn.Activation, several layers in nn.Sequential; of a model, give its network."
    )


def test_functions_without_a_name_cannot_be_saved(tmp_path):
    def mine(x):
        return x

    model = capas.init(nn.Sequential(nn.Dense(2), mine), input_shape=(3,))
    text = message(ArgumentError, lambda: model.save(tmp_path / "m"))
    assert text == (
        f"Activation: expected a function with a name, to write it to JSON, got {mine!r}. "
        "Name it, here and where it is read: nn.activations['mine'] = function."
    )
    assert list(tmp_path.iterdir()) == []


def test_files_that_are_not_models_are_refused(tmp_path):
    missing = tmp_path / "none"
    assert message(DataError, lambda: capas.load(missing)).startswith(f"{missing}: expected a safetensors file, got ")
    text = tmp_path / "text"
    text.write_text("import os")
    assert message(DataError, lambda: capas.load(text)).endswith(". Check the path.")
    other = tmp_path / "other"
    save_file({"a": np.ones(3)}, other)
    assert message(DataError, lambda: capas.load(other)) == (
        f"{other}: expected a model file of format 'capas-1', got None. "
        "Save models with Model.save; update capas to read files of a newer one."
    )


def test_arrays_that_are_not_the_networks_are_refused(tmp_path):
    header = {"format": "capas-1", "network": {"Dense": {"features": 2}}, "input_shape": [3], "metadata": {}}
    path = tmp_path / "m"
    remedy = "The file is damaged or was edited; save the model again."

    def load_with(**arrays):
        save_file(arrays, path, {"capas": json.dumps(header)})
        return message(DataError, lambda: capas.load(path))

    bias = {"params/bias": np.zeros(2, np.float32)}
    assert load_with(**bias) == (f"{path}: expected an array 'params/weight' of shape (3, 2), got none. {remedy}")
    assert load_with(**bias, **{"params/weight": np.zeros((2, 3), np.float32)}) == (
        f"{path}: expected an array 'params/weight' of shape (3, 2), got (2, 3). {remedy}"
    )
    good = {**bias, "params/weight": np.zeros((3, 2), np.float32)}
    assert load_with(**good, extra=np.zeros(1)) == f"{path}: expected no array 'extra', got (1,). {remedy}"
    moments = {"inputs/mean": np.zeros(2, np.float32), "inputs/std": np.ones(2, np.float32)}
    assert load_with(**good, **moments) == (
        f"{path}: expected a mean and a std of each of 3 features under 'inputs/', got {{'mean': (2,), 'std': (2,)}}. {remedy}"
    )
    assert "got {'mean': (2,)}" in load_with(**good, **{"inputs/mean": moments["inputs/mean"]})
    elsewhere = {"inputs/0/mean": np.zeros(3, np.float32), "inputs/0/std": np.ones(3, np.float32)}
    assert "expected nothing under 'inputs/0'" in load_with(**good, **elsewhere)


def test_headers_that_were_edited_are_refused(tmp_path):
    path, arrays = tmp_path / "m", {"params/bias": np.zeros(2, np.float32)}
    save_file(arrays, path, {"capas": "{bad"})
    assert "expected a model file of format 'capas-1', got None" in message(DataError, lambda: capas.load(path))
    save_file(arrays, path, {"capas": json.dumps({"format": "capas-1"})})
    assert "expected a header with 'network', got none" in message(DataError, lambda: capas.load(path))


def test_the_summary_counts_what_the_arrays_hold(model, capsys):
    model.summary()
    shown = capsys.readouterr().out
    held = sum(a.size for a in jax.tree.leaves(model.params))
    assert f"{held:,}" in shown
    for text in ("encoder/1", "Dense(5) × 3", "body/block/block", "head", "tanh", "(5,)"):
        assert text in shown


@pytest.mark.parametrize("rows", [3, 600])
@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_predictions_of_what_is_no_number_are_refused(rows, value):
    """XLA's programs make 0 of max(NaN, 0) here and there."""
    model = capas.init(nn.Sequential(nn.Dense(8), "relu", nn.Dense(2)), (4,))
    x = np.ones((rows, 4), np.float32)
    x[-1, 2] = value
    with pytest.raises(DataError) as caught:
        model.predict(x, batch_size=256)
    assert str(caught.value) == (
        f"Model: expected finite numbers, got {value} at x[{rows - 1}, 2]. Remove or fill the missing values first."
    )
