"""What training refuses, and what it says."""

import functools

import numpy as np
import optax
import pytest

import capas
from capas import losses, nn
from capas.errors import ArgumentError, DataError, NotFiniteError, ShapeError
from capas.train.precision import warn_of_coarse

from .training import NET, X, Y, message, quiet, start


def no_mean(outputs, targets):
    return (outputs - targets) ** 2


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"epochs": 0}, "fit: expected epochs of at least 1, got 0. Give a whole number."),
        ({"batch_size": 0.5}, "fit: expected batch_size of at least 1, got 0.5. Give a whole number."),
        ({"patience": 0}, "fit: expected patience of at least 1, got 0. Give a whole number."),
        ({"seed": -1}, "fit: expected seed of at least 0, got -1. Give a whole number."),
        ({"epochs": True}, "fit: expected epochs of at least 1, got True. Give a whole number."),
        ({"learning_rate": True}, "fit: expected a learning rate above 0, got True. Without one there is a default."),
        ({"callbacks": 3}, "fit: expected callbacks to be a list of functions, got 3. For example callbacks=[f]."),
        (
            {"callbacks": {print}},
            "fit: expected callbacks to be a list of functions, got {<built-in function print>}. "
            "For example callbacks=[f].",
        ),
        ({"callbacks": [3]}, "fit: expected callbacks to be a list of functions, got [3]. For example callbacks=[f]."),
        ({"metrics": "mse"}, "metrics: expected a list of metrics, got 'mse'. Write metrics=['mse']."),
        ({"learning_rate": -0.1}, "fit: expected a learning rate above 0, got -0.1. Without one there is a default."),
        ({"learning_rate": "0.1"}, "fit: expected a learning rate above 0, got '0.1'. Without one there is a default."),
        ({"loss": "mse"}, "fit: expected a loss function, got 'mse'. For example loss=losses.mse."),
        (
            {"optimizer": "adam"},
            "fit: expected an Optax optimizer, got 'adam'. For example optimizer=optax.adam(1e-3); without one there is "
            "a default.",
        ),
        (
            {"loss": no_mean},
            "no_mean: expected a value for each of the 81 examples, shape (81,), got (81, 3). Compare outputs and targets "
            "of one shape, and average over the axes behind the first.",
        ),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(settings, text):
    assert message((ArgumentError, ShapeError), lambda: quiet(start(), (X, X[:, :3]), **settings)) == text


ALONE = "alone. Write inputs and targets as a tuple."
DATA = "data: expected (x, y), (x, y, weights), or batches of these, got an object of type"


def test_inputs_without_targets_are_refused():
    """Rows of an array would else be taken for batches."""
    for given in (X, 3, None):
        text = f"{DATA} {type(given).__name__} {ALONE}"
        assert message(DataError, lambda given=given: quiet(start(), given)) == text
        assert message(DataError, lambda given=given: capas.evaluate(start(), given)) == text
    found = message(DataError, lambda: quiet(start(), (X, Y), validation=X))
    assert found == f"{DATA} ndarray {ALONE}".replace("data:", "validation:")


def test_a_network_is_no_model_yet():
    text = "expected a model, got an object of type Sequential. Make one: capas.init(network, input_shape)."
    assert message(ArgumentError, lambda: quiet(NET, (X, Y))) == f"fit: {text}"
    assert message(ArgumentError, lambda: capas.evaluate(NET, (X, Y))) == f"evaluate: {text}"


def test_what_measures_and_predicts_is_looked_at_as_what_trains():
    model = start()
    loss = message(ArgumentError, lambda: capas.evaluate(model, (X, Y), loss="mse"))
    assert loss == "evaluate: expected a loss function, got 'mse'. For example loss=losses.mse."
    size = message(ArgumentError, lambda: model.predict(X, batch_size=0))
    assert size == "predict: expected batch_size of at least 1, got 0. Give a whole number."
    seed = message(ArgumentError, lambda: capas.init(NET, (6,), seed="a"))
    assert seed == "init: expected seed of at least 0, got 'a'. Give a whole number."
    data = message(ArgumentError, lambda: capas.init(NET, (6,), data=(X, Y)))
    assert data == "init: expected data of inputs alone, got a tuple. Leave the targets out."


SAME = {"epochs": 2}
OTHERS = {
    "learning_rate": ({"learning_rate": 1e-2}, {}),
    "optimizer": ({"optimizer": optax.sgd(0.1)}, {}),
    "optimizer's state": ({"optimizer": optax.rmsprop(0.1)}, {"optimizer": optax.sgd(0.1, momentum=0.9)}),
    "early stopping": ({"patience": 2}, {}),
    "metrics": ({"metrics": ["loss"]}, {}),
    "loss": ({"loss": functools.partial(losses.softmax_cross_entropy, label_smoothing=0.1)}, {}),
    "weights": ({}, {"seed": 1}),
    "data": ({}, {"y": (Y + 1) % 3}),
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_folder_of_another_run_is_refused(name, tmp_path):
    """What changed is named, and nothing of the old run comes back as if it were the new one."""
    settings, other = OTHERS[name]
    began = SAME | {name: value for name, value in other.items() if name == "optimizer"}
    quiet(start(), (X, Y), checkpoint=tmp_path, **began)
    model = capas.init(NET, input_shape=(6,), seed=other.get("seed", 0))
    found = message(
        ArgumentError, lambda: quiet(model, (X, other.get("y", Y)), checkpoint=tmp_path, **(SAME | settings))
    )
    assert f"a run with {name}=" in found
    quiet(start(), (X, Y), checkpoint=tmp_path, **began)


def test_settings_of_numpy_are_those_of_python(tmp_path):
    given = {
        "epochs": np.int64(2),
        "seed": np.int32(3),
        "learning_rate": np.float32(0.01),
        "validation": np.float32(0.1),
    }
    _, history = quiet(start(), (X, Y), checkpoint=tmp_path, **given)
    assert len(history.records) == 2


def test_a_validation_loss_that_is_no_number_ends_training_with_the_model_so_far():
    """Else no epoch would be better than none, and early stopping would give back the untrained model."""
    symbols = np.random.default_rng(0).integers(0, 5, (60, 3))
    model = start(nn.Sequential(nn.Embedding(5, 4), nn.Flatten(), nn.Dense(2)), (3,))
    held = symbols[:20].copy()
    held[3, 0] = 9
    with pytest.raises(NotFiniteError, match="val_loss: expected a finite number after every epoch, got nan") as caught:
        quiet(model, (symbols, symbols[:, 0] % 2), validation=(held, held[:, 0] % 2), patience=2)
    assert (caught.value.model.params["2"]["weight"] != model.params["2"]["weight"]).any()


def test_targets_in_batches_are_looked_at_as_those_of_arrays_are():
    text = (
        "softmax_cross_entropy: expected classes from 0 to 2, got 3 at position (0,). Number the classes from 0, and give "
        "the network one output per class."
    )
    wrong = [(X[:10], Y[:10]), (X[:10], np.full(10, 3))]
    assert message(DataError, lambda: quiet(start(), wrong, validation=None)) == text
    assert message(DataError, lambda: quiet(start(), (X, Y), validation=wrong)) == text
    assert message(DataError, lambda: capas.evaluate(start(), wrong)) == text


NONE = "A generator is used up after one pass: give a list, a loader, or a function that makes one."


def test_no_batches_are_refused_before_training():
    assert (
        message(DataError, lambda: quiet(start(), [], validation=None)) == f"data: expected batches, got none. {NONE}"
    )
    found = message(DataError, lambda: quiet(start(), (X, Y), validation=[]))
    assert found == f"validation: expected batches, got none. {NONE}"
    found = message(ArgumentError, lambda: quiet(start(), (X, Y), validation=iter([(X, Y)])))
    assert found == (
        "validation: expected batches that can be read in every epoch, got an object of type list_iterator. Give a list, "
        "a loader, or a function that makes a generator."
    )


def test_validation_data_are_called_so():
    found = message(DataError, lambda: quiet(start(), (X, Y), validation=(X, Y.astype(str))))
    assert found.startswith("validation: expected numbers, got an array of <U")


def test_a_weight_for_each_example():
    """Those of shape (2, 1) would weigh every example with both."""
    text = "data: expected one weight for each example, shape (2,), got (2, 1). Write weights[:, 0], or average them."
    two = X[:2], Y[:2], np.ones((2, 1))
    assert message(DataError, lambda: capas.evaluate(start(), two)) == text
    text = "data: expected arrays with a row for each example, got 3. Give arrays."
    assert message(DataError, lambda: capas.evaluate(start(), (X, 3))) == text


def squares(outputs, targets):
    return ((outputs[:, 0] - targets.reshape(-1)) ** 2).reshape(-1)


def test_accuracies_do_not_compare_targets_of_another_shape():
    """A loss of one's own may take them; every target would be compared with every output."""
    one, column = start(nn.Dense(1)), Y[:, None]
    found = message(ShapeError, lambda: capas.evaluate(one, (X, Y), loss=squares, metrics=["binary_accuracy"]))
    assert found.startswith(f"binary_accuracy: expected targets of shape ({len(X)}, 1), that of the outputs, got")
    for name in "accuracy", "top_5_accuracy":
        found = message(ShapeError, lambda n=name: capas.evaluate(start(), (X, column), loss=squares, metrics=[n]))
        assert found.startswith(f"{name}: expected classes of shape ({len(X)},) or probabilities")


def test_evaluate_needs_something_to_measure():
    found = message(ArgumentError, lambda: capas.evaluate(start(), (X, Y), metrics=()))
    assert found == "metrics: expected at least one, got none. Leave them out for the usual ones."


def test_weights_that_are_all_zero_measure_nothing():
    assert message(DataError, lambda: capas.evaluate(start(), (X, Y, np.zeros(len(X))))) == (
        "weights: expected some that are not 0, got none. Weights count examples; leave them out to count all alike."
    )


def test_metrics_have_names_of_their_own():
    _, history = quiet(start(), (X, X[:, :3]), loss=losses.mse, metrics=["mse"], epochs=1)
    assert history["mse"] == history["loss"]
    twice = [_named("accuracy"), "accuracy"]
    for metrics, name in (
        ([lambda o, t: o[:, 0]] * 2, "<lambda>"),
        ([_named("step")], "step"),
        ([_named("val_loss")], "val_loss"),
        (twice, "accuracy"),
        (twice[::-1], "accuracy"),
    ):
        found = message(ArgumentError, lambda metrics=metrics: quiet(start(), (X, Y), metrics=metrics))
        assert f"got another {name!r}" in found


def _named(name):
    def metric(outputs, targets):
        return outputs[:, 0]

    metric.__name__ = name
    return metric


def test_a_tuple_of_batches_is_no_data():
    found = message(DataError, lambda: quiet(start(), ((X[:50], Y[:50]), (X[50:], Y[50:]))))
    assert found.endswith("Give arrays; batches go into a list, [(x, y), ...].")


def test_metadata_that_could_not_be_saved_is_refused_before_training():
    found = message(ArgumentError, lambda: capas.init(NET, (6,), metadata={"mean": np.ones(2)}))
    assert found.startswith("init: expected metadata of plain JSON values, got ")


def test_bfloat16_warns_of_raw_inputs_that_it_cannot_tell_apart():
    model = capas.init(NET, (6,), data=X + 2000, standardize=True)
    with pytest.warns(UserWarning, match="bfloat16 rounds it to 1/256 of the mean"):
        warn_of_coarse(model.inputs, "bfloat16")
    warn_of_coarse(model.inputs, "float32")
    warn_of_coarse(capas.init(NET, (6,), data=X, standardize=True).inputs, "bfloat16")
