"""What XLA is asked for on this machine, and that it changes nothing but the time."""

from platform import machine

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import capas
from capas import compiler, losses, nn
from capas.train.examples import examples
from capas.train.step import Objective

RNG = np.random.default_rng
NETWORKS = {
    "plain": nn.Sequential(
        nn.Conv(16, (3, 3)), "relu", nn.MaxPool((2, 2)), nn.Conv(16, (3, 3), stride=2), nn.Flatten()
    ),
    "residual": nn.Sequential(
        nn.Conv(16, (3, 3)), nn.Residual(nn.Sequential("gelu", nn.Conv(16, (3, 3)), nn.BatchNorm()))
    ),
    "loop": nn.Repeat(nn.Sequential(nn.Conv(8, (3, 3), padding="circular"), "tanh"), 3),
    "groups": nn.Sequential(nn.Conv(32, (3, 3), groups=4), "relu", nn.Conv(16, (5, 3), dilation=2)),
    "transposed": nn.Sequential(nn.ConvTranspose(16, (4, 4), stride=2), "relu", nn.Conv(16, (1, 1), stride=2)),
}


def step(network, dtype):
    """Loss and gradients of a batch, as a function of parameters."""
    x = jnp.asarray(RNG(0).normal(0.3, 1.0, (8, 14, 14, 8)), jnp.float32)
    y = jnp.zeros((8, *network.output_shape((14, 14, 8))))
    model = capas.init(network, (14, 14, 8))
    objective = Objective(network, losses.mse, {}, 0, dtype)
    batch, now = examples((np.asarray(x), np.asarray(y))), jnp.zeros((), jnp.int32)
    return lambda params: jax.value_and_grad(objective, has_aux=True)(params, model.state, batch, now), model.params


def flat(tree):
    return np.concatenate([np.asarray(a, np.float64).ravel() for a in jax.tree.leaves(tree)])


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_training_steps_are_the_same_with_options_and_without(network):
    function, params = step(network, "float32")
    found, expected = (flat(jax.jit(function, compiler_options=o)(params)) for o in (compiler.options(), None))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("channels", [8, 16])
def test_no_convolution_is_given_to_the_library_in_bfloat16(channels):
    """It has wrong ones, such as those of 8 channels with windows of 12 places."""
    network = nn.Conv(channels, (12, 12), padding="valid")
    function, params = step(network, "bfloat16")
    exact = flat(step(network, "float32")[0](params))
    found = flat(jax.jit(function, compiler_options=compiler.options())(params))
    assert np.linalg.norm(found - exact) < 0.01 * np.linalg.norm(exact)


@pytest.mark.skipif(jax.__version_info__ < (0, 12) or machine() != "x86_64", reason="there is no oneDNN in this JAX")
def test_all_convolutions_of_a_step_are_those_of_the_library():
    function, params = step(NETWORKS["residual"], "float32")
    program = jax.jit(function, compiler_options=compiler.options()).lower(params).compile().as_text()
    forward, of_kernels, of_signals = 2, 2, 1
    assert program.count('custom_call_target="__onednn$convolution"') == forward + of_kernels + of_signals
    assert " convolution(" not in program


def test_without_the_library_there_are_no_options(monkeypatch):
    monkeypatch.setattr(compiler, "ONEDNN", {"xla_no_such_option": True})
    compiler._has_onednn.cache_clear()
    try:
        assert compiler.options() is None
    finally:
        compiler._has_onednn.cache_clear()


def test_where_programs_are_kept_there_are_no_options(tmp_path):
    jax.config.update("jax_compilation_cache_dir", str(tmp_path))
    try:
        assert compiler.options() is None
    finally:
        jax.config.update("jax_compilation_cache_dir", None)


def test_training_has_the_options(monkeypatch):
    monkeypatch.setattr("capas.train.step.options", lambda: {"xla_no_such_option": True})
    data = np.ones((8, 3, 1)), np.arange(8) % 2
    model = capas.init(nn.Sequential(nn.Conv(2, (1,)), nn.Flatten(), nn.Dense(2)), (3, 1))
    with pytest.raises(jax.errors.JaxRuntimeError, match="xla_no_such_option"):
        capas.fit(model, data, validation=None, progress=False)


def test_training_of_dense_layers_has_them_for_large_batches_alone(monkeypatch):
    monkeypatch.setattr("capas.train.step.options", lambda: {"xla_no_such_option": True})
    model, data = capas.init(nn.Repeat(nn.Dense(3), 2), (3,)), (np.ones((512, 3)), np.arange(512) % 2)
    capas.fit(model, data, batch_size=255, epochs=1, validation=None, progress=False)
    with pytest.raises(jax.errors.JaxRuntimeError, match="xla_no_such_option"):
        capas.fit(model, data, batch_size=256, epochs=1, validation=None, progress=False)


def test_other_programs_of_capas_have_the_options(monkeypatch):
    monkeypatch.setattr(compiler, "options", lambda: {"xla_no_such_option": True})
    with pytest.raises(jax.errors.JaxRuntimeError, match="xla_no_such_option"):
        compiler.jit(jnp.sin)(1.0)
