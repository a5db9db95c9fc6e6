"""The default optimizer: what decays, what is centred, and the rate of every layer."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import capas
from capas import nn, weights
from capas.nn.walk import paths
from capas.train import (
    asymmetric_kernels,
    centre_updates,
    decay_weights,
    kernel_rate,
    layer_decays,
    layer_rates,
    scale_updates,
)
from capas.train.optimizer import default_optimizer, parts

KEY = jax.random.key(0)


def start(net):
    return capas.init(net, input_shape=(6,), seed=0)


def test_only_kernels_decay():
    net = nn.Sequential(nn.Dense(6), nn.LayerNorm(), nn.Repeat(nn.Dense(6), 3), nn.PReLU())
    model = start(net)
    optimizer = default_optimizer(model, 100, 1e-2)
    params = jax.tree.map(jnp.ones_like, model.params)
    state = optimizer.init(params)
    for _ in range(5):
        updates, state = optimizer.update(jax.tree.map(jnp.zeros_like, params), state, params)
        params = optax.apply_updates(params, updates)
    moved = {path: bool((value != 1).all()) for path, value in paths(params)}
    assert moved == {path: path.endswith("/weight") for path in moved}
    assert sum(moved.values()) == 2


def test_kernels_behind_activations_that_are_not_odd_have_centred_updates():
    """Gradients with a mean: the update of a kernel sums to zero over its inputs, or is far from it."""
    body = [nn.Dense(16), "relu", nn.Dense(16), "tanh", nn.Dense(16), nn.LayerNorm(), nn.Dense(16), "tanh", "elu"]
    model = start(nn.Sequential(*body, nn.Repeat(nn.Sequential(nn.Dense(16), "sigmoid"), 2), nn.Dense(3)))
    optimizer = default_optimizer(model, 100, 1e-2)
    params = jax.tree.map(jnp.zeros_like, model.params)
    state, draws = optimizer.init(params), np.random.default_rng(0)
    for _ in range(3):
        slope = jax.tree.map(lambda p: jnp.asarray(draws.normal(1, 1, p.shape), jnp.float32), params)
        updates, state = optimizer.update(slope, state, params)
    kernels = [(path, np.asarray(u, np.float64)) for path, u in paths(updates) if path.endswith("weight")]
    left = {path: abs(u.sum(-2)).max() / abs(u).sum(-2).max() for path, u in kernels}
    centred = {path for path, share in left.items() if share < 1e-5}
    assert centred == {"2/weight", "9/block/0/weight", "10/weight"}
    assert min(share for path, share in left.items() if path not in centred) > 0.5


def test_hidden_layers_of_deep_networks_share_the_rate():
    """He's kernels have size 1; the ends have the full rate, biases that of their layer."""
    body = nn.Repeat(nn.Sequential("tanh", nn.Dense(64)), 100)
    model = capas.init(nn.Sequential(nn.Dense(64), body, "tanh", nn.Dense(1)), (6,), scheme=weights.He())
    rates = layer_rates(model)
    assert rates["1"]["block"]["1"]["weight"] == pytest.approx(0.17, rel=0.01)
    assert rates["1"]["block"]["1"]["bias"] == 0.17
    assert rates["0"] == rates["3"] == {"weight": 1.0, "bias": 1.0}
    shallow = layer_rates(capas.init(nn.Sequential(nn.Dense(64), "tanh", nn.Dense(1)), (6,)))
    assert set(jax.tree.leaves(shallow)) == {1.0}


def test_wide_layers_have_less_of_it_narrow_ones_no_more():
    rates = []
    for width in (16, 64, 256):
        body = nn.Repeat(nn.Sequential("tanh", nn.Dense(width)), 100)
        model = capas.init(nn.Sequential(nn.Dense(width), body, "tanh", nn.Dense(1)), (6,))
        rates.append(layer_rates(model)["1"]["block"]["1"]["bias"])
    assert rates == [0.17, 0.17, 0.0425]
    window = nn.Repeat(nn.Sequential("tanh", nn.Conv(64, (3, 3))), 17)
    model = capas.init(nn.Sequential(nn.Conv(64, (3, 3)), window, "tanh", nn.Flatten(), nn.Dense(1)), (8, 8, 1))
    assert layer_rates(model)["1"]["block"]["1"]["bias"] == pytest.approx(1 / 9)


def test_linear_layers_in_a_row_share_the_rate_as_others_do():
    model = capas.init(nn.Sequential(nn.Dense(8), nn.Repeat(nn.Dense(8), 100), nn.Dense(2)), (6,))
    rates = layer_rates(model)
    assert (rates["0"]["bias"], rates["1"]["block"]["bias"], rates["2"]["bias"]) == (1, 0.17, 1)


def test_layers_in_branches_share_it_by_the_root_of_their_number():
    block = nn.Residual(nn.Sequential("tanh", nn.Dense(64), "tanh", nn.Dense(64)))
    model = capas.init(nn.Sequential(nn.Dense(64), nn.Repeat(block, 800), "tanh", nn.Dense(1)), (6,))
    assert layer_rates(model)["1"]["block"]["block"]["1"]["bias"] == 0.425


def test_branches_share_it_where_their_sum_is_the_output_too():
    """Their last kernels write the output, each a small share of it; only one that writes it alone has the full rate."""
    block = nn.Residual(nn.Sequential("relu", nn.Dense(64), "relu", nn.Dense(64)))
    body = [nn.Dense(64), nn.Repeat(block, 50)]
    with_head, without = (layer_rates(start(nn.Sequential(*body, *head)))["1"] for head in ([nn.Dense(64)], []))
    assert without["block"]["block"]["3"] == pytest.approx(with_head["block"]["block"]["3"])
    assert without["block"]["block"]["3"]["weight"] < 0.2


def after_decay(net, steps=50):
    """The kernels after so many steps without a gradient, as a share of what they were."""
    model = start(net)
    optimizer = default_optimizer(model, steps, 1.0)
    params, state = model.params, optimizer.init(model.params)
    for _ in range(steps):
        updates, state = optimizer.update(jax.tree.map(jnp.zeros_like, params), state, params)
        params = optax.apply_updates(params, updates)
    before = dict(paths(model.params))
    return {path: float((w / before[path]).mean()) for path, w in paths(params) if path.endswith("weight")}


def test_layers_in_front_of_a_normalization_share_the_rate_in_a_loop_and_without():
    """Alone with the full rate, 100 layers of layer normalization and ReLU stay at chance on the letters."""
    for block in ([nn.LayerNorm(), "relu", nn.Dense(6)], ["relu", nn.BatchNorm(scale=False), nn.Dense(6)]):
        for body in ([nn.Repeat(nn.Sequential(*block), 68)], block * 68):
            rates = layer_rates(start(nn.Sequential(nn.Dense(6), *body, *block[:-1], nn.Dense(3))))
            biases = [float(rate) for path, rate in paths(rates) if path.endswith("2/bias") or path.endswith("3/bias")]
            assert biases[0] == pytest.approx(0.25)


@pytest.mark.parametrize("scale", [True, False])
def test_the_first_and_the_last_kernel_have_the_full_rate_behind_and_before_a_normalization(scale):
    norm, body = nn.BatchNorm(scale=scale), ["tanh", nn.Dense(6)] * 40
    rates = layer_rates(start(nn.Sequential(norm, nn.Dense(6), *body, "tanh", nn.Dense(6), norm)))
    assert rates["1"] == {"weight": 1.0, "bias": 1.0} == rates["83"]
    assert rates["3"]["bias"] == pytest.approx(17 / 40)


def test_the_kernels_of_a_deep_stretch_decay_together_as_one_does():
    """The signal behind 102 kernels is smaller by what one kernel's decay makes of it, not by its 102nd power."""
    (alone,) = after_decay(nn.Dense(6)).values()
    left = after_decay(nn.Sequential(nn.Dense(6), nn.Repeat(nn.Sequential("tanh", nn.Dense(6)), 100), nn.Dense(3)))
    together = left["0/weight"] * left["1/block/1/weight"] ** 100 * left["2/weight"]
    assert alone < 0.85
    assert together == pytest.approx(alone, rel=0.02)


def test_a_stretch_that_begins_in_a_loop_and_goes_on_behind_it():
    normalized = nn.Repeat(nn.Sequential(nn.Dense(6), nn.LayerNorm(), "relu"), 30)
    behind = nn.Repeat(nn.Sequential(nn.Dense(6), "tanh"), 9)
    decays = layer_decays(start(nn.Sequential(nn.Dense(6), "relu", normalized, behind, nn.Dense(3))))
    assert decays["2"]["block"]["0"]["weight"] == 0.01
    assert decays["3"]["block"]["0"]["weight"] == decays["4"]["weight"] == pytest.approx(0.01 / 10)


def test_between_normalizations_and_in_branches_kernels_decay_in_full():
    normalized = nn.Repeat(nn.Sequential(nn.LayerNorm(), "relu", nn.Dense(6)), 30)
    branches = nn.Repeat(nn.Residual(nn.Sequential("relu", nn.Dense(6))), 30)
    decays = layer_decays(start(nn.Sequential(nn.Dense(6), normalized, nn.LayerNorm(), branches, nn.Dense(3))))
    assert decays["1"]["block"]["2"] == {"weight": 0.01, "bias": 0.0}
    assert decays["3"]["block"]["block"]["1"] == {"weight": 0.01, "bias": 0.0}


def test_centred_updates_leave_a_constant_input_alone():
    params = {"kernel": jnp.ones((3, 3, 4, 2)), "bias": jnp.ones(2)}
    gradient = jax.tree.map(lambda a: jax.random.normal(KEY, a.shape) + 0.5, params)
    optimizer = optax.chain(optax.scale_by_adam(), centre_updates({"kernel": True, "bias": False}))
    updates, _ = optimizer.update(gradient, optimizer.init(params), params)
    np.testing.assert_allclose(updates["kernel"].sum(-2), 0, atol=1e-6)
    assert float(jnp.abs(updates["kernel"]).max()) > 0.1
    plain, _ = optax.scale_by_adam().update(gradient, optax.scale_by_adam().init(params), params)
    np.testing.assert_array_equal(updates["bias"], plain["bias"])


def test_rates_of_kernels():
    """One for He's, whatever the width; in proportion to the entries."""
    for width in (64, 1024):
        he = weights.He().sample(KEY, nn.Parameter((width, width), "kernel", fan_in=width))
        assert kernel_rate(he, width) == pytest.approx(1, rel=0.02)
        assert kernel_rate(3 * he, width) == pytest.approx(3, rel=0.02)
    scaled, _ = scale_updates({"a": 2.0, "b": 0.0}).update({"a": jnp.ones(2), "b": jnp.ones(2)}, optax.EmptyState())
    assert scaled["a"].tolist() == [2, 2]
    assert scaled["b"].tolist() == [0, 0]


def test_kernels_of_zeros_learn():
    block = nn.Residual(nn.Sequential("relu", nn.Dense(8), "relu", nn.Dense(8)))
    model = capas.init(nn.Sequential(nn.Dense(8), block, nn.Dense(2)), (8,), scheme={"1/block/3/*": weights.Zeros()})
    assert layer_rates(model)["1"]["block"]["3"]["weight"] >= 1
    data = np.random.default_rng(0).standard_normal((64, 8)), np.arange(64) % 2
    trained, _ = capas.fit(model, data, epochs=1, batch_size=8, validation=None, progress=False)
    assert abs(trained.params["1"]["block"]["3"]["weight"]).max() > 1e-4


@pytest.mark.parametrize(
    ("steps", "given", "expected"), [(400, None, 3e-3), (3_000, None, 3e-3), (12_000, None, 1.5e-3), (12_000, 0.1, 0.1)]
)
def test_longer_trainings_have_a_lower_peak_unless_it_is_given(steps, given, expected):
    model = capas.init(nn.Dense(2), (4,))
    schedule = parts(model, steps, given)["schedule"]
    rates = [
        -float(schedule.update(jnp.ones(()), optax.ScaleByScheduleState(jnp.asarray(step)))[0])
        for step in (steps // 20, steps // 10, steps // 2)
    ]
    assert rates[0] == pytest.approx(expected / 2, rel=1e-5)
    assert max(rates) == rates[1] == pytest.approx(expected, rel=1e-5)


def test_kernels_of_few_inputs_are_not_centred():
    """Of one input centring takes all, as in a depthwise convolution; of 16 it takes a sixteenth."""
    net = nn.Sequential(nn.Conv(32, (1, 1)), "relu", nn.Conv(32, (3, 3), groups=32), "relu", nn.Conv(4, (1, 1)), "relu")
    model = capas.init(nn.Sequential(net, nn.Flatten(), nn.Dense(2)), (3, 3, 1))
    centred = {path for path, chosen in paths(asymmetric_kernels(model)) if chosen}
    assert centred == {"0/4/weight", "2/weight"}
    assert layer_rates(model)["0"]["2"]["weight"] == pytest.approx(1, rel=0.3)
    data = np.random.default_rng(0).standard_normal((64, 3, 3, 1)), np.arange(64) % 2
    trained, _ = capas.fit(model, data, epochs=2, batch_size=16, validation=None, progress=False)
    before, after = (m.params["0"]["2"]["weight"] for m in (model, trained))
    assert abs(after - before).max() > 3e-3


def test_a_training_of_one_step_moves_the_weights():
    model = capas.init(nn.Dense(2), (4,))
    data = np.random.default_rng(0).standard_normal((50, 4)), np.arange(50) % 2
    trained, _ = capas.fit(model, data, epochs=1, validation=None, progress=False)
    assert abs(trained.params["weight"] - model.params["weight"]).max() == pytest.approx(3e-3, rel=0.05)


def test_parts_go_together_with_masks():
    """Optax puts a `MaskedNode` where a parameter is left out."""
    params = {"weight": jnp.ones((4, 2)), "bias": jnp.ones(2)}
    which, numbers = {"weight": True, "bias": False}, {"weight": 0.5, "bias": 0.5}
    parts_ = optax.chain(centre_updates(which), scale_updates(numbers), decay_weights(numbers))
    optimizer = optax.masked(parts_, {"weight": True, "bias": False})
    gradient = {"weight": jnp.arange(8.0).reshape(4, 2), "bias": jnp.ones(2)}
    updates, _ = optimizer.update(gradient, optimizer.init(params), params)
    np.testing.assert_allclose(updates["weight"], 0.5 * (gradient["weight"] - 3 - np.array([0, 1])) + 0.5)
    np.testing.assert_array_equal(updates["bias"], gradient["bias"])
