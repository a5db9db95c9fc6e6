"""Activations that are shaped to fit their network: what the shapes solve, and what becomes of signals with them."""

import json
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import capas
from capas import nn, weights
from capas.errors import ArgumentError
from capas.nn.layer import observing
from capas.weights.functions import plain
from capas.weights.initialize import choices
from capas.weights.operating import BUDGET, log_growth
from capas.weights.plan import plan
from capas.weights.reading import Reading, kinks
from capas.weights.shaping import shape

ODD = ["tanh", "sin", "hard_tanh", "soft_sign"]
BENT = ["relu", "leaky_relu"]
CURVED = ["sigmoid", "gelu", "silu", "elu", "selu", "softplus", "mish", "hard_swish"]
NAMES = [*ODD, *BENT, *CURVED]
DEPTHS = [3, 10, 30, 100, 300, 1000]

every = pytest.mark.parametrize("name", NAMES)
at_every_depth = pytest.mark.parametrize("depth", DEPTHS)


def shaped(name, depth):
    """An activation for so many layers, as a layer."""
    return nn.Shaped(name, *shape(nn.Activation(name), BUDGET ** (1 / depth)))


def function(layer):
    return lambda z: layer.apply({}, {}, z)[0]


def deep(name, depth, width=64):
    return nn.Sequential(nn.Dense(width), nn.Repeat(nn.Sequential(name, nn.Dense(width)), depth))


def activations(network):
    """The shaped activations of a description, by their paths."""
    found = {}

    def look(layer, path):
        if isinstance(layer, nn.Shaped):
            found[path] = layer
        match layer:
            case nn.Sequential():
                [look(child, f"{path}/{name}".strip("/")) for name, child in layer.layers]
            case nn.Residual():
                look(layer.block, f"{path}/block".strip("/"))
            case nn.Repeat():
                look(layer.block, f"{path}/block".strip("/"))
            case nn.Parallel():
                [look(branch, f"{path}/{i}".strip("/")) for i, branch in enumerate(layer.branches)]

    look(network, "")
    return found


def growth(layer):
    """chi, by a sum over a fine grid; nothing from capas but the layer."""
    z = np.linspace(-12, 12, 2_000_001)
    density = np.exp(-z * z / 2)
    with jax.enable_x64(True):
        value = np.asarray(function(layer)(jnp.asarray(z)))
    steps = np.diff(value) / np.diff(z)
    middle = np.exp(-(((z[1:] + z[:-1]) / 2) ** 2) / 2)
    variance = (value**2 * density).sum() / density.sum() - ((value * density).sum() / density.sum()) ** 2
    return (steps**2 * middle).sum() / middle.sum() / variance


# Constants, derived again with mpmath at 30 digits: reference, oracles.md, section 8.
SHAPED_TANH = {
    10: (0.5395738884, 2.2749413532),
    50: (0.3133089160, 3.4732541302),
    100: (0.2547973927, 4.1610559462),
    200: (0.2092339622, 4.9778154287),
    1000: (0.1355354670, 7.5105413832),
}


@pytest.mark.parametrize("depth", SHAPED_TANH)
def test_shaped_tanh_has_the_published_constants(depth):
    found = shape(nn.Activation("tanh"), 1.5 ** (1 / depth))
    assert (found.alpha, found.gamma) == pytest.approx(SHAPED_TANH[depth], abs=1e-9)
    assert (found.beta, found.delta) == (0, 0)


def test_shaped_relu_is_that_of_the_closed_form():
    """With r(z) = max(z + k, 0): E r = k Phi + phi, E r² = (1 + k²) Phi + k phi, E r'² = Phi (integrals by parts)."""
    for depth in DEPTHS:
        found = shape(nn.Activation("relu"), 1.5 ** (1 / depth))
        k, gamma = found.beta / found.alpha, found.gamma * found.alpha
        big, small = (1 + math.erf(k / math.sqrt(2))) / 2, math.exp(-k * k / 2) / math.sqrt(2 * math.pi)
        mean, second = k * big + small, (1 + k * k) * big + k * small
        assert found.delta / found.alpha == pytest.approx(-mean, rel=1e-12)
        assert gamma**2 * (second - mean**2) == pytest.approx(1, rel=1e-11)
        assert gamma**2 * big == pytest.approx(1.5 ** (1 / depth), rel=1e-11)
        assert found.beta > 0


def test_a_gentle_shape_bends_where_the_variance_is_stable():
    """To leading order in alpha, Q' = 1 where phi' phi''' + phi''²/2 = 0: for softplus at ln 1.5, for sigmoid at ±ln 3."""
    assert shape(nn.Activation("softplus"), 1 + 1e-6).beta == pytest.approx(math.log(1.5), abs=1e-4)
    assert abs(shape(nn.Activation("sigmoid"), 1 + 1e-6).beta) == pytest.approx(math.log(3), abs=1e-4)


@every
@at_every_depth
def test_mean_and_power_by_monte_carlo(name, depth):
    """Mean 0 and second moment 1 of 2e5 draws, within 5 standard errors."""
    z = np.random.default_rng(0).normal(size=200_000)
    with jax.enable_x64(True):
        a = np.asarray(function(shaped(name, depth))(jnp.asarray(z)))
    for values, wanted in ((a, 0), (a**2, 1)):
        assert abs(values.mean() - wanted) < 5 * values.std() / math.sqrt(len(z))


@every
@at_every_depth
def test_gradients_grow_by_the_budget_and_the_variance_is_stable(name, depth):
    layer = shaped(name, depth)
    chi = growth(layer)
    as_it_is = growth(nn.Shaped(name))
    assert chi**depth == pytest.approx(min(1.5, as_it_is**depth), rel=2e-4)
    step = 1e-5
    rng = np.random.default_rng(1)
    z = rng.normal(size=400_000)
    with jax.enable_x64(True):
        low, high = (np.asarray(function(layer)(jnp.asarray(math.sqrt(q) * z))) ** 2 for q in (1 - step, 1 + step))
    slopes = (high - low) / (2 * step)
    error = 5 * slopes.std() / math.sqrt(len(z))
    if name in CURVED:
        assert abs(slopes.mean() - 1) < error
    else:
        assert slopes.mean() < 1 + error
    assert layer.beta == 0 or name not in ODD


def test_no_activation_is_made_to_grow_gradients_more_than_it_does():
    for name in NAMES:
        layer = shaped(name, 1)
        assert growth(layer) <= growth(nn.Shaped(name)) * (1 + 1e-6)
    assert shape(nn.Activation("relu"), 1.5)[:2] == shape(nn.Activation("tanh"), 1.5)[:2] == (1, 0)


def test_other_activations_with_a_name():
    """Solved, or known not to be: powers and exponentials curve upwards everywhere, and hard_shrink jumps."""
    names = ["arctan", "squareplus", "hard_sigmoid", "log_sigmoid", "identity", "exp", "relu_squared", "hard_shrink"]
    without = [name for name in names if shape(nn.Activation(name), 1.5**0.01) is None]
    assert without == ["exp", "relu_squared", "hard_shrink"]


@every
def test_a_hundred_layers_keep_signals_and_gradients(name):
    tailored = capas.tailor(deep(name, 100), (64,))
    layers = capas.propagate(tailored, input_shape=(64,)).layers
    after = [row for row in layers if row.path.endswith("block/0")]
    dense = [row for row in layers if row.path.endswith("block/1")]
    assert len(after) == 100
    for row in after:
        assert abs(row.mean) < 0.02
        assert row.second == pytest.approx(1, abs=0.1)
    assert 0.5 < dense[0].gradient / dense[-1].gradient < 2
    assert after[0].gradient / dense[-1].gradient <= BUDGET


@every
@pytest.mark.parametrize("depth", [3, 100, 1000])
def test_the_plan_sees_that_nothing_needs_a_mirror(name, depth):
    tailored = capas.tailor(deep(name, depth), (64,))
    planned = plan(tailored, (64,))
    assert all(p.scheme == weights.Orthogonal(p.scheme.gain) and p.power == 1 for p in planned.values())
    for p in planned.values():
        assert p.scheme.gain == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("name", ["relu", "gelu", "tanh", "hard_swish"])
def test_the_planner_integrates_between_kinks(name):
    """Its growth is that of the exact shape: without, a jump of the slope costs 1e-3 a layer."""
    reading = Reading((plain(shaped(name, 1000)),))
    assert 1000 * log_growth(reading)[-1] == pytest.approx(math.log(1.5), abs=5e-7)


def test_kinks_are_those_of_the_program():
    assert kinks(nn.Activation("hard_tanh")) == (-1, 1)
    assert kinks(nn.Activation("silu")) == kinks(nn.Activation("identity")) == ()
    assert kinks(nn.Activation("relu6")) == (0, 6)


@pytest.mark.parametrize("name", ["relu", "gelu", "tanh", "sigmoid"])
def test_one_batch_through_thirty_layers(name):
    """Width 256, 8 draws of weights and data: mean 0 and power 1 after every activation within 5 standard errors.

    One draw's power differs from the predicted by O(1/width) a layer, so 1/width of the depth is allowed beside.
    """
    tailored = capas.tailor(deep(name, 30, 256), (256,))
    means, powers = [], []
    for seed in range(8):
        model = capas.init(tailored, input_shape=(256,), seed=seed)
        found = []

        def observe(layer, y, found=found):
            if isinstance(layer, nn.Shaped):
                found.append((float(y.mean()), float(jnp.square(y).mean())))

        with observing(observe):
            x = jax.random.normal(jax.random.key(100 + seed), (64, 256))
            tailored.apply(model.params, model.state, x)
        means.append([m for m, _ in found])
        powers.append([p for _, p in found])
    for values, wanted in ((np.array(means), 0), (np.array(powers), 1)):
        assert values.shape == (8, 30)
        error = values.std(0, ddof=1) / math.sqrt(8)
        assert (abs(values.mean(0) - wanted) < 5 * error + np.arange(1, 31) / 256 / 2).all()
        assert error.max() < 0.03


def names_of(network, shape_=(8,)):
    return list(activations(capas.tailor(network, shape_)))


@pytest.mark.parametrize(
    ("network", "found"),
    [
        (nn.Sequential(nn.Dense(8), "relu", nn.Dense(8), "sigmoid"), ["1"]),
        (nn.Sequential("relu", nn.Dense(8)), ["0"]),
        (nn.Sequential(nn.Dense(8), "relu", nn.LayerNorm(), nn.Dense(8)), []),
        (nn.Sequential(nn.Dense(8), nn.LayerNorm(), "relu", nn.Dense(8)), ["2"]),
        (nn.Sequential(nn.Dense(8), "relu", "tanh", nn.Dense(8)), []),
        (nn.Sequential(nn.Dense(8), nn.Softmax(), "tanh", nn.Dense(8)), []),
        (nn.Sequential(nn.Dense(8), "relu", nn.Softmax(), nn.Dense(8)), []),
        (nn.Sequential(nn.Dense(8), nn.Softmax(), nn.LayerNorm(), "tanh", nn.Dense(8)), ["3"]),
        (
            nn.Sequential(nn.Dense(8), "relu", nn.Residual(nn.Sequential(nn.Dense(8), "relu")), "tanh", nn.Dense(8)),
            ["1"],
        ),
        (nn.Sequential(nn.Dense(8), jax.nn.softmax, nn.Dense(8)), []),
        (nn.Sequential(nn.Dense(8), nn.PReLU(), nn.Dropout(0.5), nn.Dense(8)), ["1"]),
        (nn.Sequential(nn.Parallel((nn.Dense(8), nn.Dense(8))), "relu", nn.Dense(8)), ["1"]),
        (
            nn.Sequential(nn.Parallel((nn.Sequential(nn.Dense(8), "sigmoid"), nn.Dense(8)), "product"), nn.Dense(8)),
            [],
        ),
        (
            nn.Sequential(
                nn.Parallel((nn.Sequential(nn.Dense(8), "gelu"), nn.Sequential(nn.Dense(4), "tanh")), "concatenate"),
                nn.Dense(8),
            ),
            ["0/0/1", "0/1/1"],
        ),
        (
            nn.Sequential(nn.Dense(8), "tanh", nn.Repeat(nn.Sequential(nn.Dense(8), "relu"), 3), nn.Dense(8)),
            ["1", "2/block/1"],
        ),
        (
            nn.Sequential(nn.Dense(8), nn.Repeat(nn.Residual(nn.Sequential(nn.Dense(8), "relu", nn.Dense(8))), 3)),
            ["1/block/block/1"],
        ),
        (nn.Sequential(), []),
    ],
)
def test_which_activations_are_tailored(network, found):
    assert names_of(network) == found


def test_names_and_parameters_stay():
    network = nn.Sequential(
        stem=nn.Dense(8),
        act=nn.PReLU(),
        body=nn.Residual(nn.Sequential(nn.Dense(4), "tanh", nn.Dense(8)), shortcut=nn.Dense(8), scale=0.5),
        tail=nn.Repeat(nn.Sequential("gelu", nn.Dense(8)), 3),
        head=nn.Dense(2),
    )
    tailored = capas.tailor(network, (8,))
    assert tailored.parameters((8,)) == network.parameters((8,))
    assert [name for name, _ in tailored.layers] == ["stem", "act", "body", "tail", "head"]
    assert tailored.layers[2][1].scale == 0.5
    assert tailored.layers[1][1].activation == nn.PReLU()


def test_what_is_tailored_already_is_made_anew():
    once = capas.tailor(deep("gelu", 100), (64,))
    assert capas.tailor(once, (64,)) == once
    shorter = capas.tailor(nn.Sequential(*(layer for _, layer in once.layers[:1]), "gelu", nn.Dense(64)), (64,))
    assert capas.tailor(nn.Sequential(nn.Dense(64), activations(once)["1/block/0"], nn.Dense(64)), (64,)) == shorter


def test_copies_of_a_repeat_count():
    unrolled = nn.Sequential(nn.Dense(64), *(layer for _ in range(10) for layer in ("gelu", nn.Dense(64))))
    (one,) = activations(capas.tailor(deep("gelu", 10), (64,))).values()
    assert set(activations(capas.tailor(unrolled, (64,))).values()) == {one}
    nested = nn.Sequential(nn.Dense(64), nn.Repeat(nn.Repeat(nn.Sequential("gelu", nn.Dense(64)), 5), 2))
    assert list(activations(capas.tailor(nested, (64,))).values()) == [one]


def test_normalization_does_not_renew_the_budget():
    """Gradients go on through it, and the plan compares pairs over the whole network."""
    network = nn.Sequential(deep("gelu", 10), nn.LayerNorm(), deep("gelu", 3))
    tailored = capas.tailor(network, (64,))
    found = [growth(layer) for layer in activations(tailored).values()]
    assert found == pytest.approx([1.5 ** (1 / 13)] * 2, rel=1e-4)
    assert not any(isinstance(p.scheme, weights.Mirrored) for p in plan(tailored, (64,)).values())


@pytest.mark.parametrize("blocks", [9, 19])
def test_activations_behind_sums_stay_where_a_part_has_gone_through_one(blocks):
    """One after another on the same units, shaped functions would add up what they bend: at 9 blocks to a power of 244."""
    block = [nn.Residual(nn.Sequential(nn.Dense(64), "gelu", nn.Dense(64))), "gelu"]
    network = nn.Sequential(nn.Dense(64), "gelu", *block * blocks, nn.Dense(64))
    tailored = capas.tailor(network, (64,))
    assert set(activations(tailored)) == {"1", *(f"{2 * i + 2}/block/1" for i in range(blocks))}
    rows = capas.propagate(tailored, input_shape=(64,)).layers[:-1]
    assert max(row.second for row in rows) < 1.5
    assert 1 / 3 < rows[0].gradient / rows[-1].gradient < 3


@pytest.mark.parametrize("combine", ["sum", "mean"])
def test_activations_behind_sums_of_what_kernels_gave_are_shaped(combine):
    block = nn.Parallel((nn.Sequential("gelu", nn.Dense(64)), nn.Sequential("gelu", nn.Dense(64))), combine)
    network = nn.Sequential(nn.Dense(64), nn.Repeat(block, 20), "gelu", nn.Dense(64))
    tailored = capas.tailor(network, (64,))
    assert set(activations(tailored)) == {"1/block/0/0", "1/block/1/0", "2"}
    rows = [row for row in capas.propagate(tailored, input_shape=(64,)).layers if row.path.endswith("block")]
    np.testing.assert_allclose([row.second for row in rows], 1, rtol=0.01)
    assert 1 / 1.6 < rows[0].gradient / rows[-1].gradient < 1.6


def test_activations_behind_another_shape_are_shaped():
    block = nn.Sequential("gelu", nn.Reshape((64,)), nn.Dense(64))
    network = nn.Sequential(nn.Dense(64), nn.Repeat(block, 20), "gelu", nn.Dense(64))
    assert set(activations(capas.tailor(network, (64,)))) == {"1/block/0", "2"}


def test_copies_of_branches_stand_side_by_side():
    """Two activations follow one another in each of five branches, as they do one by one."""
    block = nn.Residual(nn.Sequential("gelu", nn.Dense(64), "gelu", nn.Dense(64)))
    network = nn.Sequential(nn.Dense(64), nn.Repeat(block, 5))
    for same in network, nn.Sequential(nn.Dense(64), *[block] * 5):
        found = [growth(layer) for layer in activations(capas.tailor(same, (64,))).values()]
        assert found == pytest.approx([1.5**0.5] * len(found), rel=1e-4)


@pytest.mark.parametrize("name", ["relu", "gelu", "sigmoid"])
def test_a_residual_network_keeps_signals_and_gradients(name):
    """50 branches, which together multiply the power by about 1.5, and gradients by less than 2.

    What is shaped for power 1 reads up to 1.5: it has a mean, of a few per cent of the power, and GELU gives 1 % more.
    """
    block = nn.Residual(nn.Sequential(name, nn.Dense(64), name, nn.Dense(64)))
    tailored = capas.tailor(nn.Sequential(nn.Dense(64), nn.Repeat(block, 50), nn.Dense(64)), (64,))
    layers = capas.propagate(tailored, input_shape=(64,)).layers
    inner = [row for row in layers if row.path.endswith("block/block/0") or row.path.endswith("block/block/2")]
    assert len(inner) == 100
    assert max(row.mean**2 / row.second for row in inner) < 0.03
    assert all(0.99 < row.second < 1.53 for row in inner)
    assert 0.5 < layers[0].gradient / layers[-2].gradient < 2
    assert not any(isinstance(p.scheme, weights.Mirrored) for p in choices(tailored, (64,), "auto").values())


@pytest.mark.parametrize("name", ["relu", "gelu", "tanh"])
def test_a_convolutional_network_keeps_signals_and_gradients(name):
    conv = nn.Conv(32, (3, 3), padding="circular")
    network = nn.Sequential(nn.Conv(32, (3, 3), padding="circular"), nn.Repeat(nn.Sequential(name, conv), 20))
    tailored = capas.tailor(network, (6, 6, 32))
    layers = capas.propagate(tailored, input_shape=(6, 6, 32)).layers
    after = [row for row in layers if row.path.endswith("block/0")]
    assert all(abs(row.mean) < 0.02 and abs(row.second - 1) < 0.1 for row in after)
    assert 0.5 < layers[0].gradient / layers[-1].gradient < 2
    scheme = choices(tailored, (6, 6, 32), "auto")["1/block/1/weight"].scheme
    assert isinstance(scheme, weights.DeltaOrthogonal)


def test_a_tailored_network_survives_json_and_files(tmp_path):
    tailored = capas.tailor(deep("silu", 10), (64,))
    assert nn.from_json(json.loads(json.dumps(nn.to_json(tailored)))) == tailored
    model = capas.init(tailored, input_shape=(64,))
    model.save(tmp_path / "m")
    assert capas.load(tmp_path / "m").network == tailored


def squared(z):
    return z * z


@pytest.mark.parametrize("function", [squared, nn.Activation("exp"), nn.Activation("hard_shrink"), jnp.sign])
def test_what_cannot_be_tailored_is_refused(function):
    with pytest.raises(ArgumentError) as caught:
        capas.tailor(nn.Sequential(body=deep(function, 100), head=nn.Dense(2)), (64,))
    shown = function if isinstance(function, nn.Activation) else nn.Activation(function)
    assert str(caught.value) == (
        "tailor 'body/1/block/0': expected an activation that can keep the variance stable while gradients grow by "
        f"1.00406 at most, got {shown!r}. Use one that does not jump and does not curve upwards everywhere, such as "
        "'gelu' or 'tanh'; or leave the network as it is: capas.init scales the weights for it."
    )


def test_an_absolute_value_is_tailored_on_one_side():
    """It has a solution, |z + k| with the bend far out, like ReLU."""
    found = shape(nn.Activation("abs"), 1.5**0.01)
    assert found.beta / found.alpha > 2.5
    assert growth(nn.Shaped("abs", *found)) == pytest.approx(1.5**0.01, rel=1e-5)
