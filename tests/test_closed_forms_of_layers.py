"""What is predicted of single layers and of programs in which signals meet themselves again, against closed forms; and the
refusal of what is not known."""

import math
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special
from scipy.integrate import quad

from capas import losses, nn
from capas.signal import Entries, Flow, Signal, UnknownPrimitive, propagate, rule
from capas.signal.interpret import rules

N = 32
MEAN, SECOND, CROSS = 0.7, 2.0, 0.9
VARIANCE, SHARED = SECOND - MEAN**2, CROSS - MEAN**2
INPUT = Signal(MEAN, SECOND, CROSS)


def flow_of(function, params=None, shape=(N,), signal=INPUT, **options) -> Flow:
    """The first row is that of the input times one."""
    return propagate(lambda p, x: function(p, x * 1.0), params, jnp.zeros(shape), signal=signal, **options)


def moments(flow: Flow) -> tuple[float, float, float]:
    last = flow.rows[-1]
    return last.mean, last.second, last.cross


def near(*values: float, precision: float = 1e-6) -> tuple:
    return tuple(pytest.approx(value, rel=precision, abs=precision) for value in values)


@pytest.mark.parametrize("mean", [0.0, 0.02, -0.3])
def test_dense_layer(mean):
    """Second moment n Var(w) E x² + mean² of the weights (n Var x + n² (E x)²), and Var b; backwards m E w²."""
    params = {"w": Entries((N, 48), mean, 0.1), "b": Entries((48,), 0.1, 0.5)}
    flow = flow_of(lambda p, x: x @ p["w"] + p["b"], params)
    product, total = flow.rows[1], flow.rows[2]
    second, cross = (
        N * 0.01 * moment + mean**2 * (N * (moment - MEAN**2) + N**2 * MEAN**2) for moment in (SECOND, CROSS)
    )
    assert (product.mean, product.second, product.cross) == near(mean * N * MEAN, second, cross)
    centre = mean * N * MEAN
    bias = 0.25 + 0.01 + 2 * 0.1 * centre
    assert (total.mean, total.second, total.cross) == near(centre + 0.1, second + bias, cross + bias)
    assert (flow.rows[0].gradient,) == near(48 * (0.01 + mean**2))
    assert flow.gradients == {"w": pytest.approx(SECOND, rel=1e-6), "b": pytest.approx(1, rel=1e-6)}


def test_gradient_at_the_output_is_what_is_given():
    flow = flow_of(lambda w, x: x @ w, Entries((N, 48), std=0.1), output_gradient=3.0)
    assert (flow.rows[1].gradient, flow.rows[0].gradient, flow.gradients[""]) == near(3.0, 48 * 0.03, 3.0 * SECOND)


def test_an_orthogonal_matrix_keeps_the_power():
    w = np.linalg.qr(np.random.default_rng(0).normal(size=(256, 256)))[0].astype(np.float32)
    flow = flow_of(lambda w, x: x @ w, w, (256,))
    assert moments(flow)[1:] == near(SECOND, CROSS)
    assert (flow.rows[0].gradient,) == near(1.0)


@pytest.mark.parametrize("rate", [0.1, 0.3, 0.5])
def test_dropout(rate):
    """Variance (v + p m²) / (1 - p); what two examples share stays, as their masks are independent."""
    layer = nn.Dropout(rate)
    key = jax.random.key(0)
    flow = flow_of(lambda _, x: layer.apply({}, {}, x, key=key, training=True)[0])
    assert (flow.rows[-1].mean, flow.rows[-1].variance) == near(MEAN, (VARIANCE + rate * MEAN**2) / (1 - rate))
    assert (flow.rows[0].gradient,) == near(1 / (1 - rate))
    assert (flow.rows[-1].cross,) == near(CROSS, precision=1e-5)


CROSS_ENTROPY = {2: 0.3184190770, 5: 0.1865253812, 10: 0.0994687394, 100: 0.0100553848, 1000: 0.0010006982}
"""Mean of (dCE/dz)² per logit, n independent standard normal logits."""


@pytest.mark.parametrize("n", CROSS_ENTROPY)
def test_gradients_of_losses(n):
    """Of logits that are zero (1 - 1/n) / n; of the mean square error, with targets like the outputs, 8 / n²."""
    softmax, square = losses.softmax_cross_entropy, losses.mse
    logits = flow_of(lambda _, x: x, shape=(n,), signal=Signal.standard(), loss=softmax)
    assert (logits.rows[0].gradient,) == near(CROSS_ENTROPY[n], precision=1e-9)
    zero = propagate(lambda w, x: x @ w, Entries((N, n)), jnp.zeros(N), loss=softmax)
    assert (zero.rows[0].gradient,) == near((1 - 1 / n) / n, precision=1e-9)
    assert (flow_of(lambda _, x: x, shape=(n,), loss=square).rows[0].gradient,) == near(4 * (SECOND + 1) / n**2)


def test_softmax_of_many_logits():
    """n² E p² = e and E log of the sum = log n + 1/2, up to 1/n."""
    n = 10**6
    last = flow_of(lambda _, x: jax.nn.softmax(x), shape=(n,), signal=Signal.standard()).rows[-1]
    assert (last.mean * n, last.second * n**2, last.cross * n**2) == near(1, math.e, 1, precision=1e-5)
    total = flow_of(lambda _, x: jax.nn.logsumexp(x, -1), shape=(n,), signal=Signal.standard()).rows[-1]
    assert (total.mean,) == near(math.log(n) + 0.5, precision=1e-5)


LARGEST = {
    2: (1 / math.sqrt(math.pi), 1 - 1 / math.pi),
    3: (0.846284375322, 0.559467203797),
    4: (1.029375373, 0.491715236875),
    9: (1.48501316221, 0.357353326358),
    16: (1.76599139305, 0.29500980901),
    49: (2.24118959708, 0.216773507819),
}
"""Mean and variance of the largest of k independent standard normal numbers."""


@pytest.mark.parametrize("k", LARGEST)
def test_largest_of_normal_numbers(k):
    flow = flow_of(lambda _, x: jnp.max(x, axis=1), shape=(k, 4), signal=Signal.standard())
    assert (flow.rows[-1].mean, flow.rows[-1].variance) == near(*LARGEST[k], precision=1e-4)
    assert (flow.rows[0].gradient,) == near(1 / k, precision=1e-4)
    pool = nn.MaxPool((k,))
    pooled = flow_of(lambda _, x: pool.apply({}, {}, x)[0], shape=(3 * k, 4), signal=Signal.standard()).rows[-1]
    assert (pooled.mean, pooled.variance) == near(*LARGEST[k], precision=1e-4)


@pytest.mark.parametrize("pairs", [[0.5], [0.5, 0.5, 0.0]])
def test_largest_of_correlated_normal_numbers(pairs):
    r"""Sums of neighbours have the correlation 1/2. E max of a pair is $\sqrt{(1-r)/\pi}$, of three half their sum."""
    neighbours = nn.AvgPool((2,), stride=1)

    def largest(_, x):
        return jnp.max(neighbours.apply({}, {}, x)[0] * math.sqrt(2), axis=1)

    flow = flow_of(largest, shape=(len(pairs) // 2 + 3, 4), signal=Signal.standard())
    mean = sum(math.sqrt((1 - r) / math.pi) for r in pairs) / (1 if len(pairs) == 1 else 2)
    assert (flow.rows[-1].mean,) == near(mean, precision=3e-3)


def test_largest_over_windows_that_overlap():
    """max(a, b) and max(b, c) are half of sums and distances, of which the distances have the correlation -1/2."""
    pool = nn.MaxPool((2,), stride=1)
    flow = flow_of(lambda _, x: jnp.mean(pool.apply({}, {}, x)[0], 1), shape=(3, 4), signal=Signal.standard())
    product = 1 / 4 + (math.sqrt(3) / 2 + math.pi / 12) / math.pi
    assert moments(flow)[:2] == near(1 / math.sqrt(math.pi), (1 + product) / 2, precision=3e-3)


@pytest.mark.parametrize("r", [0.3, 0.9])
def test_what_the_largest_of_two_shares_between_examples(r):
    """Half the sum, and half the distance: E |d| |d'| of normal numbers is that of Cho and Saul."""
    signal = Signal(mean=0.0, second=1.0, cross=r)
    last = flow_of(lambda _, x: jnp.max(x, axis=1), shape=(2, 4), signal=signal).rows[-1]
    expected = r / 2 + (math.sqrt(1 - r * r) + r * math.asin(r)) / math.pi
    assert (last.mean, last.second, last.cross) == near(1 / math.sqrt(math.pi), 1.0, expected, precision=3e-3)


@pytest.mark.parametrize("k", [2, 4, 9])
def test_largest_after_relu(k):
    """The density of the largest is k phi(x) Phi(x)^(k - 1); ReLU keeps the order."""
    expected = [
        quad(
            lambda x, p=p: x**p * k * math.exp(-x * x / 2) / math.sqrt(2 * math.pi) * special.ndtr(x) ** (k - 1), 0, 9
        )[0]
        for p in (1, 2)
    ]
    flow = flow_of(lambda _, x: jnp.max(jax.nn.relu(x), axis=1), shape=(k, 4), signal=Signal.standard())
    assert moments(flow)[:2] == near(*expected, precision=1e-4)


def arc_cosine(c: float) -> float:
    return (math.sqrt(1 - c * c) + c * (math.pi - math.acos(c))) / math.pi


@pytest.mark.parametrize("k", [2, 9])
def test_mean_over_positions(k):
    """Variance v / k where positions are independent, after ReLU too; gradient power 1 / k²."""
    plain = flow_of(lambda _, x: jnp.mean(x, axis=1), shape=(k, 4))
    assert moments(plain) == near(MEAN, MEAN**2 + VARIANCE / k, MEAN**2 + SHARED / k)
    assert (plain.rows[0].gradient,) == near(1 / k**2)
    flow = flow_of(lambda _, x: jnp.mean(jax.nn.relu(x), axis=1), shape=(k, 4), signal=Signal.standard())
    square = 1 / (2 * math.pi)
    assert moments(flow) == near(math.sqrt(square), square + (0.5 - square) / k, square, precision=1e-6)


@pytest.mark.parametrize("k", [2, 9])
def test_mean_over_positions_that_are_correlated(k):
    """By c = (E x)² / E x² after a dense layer, of one example as of two: E of two of them is q C(c) / 2 after ReLU."""
    signal = Signal(MEAN, MEAN**2 + 1, MEAN**2)
    pool = nn.AvgPool((k,))

    def network(w, x):
        return pool.apply({}, {}, jax.nn.relu(x @ w))[0]

    flow = flow_of(network, Entries((N, N), std=math.sqrt(2 / N)), (2 * k, N), signal)
    q, c = 2 * signal.second, MEAN**2 / signal.second
    mean, apart = math.sqrt(q / (2 * math.pi)), q / 2 * arc_cosine(c)
    assert moments(flow) == near(mean, q / 2 / k + apart * (1 - 1 / k), apart, precision=1e-5)


@pytest.mark.parametrize("mean", [0.0, 0.05])
def test_mean_over_positions_of_a_dense_layer(mean):
    """Two positions share the weights: n Var(w) (E x)² and the square of the mean, n² (E w)² (E x)²."""
    flow = flow_of(lambda w, x: jnp.mean(x @ w, axis=1), Entries((N, N), mean, 0.1), (3, N))
    one = N * 0.01 * SECOND + mean**2 * (N * VARIANCE + N**2 * MEAN**2)
    two = N * 0.01 * MEAN**2 + mean**2 * N**2 * MEAN**2
    assert moments(flow)[:2] == near(mean * N * MEAN, one / 3 + two * 2 / 3)


def expected(f) -> float:
    """E f of the input."""
    std = math.sqrt(VARIANCE)
    density = lambda z: math.exp(-z * z / 2) / math.sqrt(2 * math.pi)  # noqa: E731
    kink = -MEAN / std
    return sum(quad(lambda z: f(MEAN + std * z) * density(z), *ends)[0] for ends in ((-12, kink), (kink, 12)))


TWICE = {
    "x + x": (lambda _, x: x + x, lambda x: 2 * x, lambda x: 2.0),
    "x - x": (lambda _, x: x - x, lambda x: 0.0, lambda x: 0.0),
    "x * x": (lambda _, x: x * x, lambda x: x * x, lambda x: 2 * x),
    "x / (1 + x²)": (lambda _, x: x / (1 + x * x), lambda x: x / (1 + x * x), lambda x: (1 - x * x) / (1 + x * x) ** 2),
    "identity": (lambda _, x: x + x * 1.0, lambda x: 2 * x, lambda x: 2.0),
    "skip over relu": (lambda _, x: x + jax.nn.relu(x), lambda x: x + max(x, 0), lambda x: 1 + (x > 0)),
    "skip over tanh": (lambda _, x: x - jnp.tanh(x), lambda x: x - math.tanh(x), lambda x: math.tanh(x) ** 2),
    "gate": (
        lambda _, x: x * jax.nn.sigmoid(x),
        lambda x: x * special.expit(x),
        lambda x: special.expit(x) * (1 + x * special.expit(-x)),
    ),
}
"""A signal that meets itself: the program, what it computes, and the derivative of that."""


@pytest.mark.parametrize("name", TWICE)
def test_a_signal_that_meets_itself(name):
    program, f, slope = TWICE[name]
    flow = flow_of(program)
    assert moments(flow)[:2] == near(expected(f), expected(lambda x: f(x) ** 2))
    assert (flow.rows[0].gradient,) == near(expected(lambda x: slope(x) ** 2))


def test_products_of_two_examples_that_meet():
    """x²: E x² y² = (E x²)² + 4 m² k + 2 k², with k the covariance; x + x: four times."""
    square = SECOND**2 + 4 * MEAN**2 * SHARED + 2 * SHARED**2
    assert moments(flow_of(lambda _, x: x * x))[2:] == near(square, precision=1e-5)
    assert moments(flow_of(lambda _, x: x + x))[2:] == near(4 * CROSS)


def product_of_halves(x: jax.Array) -> jax.Array:
    one, other = jnp.split(x, 2, axis=-1)
    return one * other


def test_two_slices_of_a_signal_are_different_units():
    flow = flow_of(lambda _, x: product_of_halves(x))
    assert moments(flow)[:2] == near(MEAN**2, SECOND**2)
    assert (flow.rows[0].gradient,) == near(SECOND)
    assert moments(flow)[2:] == near(CROSS**2, precision=1e-5)


def test_two_slices_of_a_layer_are_different_units():
    flow = flow_of(lambda w, x: product_of_halves(x @ w), Entries((N, N), std=math.sqrt(1 / N)), backward=False)
    assert moments(flow)[:2] == near(0, SECOND**2)
    assert moments(flow)[2:] == near(CROSS**2, precision=1e-5)


def test_gradients_of_two_slices_of_a_layer():
    """Each half is the other's factor: E x² times E x² reaches the weights."""
    flow = flow_of(lambda w, x: product_of_halves(x @ w), Entries((N, N), std=math.sqrt(1 / N)))
    assert (flow.rows[1].gradient, flow.rows[0].gradient, flow.gradients[""]) == near(SECOND, SECOND, SECOND**2)


def test_a_gate_of_its_own_weights():
    """E (a sigmoid(b))² = E x² E sigmoid(b)², a and b independent."""
    params = [Entries((N, N), std=math.sqrt(1 / N))] * 2
    flow = flow_of(lambda p, x: (x @ p[0]) * jax.nn.sigmoid(x @ p[1]), params, signal=Signal.standard())
    assert moments(flow)[:2] == near(0, 0.293379035858)


def test_concatenation():
    """Mean moments; a dense layer after it sums over both; each part has its own gradient."""
    up = expected(lambda x: max(x, 0)), expected(lambda x: max(x, 0) ** 2)
    flow = flow_of(lambda _, x: jnp.concatenate([jax.nn.relu(x), x[:, :8]], axis=-1))
    assert moments(flow)[:2] == near((32 * up[0] + 8 * MEAN) / 40, (32 * up[1] + 8 * SECOND) / 40)
    network = lambda w, x: jnp.concatenate([jax.nn.relu(x), x[:, :8]], axis=-1) @ w  # noqa: E731
    flow = flow_of(network, Entries((40, 48), std=0.1))
    assert moments(flow)[:2] == near(0, 0.01 * (32 * up[1] + 8 * SECOND))
    assert (flow.gradients[""],) == near((32 * up[1] + 8 * SECOND) / 40)


def attention(_, x):
    with jax.named_scope("attention"):
        return jax.lax.dot_general(x, x, (((2,), (2,)), ((0,), (0,))))


def ordered(_, x):
    with jax.named_scope("encoder"):
        return jnp.sort(x, axis=-1)


REFUSED = {
    "sort": (ordered, "'sort' 'encoder'", "one without a rule", "sort"),
    "attention": (
        attention,
        "'dot_general' 'attention'",
        "a product of two signals, example by example, as in attention",
        "dot_general",
    ),
    "no name": (lambda _, x: jnp.sort(x, axis=-1), "'sort'", "one without a rule", "sort"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_known_is_refused(name):
    function, subject, got, primitive = REFUSED[name]
    with pytest.raises(UnknownPrimitive) as caught:
        propagate(function, {}, jnp.zeros((4, N)))
    assert str(caught.value) == (
        f"primitive {subject}: expected an operation that can be read over signals, got {got}. "
        f"To add it: from capas.signal import rule; @rule({primitive!r}); "
        "def read(walk, equation, *inputs): return [a Field for each output]"
    )


@pytest.fixture
def _registry() -> Iterator[None]:
    before = dict(rules)
    yield
    rules.clear()
    rules.update(before)


@pytest.mark.usefixtures("_registry")
def test_a_rule_can_be_added():
    """One number is in order as it is."""

    def network(_, x):
        return jnp.tanh(jnp.sort(x[..., None], axis=-1)[..., 0])

    with pytest.raises(UnknownPrimitive):
        flow_of(network, backward=False)

    @rule("sort")
    def read(walk, equation, x):
        assert equation.params["dimension"] == len(x.shape) - 1
        assert x.shape[-1] == 1
        return [x]

    assert moments(flow_of(network, backward=False))[:2] == near(
        expected(math.tanh), expected(lambda x: math.tanh(x) ** 2)
    )
