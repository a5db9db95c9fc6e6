"""Which scheme each kernel of a network gets, and that the default keeps the signal."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import capas
from capas import nn, weights
from capas.errors import ArgumentError
from capas.weights.initialize import choices
from capas.weights.reader import OUTPUT, read_kernels

relu, tanh = nn.Activation("relu"), nn.Activation("tanh")
WIDE = ["relu", "tanh", "sigmoid", "gelu", "elu", "silu", "softplus", "exp", "abs", "leaky_relu"]


def schemes_of(net, rules):
    return {path: planned.scheme for path, planned in choices(net, (8,), rules).items()}


def second(x):
    return float(np.square(np.asarray(x, np.float64)).mean())


def power_of(function, variance):
    """E f(z)² of a normal z of this variance, as a sum over a fine grid."""
    z, step = np.linspace(-12, 12, 480_001, retstep=True)
    density = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    return float((function(math.sqrt(variance) * z) ** 2 * density).sum() * step)


def read_through(net, shape):
    """The functions that every kernel reads through."""
    return {path: kernel.reads.functions for path, kernel in read_kernels(net, shape).items()}


@pytest.mark.parametrize("count", [1, 4])
@pytest.mark.parametrize("name", WIDE)
def test_default_weights_keep_the_second_moment_through_any_activation(name, count):
    """Width 200, 10 draws of weights and data: the mean second moment is within 5 standard errors of 0.1."""
    net = nn.Sequential(nn.Dense(200), *[name, nn.Dense(200)] * count)
    data = jax.random.normal(jax.random.key(9), (10, 64, 200))
    moments = [second(capas.init(net, input_shape=(200,), seed=s)(x)) for s, x in enumerate(data)]
    error = np.std(moments, ddof=1) / math.sqrt(10)
    assert abs(np.mean(moments) - 0.1) < 5 * error
    assert error < 0.003


def test_default_weights_of_other_shapes():
    """Wider, narrower, convolution, stride, groups, transposed: E w² is q / (fan_in E f²) throughout.

    All layers work at one variance q, and the output has variance 0.1. Behind groups and tanh there are no pairs; behind
    GELU half of the inputs carry what the others do, so that f is the odd part and E w² is twice as large. Behind sigmoid
    weights sum to zero, so that f is sigmoid without its mean, tanh(z/2)/2, and 299 of 300 are free.
    """
    net = nn.Sequential(
        nn.Conv(32, (3, 3), padding="circular"),
        "relu",
        nn.Conv(64, (3, 3), stride=2, groups=4),
        "tanh",
        nn.ConvTranspose(16, (4, 4), stride=2),
        "gelu",
        nn.Flatten(),
        nn.Dense(300),
        "sigmoid",
        nn.Dense(10),
    )
    model = capas.init(net, input_shape=(8, 8, 3))
    q = 27 * second(model.params["0"]["weight"])
    assert 0.1 < q < 0.3
    expected = {
        "2": 2 / 72,
        "4": q / power_of(np.tanh, q) / 256,
        "7": 2 / 1024,
        "9": OUTPUT / power_of(lambda z: np.tanh(z / 2) / 2, q) / 300 * (1 - 1 / 300),
    }
    for name, variance in expected.items():
        assert second(model.params[name]["weight"]) == pytest.approx(variance, rel=1e-4)


def test_biases_and_normalization_start_at_their_constants():
    net = nn.Sequential(nn.Dense(4), nn.BatchNorm(), nn.PReLU())
    model = capas.init(net, input_shape=(3,), scheme=weights.Constant(5.0))
    assert model.params["0"]["bias"].tolist() == [0] * 4
    assert model.params["1"]["scale"].tolist() == [1] * 4
    assert model.params["2"]["slope"].tolist() == [0.25] * 4
    assert np.all(model.params["0"]["weight"] == 5)


@pytest.mark.parametrize(
    ("net", "expected"),
    [
        (nn.Sequential("relu", nn.Dense(4), nn.Dense(4)), {"1/weight": (relu,), "2/weight": ()}),
        (nn.Sequential("relu", nn.Dropout(0.5), "tanh", nn.Dense(4)), {"3/weight": (relu, tanh)}),
        (nn.Sequential("relu", nn.LayerNorm(), nn.Dense(4)), {"2/weight": (relu,)}),
        (nn.Sequential("relu", jax.nn.softmax, nn.Dense(4)), {"2/weight": ()}),
        (nn.Sequential("relu", nn.Softmax(), nn.Dense(4)), {"2/weight": ()}),
        (
            nn.Sequential(nn.PReLU(0.1), nn.Dense(4)),
            {"1/weight": (nn.Activation("leaky_relu", negative_slope=0.1),)},
        ),
        (
            nn.Sequential("relu", nn.Residual(nn.Sequential(nn.Dense(4), "tanh")), nn.Dense(4)),
            {"1/block/0/weight": (relu,), "2/weight": ()},
        ),
        (
            nn.Sequential(
                nn.Parallel((nn.Sequential(nn.Dense(4), "tanh"), "tanh"), combine="concatenate"), nn.Dense(4)
            ),
            {"0/0/0/weight": (), "1/weight": (tanh,)},
        ),
        (
            nn.Sequential(
                nn.Parallel((nn.Sequential(nn.Dense(4), "tanh"), "relu"), combine="concatenate"), nn.Dense(4)
            ),
            {"0/0/0/weight": (), "1/weight": ()},
        ),
        (
            nn.Sequential("tanh", nn.Repeat(nn.Sequential(nn.Dense(4), "relu"), 3), nn.Dense(4)),
            {"1/block/0/weight": (relu,), "2/weight": (relu,)},
        ),
        (nn.Sequential("relu", nn.WeightStandardized(nn.Dense(4)), nn.Dense(4)), {"1/weight": (relu,), "2/weight": ()}),
    ],
)
def test_what_stands_before_each_kernel(net, expected):
    assert read_through(net, (4,)) == expected


def test_learned_swish_counts_as_it_starts():
    model = capas.init(nn.Sequential(nn.Swish(1.0), nn.Dense(64)), input_shape=(64,))
    assert second(model.params["1"]["weight"]) == pytest.approx(OUTPUT * weights.gain("silu") ** 2 / 64, rel=1e-5)


def test_pooling_flattening_and_dropout_pass_on():
    net = nn.Sequential(nn.Conv(4, (3, 3)), "relu", nn.MaxPool((2, 2)), nn.Flatten(), nn.Dropout(0.1), nn.Dense(4))
    assert read_through(net, (4, 4, 1))["5/weight"] == (relu,)


def test_schemes_by_pattern():
    net = nn.Sequential(
        stem=nn.Dense(8), act="relu", body=nn.Repeat(nn.Sequential(nn.Dense(8), "relu"), 2), head=nn.Dense(8)
    )
    chosen = schemes_of(net, {"head/*": weights.Zeros(), "body/*": weights.He(), "*": weights.LeCun()})
    expected = {"stem": weights.LeCun(), "body/block/0": weights.He(), "head": weights.Zeros()}
    assert chosen == {f"{path}/weight": scheme for path, scheme in expected.items()}
    rest = schemes_of(net, {"head/*": weights.Zeros()})
    scheme = rest["body/block/0/weight"]
    assert isinstance(scheme, weights.Orthogonal)
    assert scheme.gain == pytest.approx(weights.gain("relu"), rel=1e-14)


def test_copies_of_a_repeat_are_drawn_apart_and_each_is_orthogonal():
    model = capas.init(nn.Repeat(nn.Sequential(nn.Dense(16), "tanh"), 3), input_shape=(16,))
    stacked = np.asarray(model.params["block"]["0"]["weight"], np.float64)
    assert stacked.shape == (3, 16, 16)
    power = choices(nn.Repeat(nn.Sequential(nn.Dense(16), "tanh"), 3), (16,), "auto")["block/0/weight"].power
    assert 0 < power < 1
    for matrix in stacked:
        np.testing.assert_allclose(matrix @ matrix.T, power / power_of(np.tanh, power) * np.eye(16), atol=1e-5)
    assert not np.allclose(stacked[0], stacked[1])


def test_same_seed_same_weights_and_other_seed_other_weights():
    net = nn.Sequential(nn.Dense(8), nn.Dense(8))
    first, again, other = (capas.init(net, input_shape=(8,), seed=s).params for s in (1, 1, 2))
    same = jax.tree.map(lambda a, b: bool((a == b).all()), first, again)
    assert all(jax.tree.leaves(same))
    assert not np.allclose(first["0"]["weight"], other["0"]["weight"])
    assert not np.allclose(first["0"]["weight"], first["1"]["weight"])


def test_a_bare_function_in_float32_is_good_enough():
    net = nn.Sequential(lambda z: jnp.float32(2) * z.astype(jnp.float32), nn.Dense(32))
    assert second(capas.init(net, input_shape=(32,)).params["1"]["weight"]) == pytest.approx(OUTPUT / 4 / 32, rel=1e-4)


@pytest.mark.parametrize(
    ("scheme", "text"),
    [
        (
            "he",
            'scheme: expected "auto", a scheme out of capas.weights, or a mapping from patterns of paths to these, '
            "got 'he'. Write, for example, weights.He().",
        ),
        (
            weights.He,
            'scheme: expected "auto", a scheme out of capas.weights, or a mapping from patterns of paths to these, '
            "got <class 'capas.weights.scaled.He'>. Write weights.He(...).",
        ),
        (
            {"tail/*": weights.Zeros()},
            "scheme: expected patterns that match the path of a kernel, got 'tail/*'. The kernels are 0/weight, "
            "1/weight; '*' stands for anything.",
        ),
        (
            {"*": "auto", "1/*": weights.Zeros()},
            "scheme: expected patterns that decide for some kernel, got '1/*' behind others. The first that matches "
            "counts; put it in front.",
        ),
    ],
)
def test_refusals(scheme, text):
    with pytest.raises(ArgumentError) as caught:
        capas.init(nn.Sequential(nn.Dense(2), nn.Dense(2)), input_shape=(2,), scheme=scheme)
    assert str(caught.value) == text


@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid"])
def test_a_repeat_is_planned_like_its_copies(activation):
    """Chains and residual blocks: the same gain and variance as one by one."""
    for block in (
        nn.Sequential(activation, nn.Dense(32)),
        nn.Residual(nn.Sequential(activation, nn.Dense(32), activation, nn.Dense(32))),
    ):
        loop = nn.Sequential(nn.Dense(32), nn.Repeat(block, 12), activation, nn.Dense(4))
        chain = nn.Sequential(nn.Dense(32), *[block] * 12, activation, nn.Dense(4))
        one, other = (choices(net, (8,), "auto") for net in (loop, chain))
        twins = {path: f"1/{path[8:]}" if path.startswith("1/block/") else path for path in one}
        twins["3/weight"] = "14/weight"
        for path, twin in twins.items():
            assert one[path].why == other[twin].why
            assert one[path].power == pytest.approx(other[twin].power, rel=1e-9)
            assert _gain(one[path].scheme) == pytest.approx(_gain(other[twin].scheme), rel=1e-9)


def _gain(scheme):
    return getattr(scheme, "base", scheme).gain


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: capas.init("relu", (4,)), "init: expected a layer, got 'relu'"),
        (lambda: capas.tailor("relu", (4,)), "tailor: expected a layer, got 'relu'"),
        (lambda: capas.tailor(capas.init(nn.Dense(2), (4,)), (4,)), "of a model, give its network"),
        (lambda: capas.init(nn.Dense(2), 64), "init: expected input_shape to be a tuple of whole numbers.* got 64"),
        (lambda: capas.tailor(nn.Dense(2), (6.5,)), "tailor: expected input_shape to be a tuple .* got .6.5,"),
        (lambda: capas.propagate(nn.Dense(2), input_shape=64), "propagate: expected input_shape .* got 64"),
        (
            lambda: capas.init(nn.Sequential(nn.Dense(4), jnp.log, nn.Dense(4)), (4,)),
            "gain '2/weight': expected a function with finite moments, got nn.Activation.*log",
        ),
        (
            lambda: capas.init(nn.Sequential(nn.Dense(4), lambda z: 0 * z, nn.Dense(4)), (4,)),
            "gain '2/weight': expected an activation that is not zero everywhere",
        ),
    ],
)
def test_what_is_no_network_or_no_shape_or_has_no_moments_is_refused(call, text):
    with pytest.raises(ArgumentError, match=text):
        call()
