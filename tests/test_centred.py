"""Centred weights: how they are built, what they state, where they are chosen, and that they are an isometry."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import capas
from capas import losses, nn, weights
from capas.errors import ArgumentError
from capas.signal import propagate
from capas.signal.parameter import centred_axes, heard_axes
from capas.weights.initialize import choices
from capas.weights.reading import is_odd_beside_a_constant

KEY = jax.random.key(0)


def kernel(*shape, groups=1):
    fan_in, fan_out = (int(np.prod(shape[:-2])) * n for n in shape[-2:])
    return nn.Parameter(shape, "kernel", fan_in=fan_in, fan_out=fan_out, groups=groups)


def drawn(scheme, *shape):
    return np.asarray(scheme.sample(KEY, kernel(*shape)))


@pytest.mark.parametrize("base", [weights.Orthogonal(1.3), weights.DeltaOrthogonal(), weights.LeCun()])
@pytest.mark.parametrize("shape", [(8, 6), (7, 7), (3, 3, 8, 6)])
def test_all_sums_are_zero(base, shape):
    """Over inputs for every tap, over outputs for every input; not over the side that is left out."""
    w = drawn(weights.Centred(base), *shape)
    assert w.shape == shape
    assert np.abs(w).max() > 0.1
    np.testing.assert_allclose(w.sum(-2), 0, atol=1e-6)
    np.testing.assert_allclose(w.sum(-1), 0, atol=1e-6)
    assert np.abs(drawn(weights.Centred(base, inputs=False), *shape).sum(-2)).max() > 0.1
    assert np.abs(drawn(weights.Centred(base, outputs=False), *shape).sum(-1)).max() > 0.1


def test_channels_at_every_position():
    w = drawn(weights.Centred(inputs=4, outputs=False), 12, 5).reshape(3, 4, 5)
    np.testing.assert_allclose(w.sum(1), 0, atol=1e-6)


@pytest.mark.parametrize("shape", [(9, 9), (9, 20)])
def test_an_isometry_of_what_sums_to_zero(shape):
    """The power of a unit is kept, whether there are more of them or not."""
    gain = (shape[1] - 1) / (shape[0] - 1)
    w = drawn(weights.Centred(weights.Orthogonal(gain**0.5)), *shape)
    x = np.random.default_rng(0).normal(size=(100, shape[0]))
    x -= x.mean(1, keepdims=True)
    np.testing.assert_allclose(np.square(x @ w).mean(1), np.square(x).mean(1), rtol=1e-5)


@pytest.mark.parametrize("scheme", [weights.Centred(weights.LeCun()), weights.Centred(weights.He(), inputs=False)])
def test_the_law_is_that_of_the_draws(scheme):
    """Over inputs n - 1 of n entries are free: the law is of independent ones that do the same."""
    shape = kernel(40, 30)
    draws = np.stack([scheme.sample(k, shape) for k in jax.random.split(KEY, 100)]).astype(np.float64)
    free = 39 / 40 if scheme.inputs else 1.0
    assert np.square(draws).mean() == pytest.approx(free * scheme.law(shape).variance, rel=5 * (2 / draws.size) ** 0.5)


@pytest.mark.parametrize(
    ("scheme", "shape"),
    [
        (weights.Centred(), kernel(1, 6)),
        (weights.Centred(), kernel(8, 1)),
        (weights.Centred(inputs=4), kernel(10, 6)),
        (weights.Centred(), kernel(3, 3, 4, 8, groups=2)),
    ],
)
def test_refusals(scheme, shape):
    with pytest.raises(ArgumentError, match="Centred: expected sides of two units or more, without groups"):
        scheme.sample(KEY, shape)


def test_what_is_odd_but_for_a_constant():
    found = {name for name in nn.activations if is_odd_beside_a_constant((nn.Activation(name),))}
    assert found == {"sigmoid", "hard_sigmoid", "sparse_sigmoid"}
    assert is_odd_beside_a_constant((nn.Activation(lambda z: 3 - jnp.tanh(z)),))
    assert is_odd_beside_a_constant((nn.Activation("tanh"), nn.Activation("sigmoid")))
    assert not is_odd_beside_a_constant((nn.Activation(lambda z: 0 * z + 1),))


DENSE = nn.Dense(8)
TABLE = {
    "a chain": (nn.Sequential(DENSE, "sigmoid", DENSE, "sigmoid", nn.Dense(2)), {"0": "-w", "2": "rw", "4": "r-"}),
    "one activation": (nn.Sequential(DENSE, "sigmoid", nn.Dense(2)), {"0": "-w", "2": "r-"}),
    "what is odd": (nn.Sequential(DENSE, "tanh", DENSE, "sigmoid", DENSE), {"0": "--", "2": "-w", "4": "r-"}),
    "the input": (nn.Sequential("sigmoid", DENSE), {"1": "r-"}),
    "a loop": (
        nn.Sequential(DENSE, nn.Repeat(nn.Sequential("sigmoid", DENSE), 50), "sigmoid", DENSE),
        {"0": "-w", "1/block/1": "rw", "3": "r-"},
    ),
    "skips": (
        nn.Sequential(DENSE, nn.Residual(nn.Sequential("sigmoid", DENSE)), "sigmoid", DENSE),
        {"0": "-w", "1/block/1": "rw", "3": "r-"},
    ),
    "the output": (nn.Sequential(DENSE, nn.Residual(nn.Sequential("sigmoid", DENSE))), {"0": "--", "1/block/1": "r-"}),
    "two units": (nn.Sequential(nn.Dense(2), "sigmoid", DENSE, "sigmoid", DENSE), {"0": "--", "2": "-w", "4": "r-"}),
    "dropout": (nn.Sequential(DENSE, "sigmoid", nn.Dropout(0.1), DENSE), {"0": "--", "3": "--"}),
    "standardized weights": (
        nn.Sequential(DENSE, "sigmoid", nn.WeightStandardized(DENSE), "sigmoid", DENSE),
        {"0": "--", "2": "--", "4": "r-"},
    ),
    "normalized by mean": (nn.Sequential(DENSE, "sigmoid", nn.LayerNorm(), DENSE), {"0": "--", "3": "--"}),
}


def sides(net, scheme="auto"):
    """For every kernel whether it reads centred and writes centred, as two letters."""
    found = {}
    for path, planned in choices(net, (8,), scheme).items():
        scheme = (
            getattr(planned.scheme, "base", None) if isinstance(planned.scheme, weights.Mirrored) else planned.scheme
        )
        if path.endswith("weight"):
            both = (scheme.inputs, scheme.outputs) if isinstance(scheme, weights.Centred) else (False, False)
            found[path.removesuffix("/weight")] = "".join(
                c if side else "-" for c, side in zip("rw", both, strict=True)
            )
    return found


@pytest.mark.parametrize("name", TABLE)
def test_where_they_are_chosen(name):
    net, expected = TABLE[name]
    assert sides(net) == expected


def test_not_where_a_scheme_is_given_or_channels_are_in_groups():
    net = nn.Sequential(DENSE, "sigmoid", DENSE, "sigmoid", DENSE)
    assert sides(net, {"2/*": weights.He()}) == {"0": "--", "2": "--", "4": "r-"}
    grouped = nn.Sequential(nn.Conv(8, (1,)), "sigmoid", nn.Conv(8, (1,), groups=2), "sigmoid", nn.Conv(8, (1,)))
    found = {path: type(planned.scheme) for path, planned in choices(grouped, (1, 8), "auto").items()}
    assert found["0/weight"] is found["2/weight"] is weights.Orthogonal
    assert found["4/weight"] is weights.Centred


def test_beside_pairs():
    """ReLU has pairs, sigmoid has none: kernels read the one and write for the other."""
    net = nn.Sequential(DENSE, *["relu", DENSE] * 3, "sigmoid", DENSE, *["relu", DENSE] * 3)
    why = {path: planned.why for path, planned in choices(net, (8,), "auto").items()}
    assert why["6/weight"] == "mirrored centred orthogonal, reads pairs"
    assert why["8/weight"] == "mirrored centred orthogonal, writes pairs"
    w = np.asarray(capas.init(net, (8,)).params["6"]["weight"])
    np.testing.assert_array_equal(w[4:], -w[:4])
    np.testing.assert_allclose(w.sum(1), 0, atol=1e-6)


def test_no_pairs_for_ever():
    """Two units of sigmoid in a pair would have one slope, and one weight vector up to its sign; dropout parts them."""
    net = nn.Sequential(nn.Dense(2), "sigmoid", nn.Dense(1))
    assert not any("mirrored" in planned.why for planned in choices(net, (2,), "auto").values())
    x = np.random.default_rng(0).choice([-1.0, 1.0], (200, 2))
    model, _ = capas.fit(
        capas.init(net, (2,)), (x, x[:, :1] * x[:, 1:]), loss=losses.mse, epochs=50, validation=None, progress=False
    )
    assert np.linalg.cond(model.params["0"]["weight"]) < 100
    lossy = nn.Sequential(nn.Dense(8), "sigmoid", nn.Dropout(0.1), nn.Dense(8))
    assert choices(lossy, (8,), "auto")["0/weight"].why == "mirrored orthogonal, writes pairs"


def test_a_centred_side_alone_leaves_convolutions_their_centre():
    """15 free inputs for 16 outputs are no more outputs than inputs."""
    conv = nn.Conv(16, (3, 3))
    net = nn.Sequential(conv, *["sigmoid", conv, "tanh", conv] * 2, "sigmoid", nn.Flatten(), nn.Dense(4))
    why = {path: planned.why for path, planned in choices(net, (8, 8, 3), "auto").items()}
    assert all(why[f"{i}/weight"].startswith("centred delta-orthogonal") for i in (2, 4, 6, 8))


def test_taps_and_positions_are_centred_by_default():
    conv = nn.Conv(6, (3, 3))
    net = nn.Sequential(conv, "sigmoid", nn.Conv(6, (3, 3), stride=2), "sigmoid", nn.Flatten(), nn.Dense(4))
    params = capas.init(net, (8, 8, 3)).params
    np.testing.assert_allclose(np.asarray(params["2"]["weight"]).sum(-2), 0, atol=1e-6)
    np.testing.assert_allclose(np.asarray(params["5"]["weight"]).reshape(16, 6, 4).sum(1), 0, atol=1e-6)


@pytest.mark.parametrize("depth", [3, 100])
def test_the_variance_is_that_of_tanh(depth):
    """sigmoid(z) - 1/2 is tanh(z/2)/2: the same q, and signals that keep it, as predicted and as drawn."""
    q = []
    for f in "sigmoid", nn.Activation(lambda z: jnp.tanh(z / 2)):
        net = nn.Sequential(nn.Dense(65), nn.Repeat(nn.Sequential(f, nn.Dense(65)), depth), f, nn.Dense(4))
        q.append(choices(net, (16,), "auto")["1/block/1/weight"].power)
        flow = capas.propagate(net, input_shape=(16,))
        assert flow.rows[-1].second == pytest.approx(0.1)
        model = capas.init(net, (16,))
        assert capas.propagate(model).rows[-1].second == pytest.approx(0.1, rel=1e-3)
        x = np.random.default_rng(0).normal(size=(512, 16))
        found = [np.square(capas.init(net, (16,), seed=seed).predict(x)).mean() for seed in range(12)]
        assert abs(np.mean(found) - 0.1) < 4 * np.std(found) / 12**0.5 + 0.002
    assert q[0] == pytest.approx(q[1], rel=1e-4)


def test_arrays_are_known_for_what_they_are():
    """A constant c beside x is not read: of power Var(x), as from the law; other weights read c too."""
    scheme, shape = weights.Centred(weights.LeCun(), outputs=False), kernel(50, 30)
    draws = [np.asarray(scheme.sample(jax.random.key(seed), shape)) for seed in range(40)]
    assert all(centred_axes(w, {}) == {0} for w in draws)
    found = [propagate(lambda w, x: (x + 3.0) @ w, w, jnp.zeros(50)).rows[-1].second for w in draws]
    assert abs(np.mean(found) - 1) < 4 * np.std(found) / len(found) ** 0.5
    plain = np.asarray(weights.LeCun().sample(KEY, shape))
    assert not centred_axes(plain, {})
    assert propagate(lambda w, x: (x + 3.0) @ w, plain, jnp.zeros(50)).rows[-1].second > 5


@pytest.mark.parametrize("last", [(), ("tanh", nn.Dense(3))])
def test_made_for_examples(last):
    """A first kernel behind sigmoid reads of every example what is left without the mean of its features."""
    x = np.random.default_rng(0).normal(1.0, 2.0, size=(1000, 12))
    net = nn.Sequential("sigmoid", nn.Dense(24), *last)
    power = [np.square(capas.init(net, (12,), seed=seed, data=x).predict(x)).mean() for seed in range(20)]
    assert abs(np.mean(power) - 0.1) < 4 * np.std(power) / 20**0.5 + 0.002


def test_arrays_that_a_step_has_moved_are_known_still():
    """Sums that are no longer zero, but far smaller than those of independent entries: 1, and not 7, behind sigmoid."""
    net = nn.Sequential(nn.Dense(64), *["sigmoid", nn.Dense(64)] * 3, "sigmoid", nn.Dense(10))
    x = np.random.default_rng(0).normal(size=(2000, 16)).astype(np.float32)
    model, _ = capas.fit(
        capas.init(net, (16,)), (x, (x[:, 0] > 0).astype(int)), optimizer=optax.sgd(1e-3), epochs=1, progress=False
    )
    rows = [r for r in capas.propagate(model).layers if isinstance(dict(net.layers)[r.path], nn.Dense)]
    signal, measured = x, []
    for name, layer in net.layers:
        signal, _ = layer.apply(model.params.get(name, {}), {}, jnp.asarray(signal))
        measured += [float(np.square(signal).mean())] if isinstance(layer, nn.Dense) else []
    np.testing.assert_allclose([r.second for r in rows[:-1]], measured[:-1], rtol=0.05)
    assert rows[-1].second == pytest.approx(measured[-1], rel=0.35)  # ten units of one draw


@pytest.mark.parametrize("scale", [3.0, 0.2, 1.0])
def test_how_much_of_a_mean_is_heard(scale):
    """Entries with a part that all rows share, or without most of it: the mean of the signal counts by that."""
    draws = np.random.default_rng(0).normal(size=(60, 40))
    w = (draws + (scale - 1) * draws.mean(0)).astype(np.float32)
    found = heard_axes(w.astype(np.float64), {}, frozenset())
    if scale == 1:
        assert found == {}
    else:
        assert found == pytest.approx({0: scale**2 / (1 + (scale**2 - 1) / 60)}, rel=0.6)
        assert found == pytest.approx({0: np.square(w.sum(0)).mean() / (60 * w.var())}, rel=1e-4)
    x = np.random.default_rng(1).normal(3, 1, (4000, 60))
    second = propagate(lambda w, x: (x + 3.0) @ w, w, jnp.zeros(60)).rows[-1].second
    assert second == pytest.approx(np.square(x @ w).mean(), rel=0.02 if found else 0.5)


def test_pairs_that_training_moved_apart_are_not_taken_for_centred():
    """Their sums stay zero, since updates are centred; what is read is their difference still."""
    net = nn.Sequential(nn.Dense(64), *["relu", nn.Dense(64)] * 3, "relu", nn.Dense(10))
    x = np.random.default_rng(0).normal(size=(2000, 16)).astype(np.float32)
    model, _ = capas.fit(capas.init(net, (16,)), (x, (x[:, 0] > 0).astype(int)), epochs=1, progress=False)
    w = np.asarray(model.params["4"]["weight"], np.float64)
    assert abs(w.sum(0)).max() < 1e-4 < abs(w[:32] + w[32:]).max()
    assert not centred_axes(w, {})
    second = [r.second for r in capas.propagate(model).layers if r.path in {"2", "4", "6"}]
    np.testing.assert_allclose(second, 1, rtol=0.1)


def test_they_stay_centred_while_they_are_trained():
    net = nn.Sequential(nn.Dense(16), *["sigmoid", nn.Dense(16)] * 3, "sigmoid", nn.Dense(2))
    x = jax.random.normal(KEY, (256, 4))
    model, _ = capas.fit(
        capas.init(net, (4,)), (x, (x[:, 0] > 0).astype(int)), epochs=20, validation=None, progress=False
    )
    for i in "2468":
        w = np.asarray(model.params[i]["weight"])
        np.testing.assert_allclose(w.sum(0), 0, atol=1e-4)
        assert centred_axes(w, {}) == {0}
