"""One seed, and keys that depend on what they are for."""

import jax
import numpy as np
import pytest

from capas.randomness import Purpose, derive, host_generator


def data(key):
    return tuple(np.asarray(jax.random.key_data(key)).tolist())


def test_keys_differ_by_seed_purpose_and_step_and_by_nothing_else():
    keys = {data(derive(seed, purpose, step)) for seed in (0, 1) for purpose in Purpose for step in range(3)}
    assert len(keys) == 2 * len(Purpose) * 3
    assert data(derive(1, Purpose.ORDER, 2)) == data(derive(1, Purpose.ORDER, 2))


def test_a_traced_step_gives_the_same_key():
    assert data(jax.jit(lambda step: derive(3, Purpose.DROPOUT, step))(5)) == data(derive(3, Purpose.DROPOUT, 5))


def test_orders_on_the_host_follow_the_same_rule():
    orders = [
        host_generator(seed, Purpose.ORDER, step).permutation(20) for seed, step in ((0, 0), (0, 1), (1, 0), (0, 0))
    ]
    assert np.array_equal(orders[0], orders[3])
    assert not any(np.array_equal(orders[0], other) for other in orders[1:3])


@pytest.mark.parametrize("seed", [0, -1, 2**31, 2**32 - 1, 2**40 + 3, np.int64(7)])
def test_seeds_of_any_size_give_the_keys_of_jax(seed):
    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), Purpose.ORDER), 4)
    assert data(derive(seed, Purpose.ORDER, 4)) == data(key)
