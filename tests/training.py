"""A small task and a network for it, and what tests of training do with them."""

import functools

import jax
import numpy as np
import pytest

import capas
from capas import nn

RNG = np.random.default_rng(0)
X = RNG.normal(0.7, 1, (90, 6)).astype(np.float32)
Y = (X @ RNG.normal(size=(6, 3))).argmax(1).astype(np.int32)
NET = nn.Sequential(nn.Dense(8), "relu", nn.Dense(3))
quiet = functools.partial(capas.fit, progress=False)


def start(net=NET, shape=(6,)):
    return capas.init(net, input_shape=shape, seed=0)


def assert_same(one, other):
    assert jax.tree.structure(one) == jax.tree.structure(other)
    assert all(map(np.array_equal, jax.tree.leaves(one), jax.tree.leaves(other)))


def message(kind, action):
    with pytest.raises(kind) as caught:
        action()
    return str(caught.value)
