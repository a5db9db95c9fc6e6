"""Losses against SciPy and NumPy in float64, closed forms, and the whole text of every refusal."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, special

from capas import losses
from capas.errors import CapasError

pytestmark = pytest.mark.usefixtures("strict_promotion")
rng = np.random.default_rng(0)
REAL = rng.normal(0.7, 2, (6, 5))
COUNTS = rng.poisson(2, (6, 5))
BITS = rng.integers(0, 2, (6, 5))
SOFT = special.softmax(rng.normal(0, 2, (6, 5)), axis=-1)
SOFT[0] = [0, 1, 0, 0, 0]
CLASSES = rng.integers(0, 5, 6)
OUTPUTS = rng.normal(0.7, 2, (6, 5))


def bernoulli(o, t):
    p = special.expit(o)
    return -special.xlogy(t, p) - special.xlogy(1 - t, 1 - p)


def focal(o, t, gamma, alpha):
    p = special.expit(o)
    p_target, weight = np.where(t == 1, p, 1 - p), np.where(t == 1, alpha, 1 - alpha)
    return -weight * (1 - p_target) ** gamma * np.log(p_target)


ELEMENTWISE = {
    "mse": (losses.mse, REAL, lambda o, t: (o - t) ** 2),
    "mae": (losses.mae, REAL, lambda o, t: np.abs(o - t)),
    "huber": (losses.huber, REAL, lambda o, t: special.huber(1.0, o - t)),
    "huber 2.5": (partial(losses.huber, delta=2.5), REAL, lambda o, t: special.huber(2.5, o - t)),
    "poisson": (losses.poisson, COUNTS, lambda o, t: np.exp(o) - t * o),
    "binary_cross_entropy": (losses.binary_cross_entropy, BITS, bernoulli),
    "binary_cross_entropy, soft": (losses.binary_cross_entropy, SOFT, bernoulli),
    "focal": (losses.focal, BITS, lambda o, t: 2 * focal(o, t, 2.0, 0.5)),
    "focal 1.5 0.25": (partial(losses.focal, gamma=1.5, alpha=0.25), BITS, partial(focal, gamma=1.5, alpha=0.25)),
    "hinge": (losses.hinge, 2 * BITS - 1, lambda o, t: np.maximum(0, 1 - t * o)),
}
ALONG_CLASSES = {
    "softmax_cross_entropy": (losses.softmax_cross_entropy, CLASSES, lambda o, t: -pick(log_softmax(o), t)),
    "softmax_cross_entropy, soft": (losses.softmax_cross_entropy, SOFT, lambda o, t: -(t * log_softmax(o)).sum(-1)),
    "softmax_cross_entropy, one-hot": (
        losses.softmax_cross_entropy,
        np.eye(5, dtype=int)[CLASSES],
        lambda o, t: -(t * log_softmax(o)).sum(-1),
    ),
    "label smoothing": (
        partial(losses.softmax_cross_entropy, label_smoothing=0.1),
        CLASSES,
        lambda o, t: -((0.9 * np.eye(5)[t] + 0.02) * log_softmax(o)).sum(-1),
    ),
    "label smoothing, soft": (
        partial(losses.softmax_cross_entropy, label_smoothing=0.1),
        SOFT,
        lambda o, t: -((0.9 * t + 0.02) * log_softmax(o)).sum(-1),
    ),
    "kl_divergence": (losses.kl_divergence, SOFT, lambda o, t: special.rel_entr(t, special.softmax(o, -1)).sum(-1)),
}
ALL = ELEMENTWISE | ALONG_CLASSES


def log_softmax(o):
    return special.log_softmax(o, axis=-1)


def pick(values, classes):
    return np.take_along_axis(values, classes[..., None], -1)[..., 0]


def refusal(call):
    with pytest.raises(CapasError) as caught:
        call()
    return f"{type(caught.value).__name__}: {caught.value}"


def per_value(name):
    """The loss, targets, and the oracle's values: one for every output, or one for every class position."""
    loss, targets, oracle = ALL[name]
    return loss, targets, oracle(OUTPUTS, targets)


@pytest.mark.parametrize("name", ALL)
def test_equals_the_oracle_in_float64(name):
    loss, targets, values = per_value(name)
    with jax.enable_x64(True):
        found = loss(jnp.asarray(OUTPUTS), jnp.asarray(targets))
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, values.reshape(6, -1).mean(1), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", ALL)
def test_compiled_equals_eager_and_low_precision_is_lifted(name):
    loss, targets, values = per_value(name)
    low = jnp.asarray(OUTPUTS, jnp.bfloat16)
    found = loss(low, jnp.asarray(targets))
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(jax.jit(loss)(low, jnp.asarray(targets)), found, rtol=1e-6, atol=1e-6)
    exact = ALL[name][2](np.asarray(low, np.float64), targets).reshape(6, -1).mean(1)
    np.testing.assert_allclose(found, exact, rtol=2e-6, atol=2e-6)
    assert not np.allclose(exact, values.reshape(6, -1).mean(1), rtol=1e-4, atol=0)


@pytest.mark.parametrize("name", ALL)
def test_weights_and_masks_per_example(name):
    loss, targets, values = per_value(name)
    weights, mask = np.array([1.0, 0.5, 2, 3, 0, 1]), np.array([True, True, False, True, True, False])
    found = loss(OUTPUTS, targets, weights=weights, mask=mask)
    np.testing.assert_allclose(found, values.reshape(6, -1).mean(1) * weights * mask, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_weights_and_masks_per_value(name):
    loss, targets, values = per_value(name)
    weights, mask = rng.uniform(0, 2, (6, 5)), rng.random((6, 5)) < 0.6
    mask[3] = False
    expected = (values * weights * mask).sum(1) / np.maximum(mask.sum(1), 1)
    np.testing.assert_allclose(loss(OUTPUTS, targets, weights=weights, mask=mask), expected, rtol=1e-5, atol=1e-6)
    assert expected[3] == 0


@pytest.mark.parametrize("name", ALONG_CLASSES)
def test_positions_of_a_sequence_are_averaged_and_masked(name):
    loss, targets, values = per_value(name)
    outputs, targets, values = (a.reshape(2, 3, *a.shape[1:]) for a in (OUTPUTS, targets, values))
    np.testing.assert_allclose(loss(outputs, targets), values.mean(1), rtol=1e-5)
    mask = np.array([[True, True, False], [True, False, False]])
    expected = [values[0, :2].mean(), values[1, 0]]
    np.testing.assert_allclose(loss(outputs, targets, mask=mask), expected, rtol=1e-5)


@pytest.mark.parametrize("name", ALL)
def test_masked_values_may_be_anything_and_have_no_gradient(name):
    loss, targets, _ = per_value(name)
    bad = np.where(np.arange(6).reshape(-1, 1) == 2, np.nan, OUTPUTS)
    padded = np.array(targets, copy=True)
    padded[2] = -1 if padded.dtype.kind == "i" else np.nan
    mask = np.arange(6) != 2
    value, slope = jax.value_and_grad(lambda o: loss(o, padded, mask=mask).sum())(jnp.asarray(bad, jnp.float32))
    assert np.isfinite(value)
    assert np.array_equal(slope[2], np.zeros(5))
    rest = jax.grad(lambda o: loss(o, targets).sum())(jnp.asarray(OUTPUTS, jnp.float32))
    np.testing.assert_allclose(slope[mask], rest[mask], rtol=1e-6)


@pytest.mark.parametrize(
    ("loss", "target", "value", "slope"),
    [
        (losses.softmax_cross_entropy, 0, 0.0, [0, 0]),
        (losses.softmax_cross_entropy, 1, 2e4, [1, -1]),
        (losses.softmax_cross_entropy, [0.5, 0.5], 1e4, [0.5, -0.5]),
        (losses.kl_divergence, [0.0, 1.0], 2e4, [1, -1]),
        (losses.binary_cross_entropy, [1, 1], 5e3, [0, -0.5]),
        (losses.binary_cross_entropy, [0, 0], 5e3, [0.5, 0]),
        (losses.focal, [1, 1], 5e3, [0, -0.5]),
        (losses.hinge, [-1, 1], 1e4 + 1, [0.5, -0.5]),
        (losses.huber, [0, 0], 1e4 - 0.5, [0.5, -0.5]),
    ],
)
def test_logits_of_ten_thousand_give_exact_values_and_slopes(loss, target, value, slope):
    outputs, targets = jnp.array([[1e4, -1e4]]), jnp.array([target])
    found, found_slope = jax.value_and_grad(lambda o: loss(o, targets).sum())(outputs)
    assert float(found) == pytest.approx(value, rel=1e-6)
    np.testing.assert_allclose(found_slope, [slope], rtol=1e-6, atol=1e-30)


@pytest.mark.parametrize("n", [2, 10])
def test_mean_cross_entropy_of_standard_normal_logits(n):
    """E log sum exp z of n iid N(0, 1) logits, by log s = the integral of (exp(-t) - exp(-t s)) / t dt; 5 SE."""
    nodes, nodes_weight = np.polynomial.hermite_e.hermegauss(80)

    def integrand(log_t):
        t = np.exp(log_t)
        return np.exp(-t) - (np.exp(-t * np.exp(nodes)) @ nodes_weight / np.sqrt(2 * np.pi)) ** n

    exact = integrate.quad(integrand, -30, 10, limit=500)[0]
    assert exact == pytest.approx({2: 0.90266191, 10: 2.72886390}[n], abs=1e-7)
    logits = rng.normal(size=(20_000, n))
    values = np.asarray(losses.softmax_cross_entropy(logits, np.zeros(20_000, int)))
    assert abs(values.mean() - exact) < 5 * values.std() / np.sqrt(20_000)


def test_mean_counts_only_what_has_weight():
    values = jnp.array([1.0, 4.0, jnp.nan, 7.0])
    assert losses.mean(values[:2]) == 2.5
    assert losses.mean(values, weights=jnp.array([1.0, 2, 0, 1])) == 4
    assert losses.mean(values, weights=jnp.array([1.0, 2, 5, 1]), mask=values < 5) == 3
    assert losses.mean(values, mask=jnp.zeros(4, bool)) == 0


@pytest.mark.parametrize("classes", [[0, 5], [0, -1]])
def test_a_class_out_of_range_reads_nan_where_values_are_unknown(classes):
    found = jax.jit(losses.softmax_cross_entropy)(OUTPUTS[:2], jnp.array(classes))
    assert np.isfinite(found[0])
    assert np.isnan(found[1])


def test_from_logits():
    assert losses.from_logits(partial(losses.softmax_cross_entropy, label_smoothing=0.1))
    assert losses.from_logits(losses.binary_cross_entropy)
    assert not losses.from_logits(losses.mse)
    assert not losses.from_logits(lambda o, t: o)


def test_unknown_losses_check_their_own_targets():
    losses.check_targets(lambda o, t: o, (3, 2), np.ones(7))


cross, kl = losses.softmax_cross_entropy, losses.kl_divergence
REFUSED = [
    *(
        (
            lambda targets=targets: cross(OUTPUTS[:, :1], targets),
            "ShapeError: softmax_cross_entropy: expected outputs of one logit per class, got (6, 1). For yes or no by one "
            "output use losses.binary_cross_entropy, for numbers losses.mse.",
        )
        for targets in (np.zeros(6, int), np.zeros((6, 1)), REAL[:, :1])
    ),
    (
        lambda: losses.mse(OUTPUTS[:, :1], REAL[:, 0]),
        "ShapeError: mse: expected targets of shape (6, 1), that of the outputs, got (6,). Write targets[..., None]; "
        "broadcasting would compare every target with every output.",
    ),
    (
        lambda: losses.mae(OUTPUTS[:, 0], REAL[:, :1]),
        "ShapeError: mae: expected targets of shape (6,), that of the outputs, got (6, 1). Write targets[..., 0]; "
        "broadcasting would compare every target with every output.",
    ),
    (
        lambda: losses.check_targets(partial(losses.huber, delta=2), (6, 5), REAL[:5]),
        "ShapeError: huber: expected targets of shape (6, 5), that of the outputs, got (5, 5). Give one target per example.",
    ),
    (
        lambda: jax.jit(losses.mse)(OUTPUTS, REAL[:, :4]),
        "ShapeError: mse: expected targets of shape (6, 5), that of the outputs, got (6, 4). Change the network's last "
        "layer or the targets, so that there is one target per output.",
    ),
    (
        lambda: losses.huber(OUTPUTS, REAL, delta=0),
        "ArgumentError: huber: expected delta > 0, got 0. For delta near 0 use losses.mae.",
    ),
    (
        lambda: losses.poisson(OUTPUTS, COUNTS - 100),
        f"DataError: poisson: expected targets of at least 0, got {COUNTS[0, 0] - 100} at position (0, 0). "
        "Counts are never negative.",
    ),
    (
        lambda: losses.binary_cross_entropy(OUTPUTS, np.where(np.arange(5) == 3, 2, BITS)),
        "DataError: binary_cross_entropy: expected targets between 0 and 1, got 2 at position (0, 3). Targets are 0, 1, "
        "or a probability between them.",
    ),
    (
        lambda: losses.focal(OUTPUTS, np.where(np.arange(5) == 3, np.nan, BITS)),
        "DataError: focal: expected targets between 0 and 1, got nan at position (0, 3). Targets are 0, 1, "
        "or a probability between them.",
    ),
    (lambda: losses.focal(OUTPUTS, BITS, gamma=-1), "ArgumentError: focal: expected gamma >= 0, got -1. 2 is usual."),
    (
        lambda: losses.focal(OUTPUTS, BITS, alpha=2),
        "ArgumentError: focal: expected 0 <= alpha <= 1, got 2. 0.25 is usual with gamma=2.",
    ),
    (
        lambda: losses.hinge(OUTPUTS[0], np.array([1, -1, 0, 1, 1])),
        "DataError: hinge: expected targets that are -1 or 1, got 0 at position (2,). From 0 and 1: 2 * targets - 1.",
    ),
    (
        lambda: cross(OUTPUTS, CLASSES + 1 + 4 * (CLASSES == CLASSES[0])),
        f"DataError: softmax_cross_entropy: expected classes from 0 to 4, got {CLASSES[0] + 5} at position (0,). Number "
        "the classes from 0, and give the network one output per class.",
    ),
    (
        lambda: cross(OUTPUTS, CLASSES.astype(float)),
        "DataError: softmax_cross_entropy: expected classes as integers, got float32. Write targets.astype(int), if they "
        "are classes; for numbers use losses.mse.",
    ),
    (
        lambda: cross(OUTPUTS, CLASSES[:, None]),
        "ShapeError: softmax_cross_entropy: expected classes of shape (6,) or probabilities of shape (6, 5), "
        "got (6, 1). Write targets[..., 0].",
    ),
    (
        lambda: cross(OUTPUTS, CLASSES[:3]),
        "ShapeError: softmax_cross_entropy: expected classes of shape (6,) or probabilities of shape (6, 5), "
        "got (3,). Give one target per example.",
    ),
    (
        lambda: cross(OUTPUTS, CLASSES, label_smoothing=1.0),
        "ArgumentError: softmax_cross_entropy: expected 0 <= label_smoothing < 1, got 1.0. 0.1 is usual.",
    ),
    (
        lambda: cross(OUTPUTS, SOFT - 2 * (np.arange(5) == 4)),
        "DataError: softmax_cross_entropy: expected probabilities of at least 0, got -2 at position (0, 4). "
        "Apply jax.nn.softmax to logits.",
    ),
    (
        lambda: kl(OUTPUTS, 2 * SOFT),
        "DataError: kl_divergence: expected probabilities with a sum of 1 over the last axis, got 2 at position (0,). "
        "Divide them by their sum.",
    ),
    (
        lambda: kl(OUTPUTS, CLASSES),
        "ShapeError: kl_divergence: expected targets of shape (6, 5), that of the outputs, got (6,). Change the network's "
        "last layer or the targets, so that there is one target per output.",
    ),
    (
        lambda: losses.mse(OUTPUTS, REAL, mask=np.ones(6)),
        "ArgumentError: mse: expected a mask of booleans, True where a value counts, got float32. Write mask != 0; "
        "fractions are weights.",
    ),
    (
        lambda: losses.mse(OUTPUTS, REAL, weights=np.ones(5)),
        "ShapeError: mse: expected weights of shape (6,) or (6, 5), got (5,). Give one entry per example, or one per value.",
    ),
    (
        lambda: cross(OUTPUTS, CLASSES, mask=np.ones((6, 5), bool)),
        "ShapeError: softmax_cross_entropy: expected mask of shape (6,), got (6, 5). Give one entry per example, or one "
        "per value.",
    ),
    (
        lambda: losses.mean(jnp.ones(3), weights=jnp.ones((3, 1))),
        "ShapeError: mean: expected weights of shape (3,), got (3, 1). Give one entry per example, or one per value.",
    ),
]


@pytest.mark.parametrize(("call", "text"), REFUSED, ids=range(len(REFUSED)))
def test_refusals(call, text):
    assert refusal(call) == text


@pytest.mark.parametrize(("kind", "count"), [(np.uint8, 256), (np.int8, 128)])
def test_classes_of_eight_bits(kind, count):
    """No number of 8 bits is out of range there."""
    logits, classes = jnp.eye(count)[:4], np.array([0, 1, 2, 0], kind)
    expected = [-np.log(np.e / (np.e + count - 1))] * 3 + [np.log(np.e + count - 1)]
    np.testing.assert_allclose(losses.softmax_cross_entropy(logits, classes), expected, rtol=1e-6)
