"""Training: against a loop by hand, interrupted and resumed, stopped, and refused."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sklearn.datasets import load_digits

import capas
from capas import losses, nn, weights
from capas.errors import ArgumentError, DataError, NotFiniteError, ShapeError
from capas.train.checkpoint import Checkpoint
from capas.train.examples import Chosen, examples, split
from capas.train.feeds import ArrayFeed
from capas.train.loop import Pace

from .training import RNG, X, Y, assert_same, message, quiet, start


def test_gradient_descent_on_a_linear_model_equals_the_loop_by_hand():
    target = X @ np.arange(0.1, 0.7, 0.1, dtype=np.float32)[:, None] + 0.2
    weights = RNG.uniform(0.5, 2, 90).astype(np.float32)
    model = start(nn.Dense(1))
    trained, history = quiet(
        model,
        (X, target, weights),
        loss=losses.mse,
        optimizer=optax.sgd(0.05),
        validation=None,
        batch_size=40,
        epochs=3,
    )
    w, b = np.asarray(model.params["weight"], np.float64), np.asarray(model.params["bias"], np.float64)
    feed = ArrayFeed(examples((X, target, weights)), 40, seed=0)
    for epoch in range(3):
        seen = []
        for rows in feed.order(epoch):
            x, share = X[rows].astype(float), (weights[rows] / weights[rows].sum())[:, None]
            error = x @ w + b - target[rows]
            seen.append((share * error**2).sum())
            w, b = w - 0.05 * 2 * x.T @ (share * error), b - 0.05 * 2 * (share * error).sum(0)
        assert history["loss"][epoch] == pytest.approx(np.mean(seen), rel=1e-4)
    np.testing.assert_allclose(trained.params["weight"], w, rtol=1e-4)
    np.testing.assert_allclose(trained.params["bias"], b, rtol=1e-4)
    assert history["step"] == [3, 6, 9]


def test_the_same_seed_gives_the_same_bits():
    net = nn.Sequential(nn.Dense(8), nn.BatchNorm(), "relu", nn.Dropout(0.5), nn.Dense(3))
    runs = [quiet(start(net), (X, Y), seed=seed, epochs=2, batch_size=16) for seed in (0, 0, 1)]
    assert_same((runs[0][0].params, runs[0][0].state), (runs[1][0].params, runs[1][0].state))
    assert runs[0][1]["val_loss"] == runs[1][1]["val_loss"]
    assert not np.array_equal(runs[0][0].params["0"]["weight"], runs[2][0].params["0"]["weight"])


def test_one_shape_is_compiled_once():
    traced = []

    def loss(outputs, targets):
        traced.append(outputs.shape)
        return losses.softmax_cross_entropy(outputs, targets)

    quiet(start(), (X, Y), loss=loss, metrics=(), validation=None, batch_size=40, epochs=3)
    assert traced == [(40, 3)]


@pytest.mark.parametrize("batches", [False, True], ids=["arrays", "batches"])
def test_nothing_is_compiled_after_the_first_epoch(batches):
    net = nn.Sequential(nn.Dense(8), nn.BatchNorm(), "relu", nn.Dropout(0.5), nn.Dense(3))
    compiled, after = [], []

    def note(event, _, **__):
        if event == "/jax/core/compile/backend_compile_duration":
            compiled.append(event)

    jax.monitoring.register_event_duration_secs_listener(note)
    try:
        data = [(X[i : i + 15], Y[i : i + 15]) for i in range(0, 90, 15)] if batches else (X, Y)
        held = (X[:20], Y[:20]) if batches else 0.2
        seen = lambda record, model: after.append(len(compiled))  # noqa: E731
        quiet(start(net), data, validation=held, batch_size=16, epochs=4, callbacks=[seen])
    finally:
        jax.monitoring.unregister_event_duration_listener(note)
    assert after[0] > 0
    assert after[1:] == after[:1] * 3


def test_many_steps_in_one_call_equal_one_step_at_a_time():
    feed = ArrayFeed(examples((X, Y)), 16, seed=0)
    batches = [tuple(map(np.asarray, batch)) for batch in feed.batches(0)]
    settings = {"optimizer": optax.adam(1e-2), "epochs": 1, "validation": None}
    together, _ = quiet(start(), (X, Y), batch_size=16, **settings)
    apart, _ = quiet(start(), batches, **settings)
    for one, other in zip(jax.tree.leaves(together.params), jax.tree.leaves(apart.params), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_memory_maps_and_loaders_train_like_arrays(tmp_path):
    stored = np.memmap(tmp_path / "x", np.float32, "w+", shape=X.shape)
    stored[:] = X
    settings = {"epochs": 2, "validation": None, "batch_size": 16, "learning_rate": 1e-2}
    expected, _ = quiet(start(), (X, Y), **settings)
    mapped, _ = quiet(start(), (stored, Y), **settings)
    np.testing.assert_allclose(mapped.params["0"]["weight"], expected.params["0"]["weight"], rtol=1e-3, atol=1e-5)
    _, held = quiet(start(), (X, Y), **settings | {"validation": 0.2})
    _, mapped_held = quiet(start(), (stored, Y), **settings | {"validation": 0.2})
    np.testing.assert_allclose(mapped_held["val_loss"], held["val_loss"], rtol=1e-4)
    assert isinstance(split(examples((stored, Y)), 0.2, 0)[0].x, Chosen)
    stored[7, 1] = np.nan
    with pytest.raises(DataError, match=r"batch \d: expected finite numbers, got nan at x\[\d+, 1\]"):
        quiet(start(), (stored, Y), **settings)
    with pytest.raises(DataError, match=r"data: expected finite numbers, got nan at x\[7, 1\]"):
        capas.evaluate(start(), (stored, Y), batch_size=5)
    stored[7, 1] = X[7, 1]
    made = []

    def loader():
        made.append(1)
        return ((X[i : i + 30], Y[i : i + 30]) for i in range(0, 90, 30))

    _, history = quiet(start(), loader, optimizer=optax.sgd(0.1), validation=(X, Y), epochs=2)
    assert len(made) == 2
    assert history["val_loss"][1] < history["val_loss"][0]


def test_convolutions_train_one_step_at_a_time():
    images = RNG.normal(0.3, 1, (60, 4, 4, 1)).astype(np.float32)
    labels = (images.mean((1, 2, 3)) > 0.3).astype(np.int32)
    net = nn.Sequential(nn.Conv(4, (3, 3)), "relu", nn.GlobalAvgPool(), nn.Dense(2))
    model, history = quiet(
        start(net, (4, 4, 1)), (images, labels), epochs=40, batch_size=20, validation=None, learning_rate=0.02
    )
    assert history["accuracy"][-1] > 0.9
    assert capas.evaluate(model, (images, labels))["accuracy"] > 0.9


def test_digits_reach_the_accuracy_of_the_literature():
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    train, test = order[len(x) // 5 :], order[: len(x) // 5]
    net = nn.Sequential(nn.Dense(128), "relu", nn.Dense(128), "relu", nn.Dense(10))
    model, _ = quiet(start(net, (64,)), (x[train] / 16, y[train]), epochs=30)
    assert capas.evaluate(model, (x[test] / 16, y[test]))["accuracy"] >= 0.97


def test_early_stopping_returns_the_best_weights():
    seen = []
    noise = RNG.integers(0, 3, 90)
    model, history = quiet(
        start(), (X, noise), patience=3, epochs=200, learning_rate=0.05, callbacks=[lambda record, m: seen.append(m)]
    )
    values = history["val_loss"]
    best = int(np.argmin(values))
    assert history.ended == "no improvement in 3 epochs"
    assert len(values) == best + 4
    assert history.best_epoch == best + 1
    assert_same(model.params, seen[best].params)


def test_early_stopping_watches_what_it_is_told():
    """Targets are the signs of one input, a part of them turned around: losses end before accuracies do."""
    seen = []
    x = RNG.normal(size=(400, 6)).astype(np.float32)
    y = ((x[:, 0] > 0) ^ (RNG.random(400) < 0.3)).astype(np.int32)
    net = nn.Sequential(nn.Dense(64), "relu", nn.Dense(2))
    settings = {"patience": 12, "monitor": "val_accuracy", "epochs": 60, "callbacks": [lambda _, m: seen.append(m)]}
    model, history = quiet(start(net, (6,)), (x, y), **settings)
    best = int(np.argmax(history["val_accuracy"]))
    assert history.best_epoch == best + 1 != int(np.argmin(history["val_loss"])) + 1
    assert_same(model.params, seen[best].params)


def distance(outputs, targets):
    return jnp.abs(outputs.argmax(-1) - targets)


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"monitor": "val_acc"}, "'val_loss', 'val_accuracy', got 'val_acc'. What is not in it can be added"),
        ({"monitor": "val_loss", "validation": None}, "one of 'loss', 'accuracy', got 'val_loss'. There is no valid"),
        ({"monitor": "loss", "patience": None}, "expected patience beside monitor, got patience=None"),
        ({"monitor": "val_distance", "metrics": [distance]}, "known when it is better, got 'val_distance'"),
    ],
    ids=["unknown", "nothing held out", "no patience", "own metric"],
)
def test_what_cannot_be_watched_is_refused(settings, part):
    assert part in message(ArgumentError, lambda: quiet(start(), (X, Y), **{"patience": 3, **settings}))


def test_a_callback_ends_training():
    _, history = quiet(start(), (X, Y), epochs=9, callbacks=[lambda record, model: record["epoch"] == 2])
    assert (len(history.records), history.ended) == (2, "a callback asked")


def test_what_is_saved_is_what_was_true_then(tmp_path, monkeypatch):
    """Orbax writes in the background, when the next epoch may have been recorded already."""
    checkpoint = Checkpoint(tmp_path, {})
    later, write = [], checkpoint._manager.save
    monkeypatch.setattr(checkpoint._manager, "save", lambda *args, **how: later.append((args, how)))
    progress = {"records": [{"epoch": 1}]}
    checkpoint.save(1, {"a": jnp.ones(2)}, progress)
    progress["records"].append({"epoch": 2})
    ((args, how),) = later
    write(*args, **how)
    checkpoint.close()
    assert Checkpoint(tmp_path, {}).restore({"a": jnp.zeros(2)})[1] == {"records": [{"epoch": 1}]}


def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path):
    net = nn.Sequential(nn.Dense(8), nn.BatchNorm(), "relu", nn.Dropout(0.2), nn.Dense(3))
    settings = {"epochs": 4, "batch_size": 16, "patience": 3, "seed": 5}

    def interrupt(record, model):
        if record["epoch"] == 3:
            raise KeyboardInterrupt

    whole, expected = quiet(start(net), (X, Y), **settings)
    with pytest.raises(KeyboardInterrupt):
        quiet(start(net), (X, Y), checkpoint=tmp_path / "run", callbacks=[interrupt], **settings)
    resumed, history = quiet(start(net), (X, Y), checkpoint=tmp_path / "run", **settings)
    assert_same((whole.params, whole.state), (resumed.params, resumed.state))
    assert history["val_loss"] == expected["val_loss"]
    again, _ = quiet(start(net), (X, Y), checkpoint=tmp_path / "run", **settings)
    assert_same(again.params, whole.params)
    assert message(
        ArgumentError, lambda: quiet(start(net), (X, Y), checkpoint=tmp_path / "run", **{**settings, "seed": 6})
    ) == (
        f"checkpoint {str(tmp_path / 'run')!r}: expected a run with seed=6, got 5. "
        "Continue with the settings it began with, or give a new folder."
    )


def test_calls_are_as_long_as_progress_can_wait(monkeypatch):
    monkeypatch.setattr("capas.train.loop.ROWS_PER_CALL", 64)
    pace, seen = Pace(), []
    for seconds in (3.0, 0.1, 0.1, 0.1, 0.1, 0.1, 0.5, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0):
        pace.learn(seconds)
        seen.append(pace.steps)
    assert seen == [4, 8, 16, 32, 64, 64, 64, 32, 16, 8, 4, 2, 1, 1]


def test_long_and_short_calls_make_the_same_steps(monkeypatch):
    """Fewer and fewer steps in a call, and more and more."""
    trained = []
    for seconds in (0.0, 1e9):
        monkeypatch.setattr("capas.train.loop.LONG", seconds)
        monkeypatch.setattr("capas.train.loop.SHORT", seconds)
        trained.append(quiet(start(), (X, Y), epochs=3, batch_size=10, seed=4))
    (one, first), (many, second) = trained
    assert_same(one.params, many.params)
    assert first["loss"] == second["loss"]


def exploding(x):
    return jnp.where(jnp.abs(x) > 50, jnp.inf, x)


@pytest.mark.parametrize("together", [4, 64])
def test_a_loss_that_explodes_names_the_layer_and_keeps_the_last_good_step(together, monkeypatch):
    monkeypatch.setattr("capas.train.loop.ROWS_PER_CALL", 10 * together)
    net = nn.Sequential(body=nn.Sequential(nn.Dense(8), "tanh", nn.Dense(8), exploding), head=nn.Dense(1))
    settings = {"loss": losses.mse, "validation": None, "batch_size": 10, "optimizer": optax.sgd(-0.03), "epochs": 40}
    target = X[:, :1]
    with pytest.raises(NotFiniteError) as caught:
        quiet(start(net), (X, target), **settings)
    error = caught.value
    assert str(error).startswith("Activation 'body/3': expected a finite output, got ")
    assert str(error).endswith(
        " numbers that are not. Use a smaller learning rate, clip the gradients as the default optimizer does, "
        "or start from scheme='auto'."
    )
    steps, last = divmod(by_hand_until_not_finite(net, target, settings), 9)
    assert len(error.history.records) == steps
    for leaf in jax.tree.leaves(error.model.params):
        assert np.isfinite(leaf).all()
    assert_close_to_steps(error.model, net, target, settings, 9 * steps + last)


def one_step(net, settings):
    def mean_loss(params, rows, target):
        return losses.mse(net.apply(params, {}, X[rows])[0], target[rows]).mean()

    def step(params, rows, target):
        value, slope = jax.value_and_grad(mean_loss)(params, rows, target)
        return value, jax.tree.map(lambda p, g: p + 0.03 * g, params, slope)

    return step


def by_hand_until_not_finite(net, target, settings):
    params, step, done = start(net).params, one_step(net, settings), 0
    for epoch in range(settings["epochs"]):
        for rows in ArrayFeed(examples((X, target)), 10, 0).order(epoch):
            value, params = step(params, rows, target)
            if not np.isfinite(value):
                return done
            done += 1
    raise AssertionError("this run was meant to explode")


def assert_close_to_steps(model, net, target, settings, steps):
    params, step, done = start(net).params, one_step(net, settings), 0
    for epoch in range(settings["epochs"]):
        for rows in ArrayFeed(examples((X, target)), 10, 0).order(epoch):
            if done < steps:
                _, params = step(params, rows, target)
                done += 1
    for one, other in zip(jax.tree.leaves(model.params), jax.tree.leaves(params), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


def test_the_copy_of_a_repeated_block_is_named():
    net = nn.Sequential(nn.Repeat(nn.Sequential(lambda x: 1e4 * x, nn.Dense(6)), 20), nn.Dense(1))
    model = capas.init(net, input_shape=(6,), scheme=weights.Identity())
    text = message(NotFiniteError, lambda: quiet(model, (X, X[:, :1]), loss=losses.mse, validation=None))
    assert text.startswith("Activation '0/9/block/0': expected a finite output")


def test_a_gradient_that_is_not_finite_is_named():
    net = nn.Sequential(nn.Dense(3), lambda x: jnp.sqrt(jnp.abs(x) * 0.0), nn.Dense(1))
    model = capas.init(net, input_shape=(6,), scheme=weights.LeCun())
    text = message(NotFiniteError, lambda: quiet(model, (X, X[:, :1]), loss=losses.mse, validation=None))
    assert text == (
        "gradient of '0/bias': expected a finite number at every step, got none at step 0, from finite outputs of the "
        "network. Use a smaller learning rate, clip the gradients as the default optimizer does, or start from scheme='auto'."
    )


def test_bfloat16_computes_in_half_the_bits_and_keeps_the_weights(monkeypatch):
    monkeypatch.setattr("capas.train.precision.has_half_products", lambda: True)
    full, _ = quiet(start(), (X, Y), epochs=3, batch_size=16)
    half, history = quiet(start(), (X, Y), epochs=3, batch_size=16, precision="bfloat16")
    assert all(a.dtype == jnp.float32 for a in jax.tree.leaves(half.params))
    assert not np.array_equal(half.params["0"]["weight"], full.params["0"]["weight"])
    np.testing.assert_allclose(half.params["0"]["weight"], full.params["0"]["weight"], atol=0.05)
    assert history["loss"][-1] < history["loss"][0]


def test_where_bfloat16_would_be_slower_training_warns_and_is_in_float32(monkeypatch):
    monkeypatch.setattr("capas.train.precision.has_half_products", lambda: False)
    full, _ = quiet(start(), (X, Y), epochs=1)
    with pytest.warns(UserWarning, match=r"fit: JAX .* Training is done in float32\."):
        half, _ = quiet(start(), (X, Y), epochs=1, precision="bfloat16")
    assert np.array_equal(half.params["0"]["weight"], full.params["0"]["weight"])


def test_progress_is_one_line_per_epoch_off_a_terminal(capsys):
    capas.fit(start(), (X, Y), epochs=2)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["epoch 1/2", "epoch 2/2"]
    assert all(name in lines[0] for name in ("loss ", "accuracy ", "val_loss ", "val_accuracy ", " s"))


def test_evaluation_equals_numpy():
    model = start()
    weights = RNG.uniform(0, 1, 90)
    logits = np.asarray(model(X), np.float64)
    nll = np.log(np.exp(logits).sum(1)) - logits[np.arange(90), Y]
    right = logits.argmax(1) == Y
    for data in ((X, Y, weights), [(X[:50], Y[:50], weights[:50]), (X[50:], Y[50:], weights[50:])]):
        found = capas.evaluate(model, data, metrics=("loss", "accuracy", "top_5_accuracy"), batch_size=32)
        assert found["loss"] == pytest.approx((weights * nll).sum() / weights.sum(), rel=1e-5)
        assert found["accuracy"] == pytest.approx((weights * right).sum() / weights.sum(), rel=1e-5)
        assert found["top_5_accuracy"] == pytest.approx(1, rel=1e-6)


@pytest.mark.parametrize("last", [nn.Softmax(), nn.Activation("sigmoid"), nn.Sequential(nn.Softmax())])
def test_probabilities_into_a_loss_from_logits_are_refused(last):
    net = nn.Sequential(nn.Dense(3), last)
    inner = nn.Softmax() if isinstance(last, nn.Sequential) else last
    expected = (
        "loss: expected a network that ends in logits, since the loss applies the softmax or sigmoid itself, "
        f"got one that ends in {inner!r}. Drop its last layer, and apply it to the outputs afterwards."
    )
    smoothed = functools.partial(losses.softmax_cross_entropy, label_smoothing=0.1)
    for loss in (losses.softmax_cross_entropy, smoothed):
        assert message(ArgumentError, lambda loss=loss: quiet(start(net), (X, Y), loss=loss)) == expected
    assert message(ArgumentError, lambda: capas.evaluate(start(net), (X, Y))) == expected


def test_what_does_not_fit_is_refused_before_the_first_step():
    model = start()
    assert message(ArgumentError, lambda: quiet(model, (X, Y), precision="float16")) == (
        'fit: expected precision to be "float32" or "bfloat16", got \'float16\'. '
        "bfloat16 computes in half the bits and keeps the weights in float32."
    )
    assert message(ArgumentError, lambda: quiet(model, (X, Y), optimizer=optax.sgd(0.1), learning_rate=0.1)) == (
        "fit: expected an optimizer or a learning rate, got both. Set the rate where you make the optimizer."
    )
    assert message(ArgumentError, lambda: quiet(model, lambda: iter([(X, Y)]))) == (
        "fit: expected validation data, or validation=None, where the data comes in batches, got validation=0.1. "
        "A share can only be held out of arrays."
    )
    assert message(ArgumentError, lambda: quiet(model, lambda: iter([(X, Y)]), validation=None)) == (
        "fit: expected an optimizer, where the number of batches is not known, got optimizer=None and data without a "
        "length. Give data with a length, or an optimizer such as optax.adamw(1e-3)."
    )
    assert message(ArgumentError, lambda: quiet(model, (X, Y), metrics=("f1",))) == (
        "metrics: expected one of 'loss', 'mae', 'mse', 'accuracy', 'top_5_accuracy', 'binary_accuracy', or a function of "
        "outputs and targets, got 'f1'. Write it as a function that gives one value per example."
    )
    assert message(ShapeError, lambda: quiet(model, (X[:, :5], Y))) == (
        "Model: expected x of shape (..., 6), got (90, 5). Give it examples like those it was initialized for."
    )
    with pytest.raises(DataError):
        quiet(model, (X, Y + 1))
    bad = X.copy()
    bad[4, 2] = np.nan
    assert message(DataError, lambda: quiet(model, (bad, Y))) == (
        "data: expected finite numbers, got nan at x[4, 2]. Remove or fill the missing values first."
    )
    assert message(DataError, lambda: quiet(model, (X, Y), validation=(bad, Y))) == (
        "validation: expected finite numbers, got nan at x[4, 2]. Remove or fill the missing values first."
    )
