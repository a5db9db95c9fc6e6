"""Plans of networks with normalization: no gradient grows, wherever the activation stands."""

import math
import warnings

import jax
import jax.numpy as jnp
import pytest

import capas
from capas import nn
from capas.weights.initialize import choices

N = 64
NORMS = {"batch": nn.BatchNorm(), "layer": nn.LayerNorm(), "rms": nn.RMSNorm(), "group": nn.GroupNorm(1)}
KEY = jax.random.key(0)
GROUPED = nn.Conv(N, (1,), groups=2)
"""Its units are no pairs."""


def dense(n=N):
    return nn.Dense(n)


def growth(body, n=N):
    """Of the power of gradients on the way back through layers, times the power of the signals, on a batch."""
    first = dense(n)
    model = capas.init(nn.Sequential(first, body, dense(10)), (n,))
    h, _ = first.apply(model.params["0"], {}, jax.random.normal(KEY, (512, n)))
    params, state = model.params["1"], model.state.get("1", {})
    y, pull, _ = jax.vjp(lambda h: body.apply(params, state, h, training=True), h, has_aux=True)
    out = jax.random.normal(jax.random.key(1), y.shape)
    power = [jnp.square(a).mean() for a in (*pull(out), h, out, y)]
    return float(power[0] * power[1] / power[2] / power[3])


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid", "gelu", "sin"])
def test_gradients_do_not_grow_before_or_behind_a_normalization(norm, activation):
    """With variance 1 behind it, 60 layers of tanh have 2e4, of sine 1e11; of ReLU in front of it 1e10."""
    for block in ([NORMS[norm], activation, dense()], [activation, NORMS[norm], dense()]):
        assert 0.02 < growth(nn.Repeat(nn.Sequential(*block), 60)) < 1.8


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_a_normalization_among_activations_does_not_start_the_budget_anew(activation):
    block = [nn.LayerNorm(), activation, dense(), activation, dense()]
    assert 0.1 < growth(nn.Repeat(nn.Sequential(*block), 30)) < 1.8
    assert 0.1 < growth(nn.Sequential(*block * 12)) < 1.8


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_sums_that_are_normalized_do_not_let_gradients_grow(activation):
    for block in ([dense(), activation, dense()], [activation, dense()]):
        body = [nn.Residual(nn.Sequential(*block)), nn.LayerNorm()]
        for net in (nn.Sequential(*body * 40), nn.Repeat(nn.Sequential(*body), 40)):
            assert 0.1 < growth(net) < 2


@pytest.mark.parametrize("norm", ["batch", "layer", "rms"])
@pytest.mark.parametrize("activation", ["relu", "sigmoid", "tanh"])
def test_kernels_behind_normalized_activations_keep_the_power(norm, activation):
    """Over a batch, at width 512: what the first kernel is to give, the hidden one, and the output."""
    net = nn.Sequential(dense(512), *[activation, NORMS[norm], dense(512)] * 3, activation, NORMS[norm], dense(512))
    model = capas.init(net, (512,))
    x, seen = jax.random.normal(KEY, (256, 512)), []
    for i, (_, layer) in enumerate(net.layers):
        x, _ = layer.apply(model.params.get(str(i), {}), model.state.get(str(i), {}), x, training=True)
        seen.append(float(jnp.square(x).mean()))
    assert seen[3] == pytest.approx(seen[6], rel=0.03)
    assert seen[6] == pytest.approx(seen[0], rel=0.03)
    assert seen[-1] == pytest.approx(0.1, rel=0.03)


def scales(net, shape=(N,)):
    found = choices(net, shape, "auto")
    return {path: float(planned.scheme.value) for path, planned in found.items() if path.endswith("scale")}


def test_the_scale_of_a_normalization_is_the_root_of_the_variance_of_its_line():
    block = [nn.LayerNorm(), "tanh", dense()]
    looped = scales(nn.Sequential(dense(), nn.Repeat(nn.Sequential(*block), 99), *block))
    unrolled = scales(nn.Sequential(dense(), *block * 100))
    assert set(looped) == {"1/block/0/scale", "2/scale"}
    assert list(unrolled.values()) == pytest.approx([looped["2/scale"]] * 100)
    assert looped["1/block/0/scale"] == looped["2/scale"]
    plain = nn.Sequential(dense(), nn.Repeat(nn.Sequential("tanh", dense()), 100), "tanh", dense())
    power = choices(plain, (N,), "auto")["3/weight"].power
    assert looped["2/scale"] == pytest.approx(math.sqrt(power), rel=0.01)


def test_scales_stay_one_at_the_output_and_where_nothing_bends():
    tail = [nn.LayerNorm(), "tanh", dense()] * 30
    assert "91/scale" not in scales(nn.Sequential(dense(), *tail, nn.LayerNorm()))
    assert scales(nn.Sequential(dense(), nn.LayerNorm(), nn.Repeat(dense(), 40))) == {}


def test_branches_and_parts_of_sums_that_end_in_a_normalization_keep_a_scale_of_one():
    """Small ones learn less: 0.868 for 0.884 on Fashion-MNIST, ResNet-20 after 400 steps."""
    layers = [nn.LayerNorm(), "tanh", dense()] * 30
    branch, alone = nn.Sequential(*layers, nn.LayerNorm()), nn.Sequential("tanh", dense(), nn.BatchNorm())
    for block in (nn.Residual(branch), nn.Parallel((branch, alone), "sum")):
        found = scales(nn.Sequential(dense(), *[block] * 2, *layers, dense()))
        assert {path.rpartition("/")[0].count("/") for path in found} == {0, 2}
        assert not any(path.endswith(("/90/scale", "1/2/scale")) for path in found)


def test_a_skip_around_what_has_no_kernels_is_no_end():
    for bare in (nn.Residual(nn.Activation("tanh")), nn.Parallel(("tanh", nn.Sequential()), "sum")):
        found = scales(nn.Sequential(dense(), *[nn.LayerNorm(), bare, "tanh", dense()] * 30))
        assert len(found) == 30
        assert all(value < 0.6 for value in found.values())


def test_scales_that_are_shared_with_a_loop_count_as_its_own():
    loop = nn.Repeat(nn.Sequential("tanh", dense(), nn.LayerNorm()), 50)
    inside = scales(nn.Sequential(dense(), loop, dense()))["1/block/2/scale"]
    assert inside == pytest.approx(0.3, rel=0.1)
    assert scales(nn.Sequential(dense(), loop))["1/block/2/scale"] == inside
    assert scales(nn.Sequential(dense(), nn.Residual(loop), dense()))["1/block/block/2/scale"] == inside


@pytest.mark.parametrize("order", ["behind", "repeated"])
def test_batch_normalization_before_training_gives_what_it_gives_in_training(order):
    """Its statistics start at mean 0 and variance 1, which is what kernels in front of it give."""
    block = [nn.BatchNorm(), "tanh", dense()]
    body = block * 20 if order == "behind" else [nn.Repeat(nn.Sequential(*block), 20)]
    model = capas.init(nn.Sequential(dense(), *body, nn.BatchNorm(), "tanh", dense(10)), (N,))
    assert float(jnp.square(model(jax.random.normal(KEY, (512, N)))).mean()) == pytest.approx(0.1, rel=0.2)


def test_no_signal_falls_to_what_normalizations_add_to_the_variance():
    """A stretch that nothing fits, of GELU and of ReLU without pairs, had 1e-6, and GELU alone 3e-5 over 10,000 layers."""
    groups = nn.Repeat(nn.Sequential(nn.LayerNorm(), "gelu", GROUPED, "relu", GROUPED), 10)
    model = capas.init(nn.Sequential(dense(), groups, dense(10)), (1, N))
    assert float(jnp.square(model(jax.random.normal(KEY, (512, 1, N)))).mean()) == pytest.approx(0.1, rel=0.5)
    deep = nn.Repeat(nn.Sequential("gelu", nn.LayerNorm(), dense()), 10_000)
    assert choices(nn.Sequential(dense(), deep, dense()), (N,), "auto")["1/block/2/weight"].power >= 1e-3


@pytest.mark.parametrize("scale", [True, False])
def test_kernels_in_front_of_the_last_normalization_of_a_branch_are_as_usual(scale):
    for layers in ([dense(), "relu"], [dense()]):
        block = nn.Residual(nn.Sequential(*layers, nn.LayerNorm(scale=scale)))
        chosen = choices(nn.Sequential(dense(), *[block] * 10, dense(10)), (N,), "auto")
        assert chosen["1/block/0/weight"].scheme.gain == pytest.approx(1, rel=0.01)


def test_powers_behind_kernels_do_not_count_the_branches_before_them():
    """20 layers of tanh behind 10 branches ended with 0.007 for 0.1."""
    branch = nn.Residual(nn.Sequential("tanh", dense()))
    for body in ([branch] * 10, [nn.Repeat(branch, 10)], [nn.Repeat(nn.Sequential(branch, "tanh", dense()), 10)]):
        net = nn.Sequential(dense(), *body, *["tanh", dense()] * 20, dense(10))
        x = jax.random.normal(KEY, (512, N))
        assert float(jnp.square(capas.init(net, (N,))(x)).mean()) == pytest.approx(0.1, rel=0.15)


def test_two_normalizations_take_the_mean_off_if_one_does():
    net = nn.Sequential(dense(512), *["relu", nn.LayerNorm(), nn.RMSNorm(), dense(512)] * 5)
    y = capas.init(net, (512,))(jax.random.normal(KEY, (128, 512)))
    assert float(jnp.square(y).mean()) == pytest.approx(0.1, rel=0.05)


@pytest.mark.parametrize("loop", [False, True])
def test_what_all_examples_share_does_not_outlive_a_batch_normalization(loop):
    """ReLU without pairs: gradients grow by pi/(pi - 1) a layer (Yang et al. 2019); sigmoid's hardly, so no warning."""

    def network(act):
        block = nn.Sequential(nn.BatchNorm(), act, GROUPED)
        body = [nn.Repeat(block, 30)] if loop else [block] * 30
        return nn.Sequential(dense(), *body, nn.BatchNorm(), nn.Dense(4))

    with pytest.warns(UserWarning, match=f"grow by 1e{30 * math.log10(math.pi / (math.pi - 1)):.1f}"):
        capas.init(network("relu"), (1, 16))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for act in "sigmoid", "softplus":
            capas.init(network(act), (1, 16))
