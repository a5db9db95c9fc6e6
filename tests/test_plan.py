"""The plan behind "auto": which units are pairs and why not, at which variance a network works, and what comes of it."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import capas
from capas import nn, weights
from capas.weights.initialize import choices
from capas.weights.operating import setting
from capas.weights.reader import OUTPUT, read_kernels
from capas.weights.reading import Reading

DENSE, WIDE = nn.Dense(8), nn.Dense(64)
CONV = nn.Conv(8, (3, 3))
BRANCH = nn.Sequential("relu", DENSE, "relu", DENSE)


def sides(net, shape, scheme="auto"):
    """For every kernel whether it reads pairs and writes them, as two letters."""
    found = {}
    for path, planned in choices(net, shape, scheme).items():
        mirrored = planned.scheme if isinstance(planned.scheme, weights.Mirrored) else None
        found[path] = "".join(
            letter if mirrored and side else "-"
            for letter, side in (("r", mirrored and mirrored.inputs), ("w", mirrored and mirrored.outputs))
        )
    return found


def dense(*layers):
    return nn.Sequential(*layers), (8,)


TABLE = {
    "a chain": (*dense(DENSE, "relu", DENSE, "relu", nn.Dense(2)), {"0": "-w", "2": "rw", "4": "r-"}),
    "one activation is no reason": (*dense(DENSE, "relu", nn.Dense(2)), {"0": "--", "2": "--"}),
    "odd activations need none": (*dense(DENSE, "tanh", DENSE, "sin", DENSE), {"0": "--", "2": "--", "4": "--"}),
    "odd ones between": (
        *dense(DENSE, "softplus", DENSE, "tanh", DENSE, "softplus", DENSE),
        {"0": "-w", "2": "r-", "4": "-w", "6": "r-"},
    ),
    "two functions that are odd together": (*dense(DENSE, "tanh", "sin", DENSE), {"0": "--", "3": "--"}),
    "single units, too many for any variance": (
        *dense(DENSE, "relu", DENSE, "relu", nn.Dense(1), "relu", nn.Dense(1), "relu", nn.Dense(2)),
        {"0": "-w", "2": "rw", "4": "r-", "6": "--", "8": "--"},
    ),
    "an even function has no odd part": (
        *dense(DENSE, *["abs", DENSE] * 4, "abs", nn.Dense(2)),
        {str(2 * i): "--" for i in range(6)},
    ),
    "odd widths": (
        *dense(DENSE, "relu", nn.Dense(9), "relu", nn.Dense(11), "relu", DENSE),
        {"0": "-w", "2": "rw", "4": "rw", "6": "r-"},
    ),
    "a layer narrower than both ends": (
        *dense(DENSE, "relu", nn.Dense(5), "relu", DENSE, "relu", DENSE),
        {"0": "-w", "2": "r-", "4": "-w", "6": "r-"},
    ),
    "a narrow layer in front of few outputs": (
        *dense(DENSE, "relu", nn.Dense(5), "relu", DENSE, "relu", nn.Dense(2)),
        {"0": "-w", "2": "rw", "4": "rw", "6": "r-"},
    ),
    "more narrow layers than can be borne": (
        *dense(DENSE, *["relu", nn.Dense(5), "relu", DENSE] * 8),
        {"0": "-w", **{str(2 * i): "rw" for i in range(1, 16)}, "32": "r-"},
    ),
    "narrow layers beside a skip": (
        *dense(DENSE, nn.Residual(nn.Sequential("relu", nn.Dense(4), "relu", DENSE)), "relu", DENSE),
        {"0": "-w", "1/block/1": "rw", "1/block/3": "rw", "3": "r-"},
    ),
    "the input": (*dense("relu", DENSE, "relu", DENSE, "relu", DENSE), {"1": "-w", "3": "rw", "5": "r-"}),
    "an output that is read by itself": (*dense(nn.Repeat(nn.Sequential(DENSE, "relu"), 5)), {"0/block/0": "--"}),
    "softmax between": (
        *dense(DENSE, "relu", DENSE, nn.Softmax(), DENSE, "relu", DENSE, "relu", DENSE),
        {"0": "-w", "2": "r-", "4": "-w", "6": "rw", "8": "r-"},
    ),
    "normalization between": (
        *dense(DENSE, nn.LayerNorm(), "relu", DENSE, nn.BatchNorm(), "relu", DENSE),
        {"0": "-w", "3": "rw", "6": "r-"},
    ),
    "concatenation": (
        *dense(DENSE, nn.Parallel(("relu", nn.Sequential("relu", DENSE)), "concatenate"), "relu", DENSE),
        {"0": "--", "1/1/1": "--", "3": "--"},
    ),
    "product": (
        *dense(DENSE, "relu", DENSE, nn.Parallel((DENSE, nn.Sequential(DENSE, "sigmoid")), "product"), "relu", DENSE),
        {"0": "-w", "2": "r-", "3/0": "--", "3/1/0": "--", "5": "--"},
    ),
    "residual": (
        *dense(DENSE, nn.Residual(BRANCH), nn.Residual(BRANCH), "relu", DENSE),
        {"0": "-w", **{f"{i}/block/{k}": "rw" for i in (1, 2) for k in (1, 3)}, "4": "r-"},
    ),
    "a loop": (
        *dense(DENSE, nn.Repeat(nn.Sequential("mish", DENSE), 50), "mish", DENSE),
        {"0": "-w", "1/block/1": "rw", "3": "r-"},
    ),
    "a larger variance without": (
        *dense(DENSE, nn.Repeat(nn.Sequential("selu", DENSE), 50), "selu", DENSE),
        {"0": "--", "1/block/1": "--", "3": "--"},
    ),
    "a growth that cannot be borne": (
        *dense(DENSE, nn.Repeat(nn.Sequential("selu", DENSE), 300), "selu", DENSE),
        {"0": "-w", "1/block/1": "rw", "3": "r-"},
    ),
    "half of the variance is not worth it": (
        *dense(DENSE, nn.Repeat(nn.Sequential("elu", DENSE), 50), "elu", DENSE),
        {"0": "--", "1/block/1": "--", "3": "--"},
    ),
    "a seventh of it is": (
        *dense(DENSE, *["gelu", DENSE] * 3),
        {"0": "-w", "2": "rw", "4": "rw", "6": "r-"},
    ),
    "learned activations": (
        *dense(DENSE, nn.Swish(), DENSE, nn.PReLU(0.1), DENSE, nn.Swish(), DENSE),
        {"0": "-w", "2": "rw", "4": "rw", "6": "r-"},
    ),
    "dropout": (
        *dense(DENSE, "relu", nn.Dropout(0.1), DENSE, "relu", DENSE),
        {"0": "-w", "3": "rw", "5": "r-"},
    ),
    "convolutions, pooling, flatten": (
        nn.Sequential(CONV, "relu", nn.MaxPool((2, 2)), CONV, "relu", nn.AvgPool((2, 2)), nn.Flatten(), DENSE),
        (8, 8, 3),
        {"0": "-w", "3": "rw", "7": "r-"},
    ),
    "groups": (
        nn.Sequential(CONV, "tanh", nn.Conv(8, (3, 3), groups=2), "relu", CONV, "relu", CONV, "relu", CONV),
        (8, 8, 3),
        {"0": "--", "2": "--", "4": "-w", "6": "rw", "8": "r-"},
    ),
}


@pytest.mark.parametrize("name", TABLE)
def test_which_units_are_pairs(name):
    net, shape, expected = TABLE[name]
    assert sides(net, shape) == {f"{path}/weight": letters for path, letters in expected.items()}


@pytest.mark.parametrize(
    ("net", "path", "why"),
    [
        (nn.Sequential("relu", DENSE), "1", "orthogonal; no pairs: the network's input"),
        (nn.Sequential(nn.Dense(1), "relu", DENSE), "2", "orthogonal; no pairs: a single unit"),
        (
            nn.Sequential(DENSE, nn.Parallel(("relu", "relu"), "concatenate"), DENSE),
            "2",
            "orthogonal; no pairs: branches combined by concatenate",
        ),
        (
            nn.Sequential(DENSE, nn.Residual(nn.Sequential("tanh", DENSE)), DENSE),
            "1/block/1",
            "orthogonal; the only branch",
        ),
        (nn.Sequential(DENSE, "relu", DENSE, "relu", DENSE), "2", "mirrored orthogonal, reads and writes pairs"),
        (nn.Sequential(DENSE, "relu", DENSE, "relu", DENSE), "0", "mirrored orthogonal, writes pairs"),
    ],
)
def test_the_reason_is_told(net, path, why):
    assert choices(net, (8,), "auto")[f"{path}/weight"].why == why
    assert capas.init(net, (8,)).drawn[f"{path}/weight"] == why


def test_a_given_scheme_neither_reads_nor_writes_pairs():
    net = nn.Sequential(DENSE, "tanh", DENSE, "relu", DENSE, "relu", DENSE, "relu", DENSE)
    found = sides(net, (8,), {"2/*": weights.He()})
    assert found == {"0/weight": "--", "2/weight": "--", "4/weight": "-w", "6/weight": "rw", "8/weight": "r-"}
    assert choices(net, (8,), {"2/*": weights.He()})["4/weight"].why.count("; no pairs: a scheme that was given") == 1


def test_kernels_of_deep_stacks_of_convolutions_start_at_their_centre():
    """From four in a row; not where the matrix would lose inputs, with strides, with groups, or of one tap."""

    def base(planned):
        return type(getattr(planned.scheme, "base", planned.scheme))

    stack = [CONV, "relu"] * 3
    three, four = nn.Sequential(*stack, nn.Flatten(), DENSE), nn.Sequential(*stack, CONV, "relu", nn.Flatten(), DENSE)
    kinds = {n: base(p) for n, p in choices(four, (4, 4, 3), "auto").items()}
    assert kinds == {
        "0/weight": weights.Orthogonal,
        **{f"{i}/weight": weights.DeltaOrthogonal for i in (2, 4, 6)},
        "9/weight": weights.Orthogonal,
    }
    assert {base(p) for p in choices(three, (4, 4, 3), "auto").values()} == {weights.Orthogonal}
    for other in (
        nn.Conv(8, (3, 3), stride=2),
        nn.Conv(8, (3, 3), groups=2),
        nn.Conv(8, (1, 1)),
        nn.Conv(16, (3, 3)),
    ):
        net = nn.Sequential(*stack, CONV, "tanh", other)
        assert base(choices(net, (4, 4, 3), "auto")["8/weight"]) == weights.Orthogonal


# The variance at which a network works, by a bisection in plain NumPy.

Z, STEP = np.linspace(-11, 11, 400_001, retstep=True)
MASS = np.exp(-(Z**2) / 2) / math.sqrt(2 * math.pi) * STEP
READ = {
    "tanh": (np.tanh, lambda z: 1 / np.cosh(z) ** 2),
    "sin": (np.sin, np.cos),
    "sigmoid": (lambda z: np.tanh(z / 2), lambda z: 0.5 / np.cosh(z / 2) ** 2),
    "elu": (lambda z: np.where(z > 0, z, np.expm1(np.minimum(z, 0))), lambda z: np.exp(np.minimum(z, 0))),
    "hard_tanh": (lambda z: np.clip(z, -1, 1), lambda z: (np.abs(z) < 1) * 1.0),
    "soft_sign": (lambda z: z / (1 + np.abs(z)), lambda z: 1 / (1 + np.abs(z)) ** 2),
}
"""What the next layer reads of a unit or of a pair, and its derivative. All are odd but ELU, which does without pairs."""


def growth(name, q):
    """The largest of what gradients and deviations of the variance are multiplied with, and what depends on the input
    is divided by, in a layer: of one activation, or of as many units of each of several."""
    z, sums = math.sqrt(q) * Z, []
    for function, slope in (READ[each] for each in name.split("+")):
        value, steep = function(z), slope(z)
        sums.append([(MASS * v).sum() for v in (value**2, steep**2, z * value * steep)] + [(MASS * value).sum() ** 2])
    second, steepness, along, mean = np.mean(sums, axis=0)
    return max(q * steepness / second, along / second, second / (second - mean))


def largest_power(name, layers):
    low, high = math.log(1e-5), 0.0
    if layers * math.log(growth(name, 1.0)) <= math.log(1.5):
        return 1.0
    while high - low > 1e-4:
        middle = (low + high) / 2
        fits = layers * math.log(growth(name, math.exp(middle))) <= math.log(1.5)
        low, high = (middle, high) if fits else (low, middle)
    return math.exp(low)


def chain(name, layers, width=64):
    """A network in which an activation is read so many times."""
    body = nn.Repeat(nn.Sequential(name, nn.Dense(width)), layers - 1)
    return nn.Sequential(nn.Dense(width), body, name, nn.Dense(width))


@pytest.mark.parametrize("layers", [10, 100, 1000])
@pytest.mark.parametrize("name", READ)
def test_the_variance_is_the_largest_at_which_gradients_grow_by_half(name, layers):
    planned = choices(chain(name, layers), (64,), "auto")
    expected = largest_power(name, layers)
    for path in ("1/block/1/weight", "3/weight"):
        assert planned[path].power == pytest.approx(expected, rel=0.005)


def test_different_activations_side_by_side_count_with_their_shares():
    """Without pairs, since they are concatenated; ELU alone has none either, and tanh alone a larger variance."""
    both = nn.Parallel(("elu", "tanh"), "concatenate")
    net = nn.Sequential(nn.Dense(64), *[both, nn.Dense(64)] * 20)
    found = choices(net, (64,), "auto")["20/weight"].power
    assert found == pytest.approx(largest_power("elu+tanh", 20), rel=0.005)
    assert found < 0.8 * largest_power("elu", 20)


def test_the_largest_variance_is_taken_where_none_is_good():
    """Of ReLU beside tanh a mean is left at any variance: 1.12 a layer, and 1.13 at a hundredth of the largest."""
    net = nn.Sequential(nn.Dense(64), *[nn.Parallel(("relu", "tanh"), "concatenate"), nn.Dense(64)] * 10)
    planned = choices(net, (64,), "auto")["20/weight"]
    assert 0.1 < planned.power < 0.5
    assert "whatever the variance" in planned.why


RECIPE = {
    "sigmoid": (0.2597, 0.1400, 0.0735),
    "selu": (None, 0.0159, 0.0045),
    "tanh": (0.0649, 0.0350, 0.0184),
    "sin": (0.1104, 0.0637, 0.0349),
    "hard_tanh": (0.1258, 0.1000, 0.0815),
    **dict.fromkeys(("relu", "leaky_relu", "gelu_exact", "silu", "softplus"), (1.0, 1.0, 1.0)),
}
"""At 100, 300 and 1000 layers, as computed before for networks that were trained with it, to four places; SELU has no
pairs any more at 100."""


@pytest.mark.parametrize("name", RECIPE)
def test_variances_known_from_before(name):
    known = {n: power for n, power in zip((100, 300, 1000), RECIPE[name], strict=True) if power}
    found = [choices(chain(name, n), (64,), "auto")["3/weight"].power for n in known]
    np.testing.assert_allclose(found, [*known.values()], rtol=0.02, atol=1e-4)


def test_variances_of_elu_with_pairs_known_from_before():
    """The plan no longer makes pairs for it; what they would allow is the same."""
    pairs = Reading((nn.Activation("elu"),), mirrored=True)
    found = [setting([(pairs, n)]).power for n in (100, 300, 1000)]
    np.testing.assert_allclose(found, (0.0964, 0.0268, 0.0073), rtol=0.02, atol=1e-4)


ALL = [*READ, "relu", "leaky_relu", "gelu", "silu", "hard_silu", "softplus", "mish", "selu"]


@pytest.mark.parametrize("layers", [3, 30, 300])
@pytest.mark.parametrize("name", ALL)
def test_signals_keep_their_variance_and_gradients_grow_little_over_a_whole_network(name, layers):
    net = chain(name, layers)
    planned = choices(net, (64,), "auto")["3/weight"]
    power = planned.power
    rows = [r for r in capas.propagate(net, input_shape=(64,)).rows if r.operation == "dot_general"]
    assert len(rows) == layers + 1
    np.testing.assert_allclose([r.second for r in rows[:-1]], power, rtol=0.01)
    assert rows[-1].second == pytest.approx(OUTPUT, rel=0.01)
    grown = rows[0].gradient / rows[-2].gradient
    assert 1 / 1.6 < grown < (1.1 * math.exp(planned.growth) if (name, layers) == ("selu", 30) else 1.6)


@pytest.mark.parametrize("scale", [1.0, 0.5])
@pytest.mark.parametrize("count", [10, 200])
@pytest.mark.parametrize("name", ["relu", "tanh", "sigmoid"])
def test_residual_blocks_together_add_half_of_the_power(name, count, scale):
    block = nn.Residual(nn.Sequential(name, WIDE, name, WIDE), scale=scale)
    net = nn.Sequential(WIDE, nn.Repeat(block, count), name, WIDE)
    rows = capas.propagate(net, input_shape=(64,), backward=False).rows
    first, *_, last = [r.second for r in rows if r.path.startswith(("0", "1"))]
    assert 1.3 < last / first < 1.5 + 1e-6
    assert rows[-1].second == pytest.approx(OUTPUT, rel=0.03)


@pytest.mark.parametrize("name", ["relu", "tanh"])
@pytest.mark.parametrize("layers", [1, 2])
def test_residual_blocks_written_out_are_as_a_loop_of_them(name, layers):
    """Written out, every block has its gain, and the output its variance exactly. In a loop all have one gain."""
    block = nn.Residual(nn.Sequential(*[name, WIDE] * layers))
    out, looped = (
        capas.propagate(nn.Sequential(WIDE, *body, name, WIDE), input_shape=(64,), backward=False).rows[-1].second
        for body in ([block] * 6, [nn.Repeat(block, 6)])
    )
    assert out == pytest.approx(OUTPUT, rel=1e-6)
    assert looped == pytest.approx(OUTPUT, rel=1e-6 if name == "relu" else 0.03)


@pytest.mark.parametrize(
    ("tail", "power"),
    [
        (["tanh", WIDE], 0.1),
        (["tanh", WIDE, nn.Flatten()], 0.1),
        ([WIDE, "tanh"], 1),
        ([nn.Repeat(nn.Sequential(WIDE), 3)], 1),
        ([nn.Residual(nn.Sequential("tanh", WIDE))], 1 + math.log(1.5)),
        ([WIDE, nn.LayerNorm()], 1),
    ],
)
def test_what_the_last_kernel_writes_is_small_where_it_is_the_output(tail, power):
    """Not what goes on: through an activation, as a sum, from copy to copy, or into a normalization."""
    net = nn.Sequential(WIDE, "tanh", WIDE, *tail)
    flow = capas.propagate(net, input_shape=(64,), backward=False)
    last = [row for row in flow.rows if row.operation == "add"][-1]
    assert last.second == pytest.approx(power, rel=1e-3)


def test_branches_behind_a_normalization_add_half_of_the_power():
    block = nn.Residual(nn.Sequential(nn.LayerNorm(), nn.Dense(256), "gelu", nn.Dense(64)))
    for body in ([block] * 8, [nn.Repeat(block, 8)]):
        net = nn.Sequential(WIDE, *body, nn.LayerNorm(), WIDE)
        rows = capas.propagate(net, input_shape=(64,), backward=False).rows
        end = next(i for i, r in enumerate(rows) if r.path == str(len(body) + 1))
        assert 1.3 < rows[end - 1].second < 1.5


SHORTCUT = nn.Residual(nn.Sequential("relu", WIDE, "relu", WIDE), shortcut=WIDE)


def two(combine, *layers):
    return nn.Parallel((nn.Sequential(*layers), nn.Sequential(*layers)), combine)


def powers(net, shape=(64,)):
    return {row.path: row.second for row in capas.propagate(net, input_shape=shape).layers}


KEPT = {
    "a shortcut": (nn.Sequential(WIDE, SHORTCUT, "relu", nn.Dense(10)), {"1/shortcut": 1, "1": 1 + math.log(1.5)}),
    "a shortcut ten times": (nn.Sequential(WIDE, nn.Repeat(SHORTCUT, 10), "relu", nn.Dense(10)), {}),
    "a sum": (nn.Sequential(WIDE, *[two("sum", "relu", WIDE)] * 9, "relu", nn.Dense(10)), {"9": 1, "9/0/1": 0.5}),
    "a mean": (nn.Sequential(WIDE, *[two("mean", "relu", WIDE)] * 9, "relu", nn.Dense(10)), {"9": 1, "9/0/1": 2}),
    "a sum with the signal": (
        nn.Sequential(WIDE, *[nn.Parallel((nn.Sequential(), WIDE), "sum")] * 9, nn.Dense(10)),
        {"9": 1.5},
    ),
    "loops in branches": (
        nn.Sequential(WIDE, *[nn.Residual(nn.Repeat(nn.Sequential("relu", WIDE), 3))] * 9, "relu", nn.Dense(10)),
        {"9": 1.5},
    ),
    "what is read in another shape": (
        nn.Sequential(WIDE, *["sigmoid", nn.Reshape((64,)), WIDE] * 9, "sigmoid", nn.Dense(10)),
        {},
    ),
    "different activations side by side": (
        nn.Sequential(
            WIDE,
            *[nn.Parallel((nn.Sequential(nn.Dense(24), "relu"), nn.Sequential(nn.Dense(40), "tanh")), "concatenate")]
            * 2,
            nn.Dense(10),
        ),
        {"2/0/0": 1, "2/1/0": 1},
    ),
    "standardized weights": (
        nn.Sequential(WIDE, "gelu", nn.WeightStandardized(WIDE), "gelu", nn.Dense(10)),
        {"2": 0.6085},
    ),
}


@pytest.mark.parametrize("name", KEPT)
def test_what_is_planned_comes_about_by_the_propagation_of_signals(name):
    net, expected = KEPT[name]
    found = powers(net)
    assert {path: found[path] for path in expected} == pytest.approx(expected, rel=0.01)
    *_, last = found
    assert found[last] == pytest.approx(OUTPUT, rel=0.01)


@pytest.mark.parametrize("name", ["relu", "tanh", "elu"])
@pytest.mark.parametrize("count", [20, 100])
def test_branches_that_end_in_activations_add_half_of_the_power(name, count):
    """Those of ReLU all have a positive mean, so that together they add the square of their number of it."""
    net = nn.Sequential(WIDE, nn.Repeat(nn.Residual(nn.Sequential(WIDE, name)), count), nn.Dense(10))
    *_, whole, _ = powers(net).values()
    assert whole == pytest.approx(1.5, rel=0.05)


def test_an_activation_that_cannot_be_small_is_left_at_the_usual_variance():
    """Sigmoid is a half at least in the mean, however small what it reads is."""
    net = nn.Sequential(WIDE, nn.Residual(nn.Sequential(WIDE, "sigmoid")), nn.Dense(10))
    assert powers(net)["1/block/0"] == pytest.approx(1, rel=0.01)
    said = "orthogonal; the only branch; nn.Activation('sigmoid') behind it cannot have the power that is wanted"
    assert choices(net, (64,), "auto")["1/block/0/weight"].why == said


def test_weights_that_are_standardized_work_at_the_variance_of_the_plan():
    layer = nn.WeightStandardized(WIDE)
    net = nn.Sequential(layer, nn.Repeat(nn.Sequential("tanh", layer), 100), "tanh", nn.Dense(10))
    rows = [r for r in capas.propagate(net, input_shape=(64,)).layers if r.path.endswith(("0", "1", "3"))]
    rows = [r for r in rows if not r.path.endswith("block/0")]
    np.testing.assert_allclose([r.second for r in rows[:-1]], choices(net, (64,), "auto")["3/weight"].power, rtol=0.02)
    assert 1 / 1.6 < rows[0].gradient / rows[-2].gradient < 1.6


@pytest.mark.parametrize(("name", "layers", "rate"), [("relu", 30, 0.1), ("sigmoid", 30, 0.2), ("tanh", 3, 0.5)])
def test_dropout_leaves_the_power_in_training(name, layers, rate):
    """Measured: the mean over weights, masks and inputs, within four of its standard errors."""
    block = nn.Sequential(name, nn.Dropout(rate), WIDE)
    net = nn.Sequential(WIDE, nn.Repeat(block, layers), name, nn.Dropout(rate), WIDE)
    inputs = np.random.default_rng(0).standard_normal((256, 64))

    def drawn(seed):
        model = capas.init(net, (64,), seed=seed)
        y, _ = net.apply(model.params, model.state, inputs, key=jax.random.key(seed), training=True)
        return float(np.square(y).mean())

    found = [drawn(seed) for seed in range(12)]
    assert abs(np.mean(found) - OUTPUT) < 4 * np.std(found) / math.sqrt(len(found)) + 0.01 * OUTPUT


def test_where_no_variance_is_good_it_is_told():
    groups = nn.Conv(64, (1,), groups=2)
    net = nn.Sequential(groups, nn.Repeat(nn.Sequential("sigmoid", groups), 100), "sigmoid", WIDE)
    told = (
        "no pairs: nn.Conv(64, (1,), groups=2) has groups, or several kernels; gradients or deviations grow by 1e83.0"
    )
    assert choices(net, (1, 64), "auto")["1/block/1/weight"].why == f"orthogonal; {told}, whatever the variance"
    with pytest.warns(
        UserWarning, match="in the layers around '1/block/1/weight' gradients.* grow by 1e83.0, whatever"
    ):
        capas.init(net, (1, 64))


def test_where_the_power_is_not_known_it_is_told():
    net = nn.Sequential(WIDE, nn.Softmax(), WIDE)
    assert choices(net, (64,), "auto")["2/weight"].why == "orthogonal; power unknown behind nn.Softmax()"


def test_features_that_become_positions_are_no_pairs():
    net = nn.Sequential(WIDE, "relu", nn.Reshape((4, 16)), nn.Dense(16), "relu", nn.Flatten(), WIDE)
    assert sides(net, (64,)) == {"0/weight": "--", "3/weight": "-w", "6/weight": "r-"}


def test_functions_that_need_float32_or_are_small_are_read():
    cut = nn.Activation(lambda z: jax.lax.max(z, jnp.float32(0)))
    small = nn.Activation(lambda z: 1e-6 * jax.nn.relu(z))
    for activation in cut, small:
        net = nn.Sequential(WIDE, *[activation, WIDE] * 4)
        assert sides(net, (64,)) == {f"{2 * i}/weight": s for i, s in enumerate(("-w", "rw", "rw", "rw", "r-"))}


def test_a_thousand_normalizations_are_read():
    block = nn.Residual(nn.Sequential(nn.LayerNorm(), nn.Dense(2), "relu", nn.Dense(2)))
    assert len(read_kernels(nn.Sequential(nn.Dense(2), *[block] * 1100), (2,))) == 2201


def test_symbols_are_no_signal():
    net = nn.Sequential(nn.Embedding(1000, 16), nn.Flatten(), nn.Dense(8))
    ids = np.random.default_rng(0).integers(0, 1000, (64, 12))
    drawn = capas.init(net, (12,), data=ids).params["0"]["weight"]
    assert np.square(drawn).mean() == pytest.approx(np.square(capas.init(net, (12,)).params["0"]["weight"]).mean())


def test_sums_of_bare_activations_are_told():
    net = nn.Sequential(WIDE, nn.Parallel(("relu", "tanh"), "sum"), WIDE)
    assert choices(net, (64,), "auto")["2/weight"].why.endswith("power unknown behind a sum of activations")


def test_kernels_side_by_side_are_one_layer():
    """Of two halves as of one whole: the same variance, and a branch more of ten layers is not ten layers more."""
    halves = nn.Parallel((nn.Sequential("tanh", nn.Dense(32)), nn.Sequential("tanh", nn.Dense(32))), "concatenate")
    whole = nn.Sequential("tanh", nn.Dense(64))
    found = [choices(nn.Sequential(WIDE, *[body] * 30, "tanh", WIDE), (64,), "auto") for body in (halves, whole)]
    assert found[0]["10/1/1/weight"].power == pytest.approx(found[1]["10/1/weight"].power)


def test_skips_that_went_through_an_activation_are_told():
    net = nn.Sequential(WIDE, "relu", nn.Residual(nn.Sequential(WIDE, "relu", WIDE)), WIDE)
    assert choices(net, (64,), "auto")["3/weight"].why.endswith("power unknown behind a sum of activations")
    net = nn.Sequential(WIDE, nn.Residual(nn.Sequential("relu", WIDE)), "relu", WIDE)
    assert "unknown" not in choices(net, (64,), "auto")["3/weight"].why
