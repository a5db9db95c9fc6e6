"""The oracle against closed forms, against plain loops, and against JAX's own gradients."""

import itertools
import math
from dataclasses import replace
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from capas import nn

from .architectures import ARCHITECTURES, build
from .comparison import Difference, differences, pairs
from .monte_carlo import MOMENTS, Estimate, agree, measure

N = 256
PI = math.pi


def _matrices(*gains):
    def draw(seed):
        keys = jax.random.split(jax.random.key(seed), len(gains))
        return [gain * N**-0.5 * jax.random.normal(key, (N, N)) for gain, key in zip(gains, keys, strict=True)]

    return draw


def _require(row, **expected):
    """Each moment within five standard errors of its closed form, or 1e-6 where the error is that of rounding."""
    for moment, value in expected.items():
        measured, error = getattr(row, moment)
        assert abs(measured - value) <= 5 * error + 1e-6 * abs(value), f"{row.path} {row.operation} {moment}"


def test_linear_chain_of_off_centre_inputs():
    def network(w, x):
        for i, matrix in enumerate(w):
            with jax.named_scope(str(i)):
                x = x @ matrix
        return x

    first, last, *parameters = measure(network, _matrices(1.5, 0.5), (N,), mean=0.7, std=2.0)
    _require(first, mean=0, second=2.25 * 4.49, cross=2.25 * 0.49, gradient=0.25)
    _require(last, mean=0, second=0.25 * 2.25 * 4.49, cross=0.25 * 2.25 * 0.49, gradient=1)
    assert [(row.path, row.operation, row.shape) for row in parameters] == [
        ("0", "parameter", (N, N)),
        ("1", "parameter", (N, N)),
    ]
    _require(parameters[0], gradient=0.25 * 4.49)
    _require(parameters[1], gradient=2.25 * 4.49)
    assert 0 < first.second.error < 0.02 * first.second.value


def test_relu_and_the_layer_after_it():
    def network(w, x):
        with jax.named_scope("hidden"):
            x = jax.nn.relu(x @ w[0])
        return x @ w[1]

    before, after, last, *_ = measure(network, _matrices(1.0, 2**0.5), (N,))
    assert [(row.path, row.operation) for row in (before, after, last)] == [
        ("hidden", "dot_general"),
        ("hidden", "max"),
        ("", "dot_general"),
    ]
    _require(before, mean=0, second=1, cross=0, gradient=1)
    _require(after, mean=1 / math.sqrt(2 * PI), second=1 / 2, cross=1 / (2 * PI), gradient=2)
    _require(last, mean=0, second=1, cross=1 / PI, gradient=1)


def test_what_needs_no_weights_is_as_exact_as_its_sample():
    rows = measure(lambda _, x: jnp.exp(jnp.abs(x)), lambda seed: {}, (N,), draws=5)
    absolute, exponential = rows
    _require(absolute, mean=math.sqrt(2 / PI), second=1, cross=2 / PI, gradient=2 * math.exp(2) * _normal_cdf(2))
    _require(exponential, mean=2 * math.exp(0.5) * _normal_cdf(1), second=2 * math.exp(2) * _normal_cdf(2), gradient=1)


def _normal_cdf(x):
    return (1 + math.erf(x / math.sqrt(2))) / 2


def test_moments_are_those_of_a_loop_over_pairs():
    seen = []

    def network(w, x):
        jax.debug.callback(lambda a: seen.append(np.asarray(a, np.float64)), x)
        return jnp.sin(x)

    (row, *_) = measure(network, lambda seed: {}, (3, 5), draws=4, batch=7, mean=0.3)
    x = np.sin(np.stack(seen))
    cross = [np.mean([(a * b).mean() for a, b in itertools.permutations(draw, 2)]) for draw in x]
    for found, numbers in ((row.mean, x.mean((1, 2, 3))), (row.second, (x**2).mean((1, 2, 3))), (row.cross, cross)):
        np.testing.assert_allclose(found.value, np.mean(numbers), rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(found.error, np.std(numbers, ddof=1) / 2, rtol=1e-4)


def test_gradients_are_those_of_what_comes_after():
    """Of a convolution's and a pool's output, by `jax.vjp` of the layers that follow."""
    layers = [nn.Conv(8, (3, 3)), nn.MaxPool((2, 2)), nn.Activation("gelu"), nn.Flatten(), nn.Dense(9)]
    network, seen = nn.Sequential(*layers), []
    params, _ = network.init(jax.random.key(0), (4, 4, 3))

    def function(params, x):
        jax.debug.callback(seen.append, x)
        return network.apply(params, {}, x)[0]

    last = {row.path: row for row in measure(function, lambda seed: params, (4, 4, 3), draws=8, batch=50)}
    signal = jnp.concatenate(seen)
    for i in (0, 1):
        signal, _ = layers[i].apply(params.get(str(i), {}), {}, signal)
        _require(last[str(i)], gradient=_power_behind(layers[i + 1 :], i + 1, params, signal))


def _power_behind(layers, start, params, signal):
    """E (sum_j dy_j/dx_i g_j)² over g is the sum over outputs j of (dy_j/dx_i)²."""

    def function(x):
        for i, layer in enumerate(layers, start):
            x = layer.apply(params.get(str(i), {}), {}, x)[0]
        return x

    y, back = jax.vjp(function, signal)
    one_output = jnp.broadcast_to(jnp.eye(y.shape[1])[:, None], (y.shape[1], *y.shape))
    (slopes,) = jax.vmap(back)(one_output)
    return float(jnp.square(slopes).mean(tuple(range(1, slopes.ndim))).sum())


def test_a_loop_gives_the_rows_of_its_steps():
    scale = jnp.linspace(0.5, 1.5, 3)

    def step(x, w):
        matrix, factor = w
        with jax.named_scope("block"):
            x = jnp.tanh(factor * (x @ matrix))
        return x, x.sum()

    def loop(w, x):
        with jax.named_scope("deep"):
            return jax.lax.scan(step, x, (w, scale))[0]

    def unrolled(w, x):
        for i in range(3):
            with jax.named_scope(f"deep/{i}"):
                x, _ = step(x, (w[i], scale[i]))
        return x

    def draw(seed):
        return jnp.stack(_matrices(1.0, 1.0, 1.0)(seed))

    found, expected = (measure(function, draw, (N,), draws=2) for function in (loop, unrolled))
    names = [(row.path, row.operation) for row in found]
    assert names[:3] == [("deep/0/block", name) for name in ("dot_general", "mul", "tanh")]
    assert names == [(row.path, row.operation) for row in expected]
    assert names[-1] == ("", "parameter")
    for mine, theirs in zip(found, expected, strict=True):
        for moment in MOMENTS[3:] if mine.operation == "parameter" else MOMENTS:
            np.testing.assert_allclose(getattr(mine, moment), getattr(theirs, moment), rtol=1e-3, atol=1e-6)


def test_a_loop_backwards_takes_its_steps_from_the_end():
    def loop(w, x):
        return jax.lax.scan(lambda x, factor: (x * factor, x), x, jnp.array([1.0, 2.0, 5.0]), reverse=True)[0]

    rows = measure(loop, lambda seed: {}, (N,), draws=2)
    assert [row.path for row in rows] == ["2", "1", "0"]
    np.testing.assert_allclose([row.gradient.value for row in rows], [4, 1, 1], rtol=0.05)


def test_functions_with_a_derivative_of_their_own_keep_it():
    """At 0, which is where half of the units are, ReLU has derivative 0 by its rule, and `max` one half."""
    w = _matrices(1.0, 1.0)

    def network(w, x):
        return jax.nn.relu(jax.nn.relu(x @ w[0])) @ w[1]

    _, first, second, *_ = measure(network, w, (N,))
    _require(first, gradient=1 / 2)
    _require(second, gradient=1)


def test_a_gradient_of_ones_own_reaches_the_inputs_and_jaxs_the_inside():
    @jax.custom_vjp
    def odd(x):
        return 3 * jnp.sin(x)

    odd.defvjp(lambda x: (odd(x), None), lambda _, slope: (7 * slope,))
    before, sin, times, *_ = measure(lambda w, x: odd(2 * x), lambda seed: {}, (N,), draws=3)
    _require(before, gradient=49)
    _require(sin, gradient=9)
    _require(times, gradient=1)


def test_only_what_depends_on_the_input_is_a_signal():
    """The uniform numbers of dropout have the batch as first axis, and a weight may have it by chance."""

    def network(w, x):
        kept = jax.random.bernoulli(jax.random.key(0), 0.5, x.shape)
        return jnp.where(kept, 2 * x, 0) + jnp.square(w[:64]).sum()

    rows = measure(network, lambda seed: jnp.ones((N, N)), (N,), draws=2)
    assert [row.operation for row in rows] == ["mul", "select_n", "add", "parameter"]
    _require(rows[1], second=2, gradient=1)


def test_a_batch_that_cannot_be_told_apart_is_refused():
    with pytest.raises(ValueError, match=r"^A batch of 256 cannot be told from an axis of the same size: choose "):
        measure(lambda w, x: x @ w[0], _matrices(1.0), (N,), batch=N)


def test_agree():
    assert agree(10.0, 0.0, 10.2)
    assert not agree(10.0, 0.0, 10.21)
    assert agree(10.0, 0.1, 10.39)
    assert not agree(10.0, 0.1, 10.41)
    assert agree(0.0, 0.0, 0.1, scale=5.0)
    assert not agree(0.0, 0.0, 0.11, scale=5.0)
    assert not agree(1.0, 0.0, None)
    assert not agree(1.0, 0.1, math.nan)
    assert agree(math.inf, math.nan, math.inf)
    assert agree(math.nan, math.nan, None)
    assert not agree(math.inf, math.nan, 1e9)


@pytest.fixture(scope="module")
def measured():
    row = ARCHITECTURES["relu twice"]
    function, draw = build(row)
    return measure(function, draw, row.shape, draws=5)


def _flow(measured):
    """What a prediction that is right to the last digit would be; it knows no batch."""
    signals = [row for row in measured if row.operation != "parameter"]
    rows = [
        SimpleNamespace(
            path=row.path,
            operation=row.operation,
            shape=row.shape[1:],
            **{moment: getattr(row, moment).value for moment in MOMENTS},
        )
        for row in signals
    ]
    gradients = {row.path: row.gradient.value for row in measured if row.operation == "parameter"}
    return SimpleNamespace(rows=rows, gradients=gradients)


def test_what_is_the_same_agrees(measured):
    found = differences(_flow(measured), measured)
    assert all(d.agrees and d.severity == 0 for d in found)
    assert len(found) == 4 * 6 + 4


@pytest.mark.parametrize("moment", MOMENTS)
def test_every_moment_of_every_signal_is_compared(measured, moment):
    for i in range(6):
        flow = _flow(measured)
        setattr(flow.rows[i], moment, getattr(flow.rows[i], moment) + 1)
        (wrong,) = [d for d in differences(flow, measured) if not d.agrees]
        assert (wrong.path, wrong.operation, wrong.moment) == (measured[i].path, measured[i].operation, moment)
        assert wrong.severity > 1
        setattr(flow.rows[i], moment, None)
        (wrong,) = [d for d in differences(flow, measured) if not d.agrees]
        assert wrong.severity == math.inf


def test_every_parameter_is_compared(measured):
    for name in ("0/bias", "0/weight", "3/bias", "3/weight"):
        flow = _flow(measured)
        flow.gradients[name] *= 2
        (wrong,) = [d for d in differences(flow, measured) if not d.agrees]
        assert str(wrong).startswith(f"{name} parameter gradient: predicted ")
        del flow.gradients[name]
        with pytest.raises(AssertionError, match=f"^parameters on one side only: {name}$"):
            differences(flow, measured)


def test_rows_that_stay_alone_are_named(measured):
    rows = _flow(measured).rows
    with pytest.raises(AssertionError, match=r"^not predicted: 2 max #1$"):
        pairs([row for row in rows if row.path != "2"], measured[:6])
    with pytest.raises(AssertionError, match=r"^not measured: 2 max #2$"):
        pairs([*rows, rows[3]], measured[:6])
    rows[3].shape = (255,)
    with pytest.raises(AssertionError, match=r"^2 max: \(255,\), \(64, 256\)$"):
        pairs(rows, measured[:6])


def test_a_gradient_that_is_nothing_but_a_rest_need_not_be_known(measured):
    rest = replace(measured[1], gradient=Estimate(measured[0].gradient.value / 65, 1e-9))
    rows = [measured[0], rest, *measured[2:]]
    for known, agrees in ((None, True), (0.0, True), (measured[0].gradient.value, False)):
        flow = _flow(rows)
        flow.rows[1].gradient = known
        assert all(d.agrees for d in differences(flow, rows)) == agrees


def test_only_a_gradient_may_be_unknown_where_it_is_zero():
    nothing = Estimate(0.0, 0.0)
    assert Difference("", "", "gradient", None, nothing, 0.0).agrees
    assert not Difference("", "", "mean", None, nothing, 1.0).agrees


def test_the_table_is_long_and_names_every_activation():
    used = {layer for row in ARCHITECTURES.values() for layer in _inside(getattr(row, "network", None))}
    assert len(ARCHITECTURES) >= 45
    assert used >= set(nn.activations)


def _inside(value):
    """Names of the activations anywhere in a description."""
    if isinstance(value, nn.Activation):
        return {value.name}
    parts = value if isinstance(value, (tuple, list)) else vars(value).values() if isinstance(value, nn.Layer) else ()
    return set().union(*map(_inside, parts))
