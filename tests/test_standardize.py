"""Standardization over a batch against what JAX makes of its formula."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from capas.nn.standardize import _plain, standardize

EPSILON = 0.1
RNG = np.random.default_rng


def arguments():
    return tuple(
        jnp.asarray(RNG(i).normal(mean, 1.0, shape))
        for i, (mean, shape) in enumerate(((3.0, (5, 4, 2, 3)), (0.5, (3,)), (0.2, (3,))))
    )


def total(function, of):
    """A number that depends on one of the outputs, differently at each place."""

    def value(*arguments):
        y = function(*arguments, EPSILON)[of]
        return jnp.sum(jnp.tanh(y) * jnp.cos(jnp.arange(y.size)).reshape(y.shape))

    return value


@pytest.mark.parametrize("of", range(3), ids=["output", "mean", "variance"])
def test_values_and_derivatives_are_those_of_the_formula(of):
    with jax.enable_x64(True):
        given, moved = arguments(), tuple(jnp.flip(a) for a in arguments())
        ours, plain = total(standardize, of), total(_plain, of)
        np.testing.assert_allclose(ours(*given), plain(*given), rtol=1e-12)
        for way in (
            lambda f: jax.grad(f, (0, 1, 2))(*given),
            lambda f: jax.jvp(f, given, moved),
            lambda f: jax.jvp(jax.grad(f, (0, 1, 2)), given, moved),
            lambda f: jax.grad(lambda x: jnp.sum(jax.grad(f)(x, *given[1:]) ** 2))(given[0]),
        ):
            for a, b in zip(jax.tree.leaves(way(ours)), jax.tree.leaves(way(plain)), strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_the_gradient_takes_two_sums_of_the_batch():
    x, scale, bias = (a.astype(jnp.float32) for a in arguments())
    back = jax.jit(lambda x, g: jax.vjp(lambda *a: standardize(*a, EPSILON)[0], x, scale, bias)[1](g))
    text = back.lower(x, x).compile().as_text()
    assert text.count(" reduce(") == 4  # mean, variance, and the two
