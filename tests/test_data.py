"""The feeds of training: every example once, one shape, nothing bad let through."""

import numpy as np
import pandas as pd
import pytest

from capas.errors import ArgumentError, DataError
from capas.train.examples import Examples, examples, require_finite, split
from capas.train.feeds import ArrayFeed, StreamFeed, fill, sequential


def numbered(n, classes=3):
    return examples((np.arange(n, dtype=np.float32)[:, None] + 0.5, np.arange(n) % classes))


def test_an_epoch_holds_every_example_and_fills_the_last_batch_from_its_start():
    feed = ArrayFeed(numbered(10), 4, seed=3)
    order = feed.order(0)
    assert order.shape == (3, 4)
    assert sorted(order.ravel()[:10]) == list(range(10))
    assert order.ravel()[10:].tolist() == order.ravel()[:2].tolist()


def test_orders_differ_by_epoch_and_by_seed_and_repeat():
    orders = [
        ArrayFeed(numbered(50), 10, seed).order(epoch).ravel() for seed, epoch in ((0, 0), (0, 1), (1, 0), (0, 0))
    ]
    assert orders[0].tolist() == orders[3].tolist()
    assert orders[0].tolist() != orders[1].tolist() != orders[2].tolist() != orders[0].tolist()


def test_batches_keep_inputs_and_targets_together():
    for batch in ArrayFeed(numbered(10), 4, seed=0).batches(0):
        np.testing.assert_array_equal((batch.x[:, 0] - 0.5) % 3, batch.y)


def test_the_split_is_stratified_and_disjoint():
    y = np.repeat([0, 1, 2], [100, 50, 10])
    data = examples((np.arange(160.0), y))
    kept, held = split(data, 0.1, seed=0)
    assert np.bincount(held.y).tolist() == [10, 5, 1]
    assert sorted([*kept.x.tolist(), *held.x.tolist()]) == list(range(160))
    assert held.x.tolist() != split(data, 0.1, seed=1)[1].x.tolist()


def test_many_small_classes_are_held_out_in_turn():
    """A tenth of four is none of each; of fifty such classes together it is twenty."""
    data = examples((np.arange(200.0), np.repeat(np.arange(50), 4)))
    kept, held = split(data, 0.1, seed=0)
    assert np.bincount(held.y, minlength=50).tolist() == [0, 1, 0, 1, 0] * 10
    assert (kept.rows, held.rows) == (180, 20)


def test_the_split_of_numbers_is_random():
    kept, held = split(examples((np.arange(20.0), np.arange(20.0))), 0.25, seed=0)
    assert (kept.rows, held.rows) == (15, 5)
    assert held.x.tolist() == held.y.tolist()


def test_short_batches_are_filled_with_weight_zero():
    batch = fill(Examples(np.array([1.0, 2.0]), np.array([1, 2]), np.array([0.5, 2.0])), 5)
    assert batch.x.tolist() == [1, 2, 1, 2, 1]
    assert batch.weights.tolist() == [0.5, 2.0, 0, 0, 0]
    parts = list(sequential(numbered(7), 3))
    assert [p.rows for p in parts] == [3, 3, 3]
    assert sum(p.weights.sum() for p in parts) == 7


def test_streams_start_anew_each_epoch():
    feed = StreamFeed([(np.ones((2, 1)), np.zeros(2, int)), (np.ones((1, 1)), np.zeros(1, int))])
    assert feed.steps == 2
    for epoch in range(2):
        assert [b.rows for b in feed.batches(epoch)] == [2, 2]


def message(kind, action):
    with pytest.raises(kind) as caught:
        action()
    return str(caught.value)


def test_data_of_another_form_is_refused():
    assert message(DataError, lambda: examples(np.ones(3))) == (
        "data: expected (x, y) or (x, y, weights), got ndarray. Pass inputs and targets as a tuple."
    )
    assert message(DataError, lambda: examples((np.ones(3),))) == (
        "data: expected (x, y) or (x, y, weights), got 1 things. Pass inputs and targets as a tuple."
    )
    assert message(DataError, lambda: examples((np.ones((3, 2)), np.ones(2)))) == (
        "data: expected x, y and weights with the same number of rows, at least one, got (3, 2), (2,), (3,). "
        "Check which rows belong together."
    )
    assert message(DataError, lambda: examples((np.array(["a"]), np.ones(1)))) == (
        "data: expected numbers, got an array of <U1. "
        "Encode categories as whole numbers; for tables use capas.datasets."
    )


def test_numbers_that_would_wrap_around_and_negative_weights_are_refused():
    assert message(DataError, lambda: examples((np.ones((2, 1)), np.array([1, 3_000_000_000])))) == (
        "data: expected whole numbers from -2147483648 to 2147483647, got 3000000000. Number symbols and classes from 0; "
        "make floating numbers of quantities, x.astype('float32')."
    )
    assert examples((np.ones((2, 1)), np.array([-5, 2**31 - 1]))).y.dtype == np.int32
    assert message(DataError, lambda: examples((np.ones((2, 1)), np.ones(2), np.array([1.0, -2.0])))) == (
        "data: expected weights of at least 0, got -2. Weights count examples."
    )


def test_frames_of_several_types_are_numbers():
    frame = pd.DataFrame({"age": [30.5, 40.0], "member": [True, False], "visits": [3, 4]})
    x = examples((frame, np.ones(2))).x
    assert x.dtype == np.float32
    np.testing.assert_array_equal(x, [[30.5, 1, 3], [40, 0, 4]])
    with pytest.raises(DataError, match="got an array of object"):
        examples((np.array([[1.0, None]], object), np.ones(1)))


def test_the_first_bad_number_is_named():
    x = np.zeros((4, 2, 2), np.float32)
    x[2, 1, 0] = np.nan
    x[3, 0, 0] = np.inf
    assert message(DataError, lambda: require_finite(examples((x, np.zeros(4))))) == (
        "data: expected finite numbers, got nan at x[2, 1, 0]. Remove or fill the missing values first."
    )
    require_finite(examples((np.full((4, 2), 3e38, np.float32), np.zeros(4))))


def test_splits_that_leave_a_side_empty_are_refused():
    assert message(ArgumentError, lambda: split(numbered(4), 1.5, 0)) == (
        "validation: expected a fraction between 0 and 1, (x, y), batches, or None, got 1.5. For example validation=0.1."
    )
    assert message(DataError, lambda: split(numbered(4), 0.01, 0)) == (
        "validation: expected at least one example on each side of the split, got 4 examples and validation=0.01. "
        "Use a larger fraction, pass validation=(x, y), or validation=None."
    )


def test_batches_larger_than_the_first_are_refused():
    feed = StreamFeed([(np.ones((1, 1)), np.zeros(1)), (np.ones((2, 1)), np.zeros(2))])
    assert message(DataError, lambda: list(feed.batches(0))) == (
        "data: expected batches of at most 1 examples, the size of the first, got 2. "
        "Make all batches the same size; the last one may be smaller."
    )


def test_a_used_up_generator_is_named():
    feed = StreamFeed((np.ones((1, 1)), np.zeros(1)) for _ in range(2))
    assert len(list(feed.batches(0))) == 2
    assert message(DataError, lambda: list(feed.batches(1))) == (
        "data: expected batches in epoch 2, got none. "
        "A generator is used up after one pass: give a list, a loader, or a function that makes one."
    )
