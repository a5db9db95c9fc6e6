"""Products in bfloat16: their values, their gradients, and what XLA makes of them."""

import re
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from capas import nn
from capas.compiler import has_half_products
from capas.nn.plain import plainly
from capas.nn.product import product, shifted, transposed

RNG = np.random.default_rng
HALF = jnp.bfloat16
ROUNDING = 2**-8
"""Of one number in bfloat16, relative."""


def half(seed, *shape):
    return jnp.asarray(RNG(seed).normal(0.3, 1.0, shape), HALF)


def exact(array):
    return np.asarray(array, np.float64)


@pytest.mark.parametrize("shape", [(32, 48), (4, 8, 48), (33, 48), (32, 50)], ids=str)
def test_values_and_gradients_are_those_of_exact_arithmetic_to_rounding(shape):
    x, weight, slope = half(0, *shape), half(1, shape[-1], 24), half(2, *shape[:-1], 24)
    y, back = jax.vjp(product, x, weight)
    rows, slopes = exact(x).reshape(-1, shape[-1]), exact(slope).reshape(-1, 24)
    expected = exact(x) @ exact(weight), exact(slope) @ exact(weight).T, rows.T @ slopes
    for found, correct in zip((y, *back(slope)), expected, strict=True):
        assert found.dtype == HALF
        np.testing.assert_allclose(exact(found), correct, rtol=ROUNDING, atol=1e-4)


def test_second_derivatives_are_those_of_the_plain_product():
    x, weight = half(0, 16, 16), half(1, 16, 8)

    def curvature(multiply):
        inner = lambda x, w: jnp.sum(jax.grad(lambda w: jnp.sum(jnp.tanh(multiply(x, w) / 8)))(w) ** 2)  # noqa: E731
        return jax.grad(inner, (0, 1))(x, weight)

    for found, correct in zip(curvature(product), curvature(jnp.matmul), strict=True):
        np.testing.assert_allclose(exact(found), exact(correct), atol=0.03 * np.abs(exact(correct)).max())


def test_a_transpose_moves_every_bit():
    x = half(0, 32, 48).at[3, 5].set(jnp.nan).at[4, 6].set(-jnp.inf).at[5, 7].set(-0.0)
    found = jax.jit(transposed)(x)
    assert np.array_equal(np.asarray(found).view(np.uint16), np.asarray(x).T.view(np.uint16))
    assert np.array_equal(exact(jax.jvp(transposed, (x,), (half(1, 32, 48),))[1]), exact(half(1, 32, 48)).T)


CPU = Path("/proc/cpuinfo")
HAS_UNITS = CPU.exists() and "amx_bf16" in CPU.read_text()


@pytest.mark.skipif(jax.__version_info__ < (0, 12) or not HAS_UNITS, reason="no matrix units, or a JAX without them")
def test_no_product_of_a_training_step_is_in_float32():
    assert has_half_products()
    net = nn.Sequential(nn.Dense(32), "relu", nn.Dense(32))
    params = jax.tree.map(lambda a: a.astype(HALF), net.init(jax.random.key(0), (48,))[0])
    total = lambda params, x: net.apply(params, {}, x)[0].sum()  # noqa: E731
    program = jax.jit(jax.grad(total)).lower(params, half(0, 64, 48)).compile().as_text()
    products = re.findall(r"= (\w+)\[[\d,]*\]\S* dot\(", program)
    assert len(products) >= 4
    assert set(products) == {"bf16"}


def operations(dtype):
    """By name, of a function that is new each time: programs are kept."""
    program = jax.make_jaxpr(partial(product))(jnp.ones((16, 16), dtype), jnp.ones((16, 8), dtype))
    return [equation.primitive.name for equation in program.eqns]


def test_a_product_is_one_operation_in_float32_and_in_a_plain_program():
    assert operations(jnp.float32) == ["dot_general"]
    with plainly():
        assert operations(HALF) == ["dot_general"]
    assert operations(HALF) != ["dot_general"]


def test_the_gradient_of_a_bias_is_summed_in_float32():
    slope = half(0, 1000, 8)
    found = jax.vjp(lambda bias: shifted(jnp.zeros((1000, 8), HALF), bias), jnp.zeros(8, HALF))[1](slope)[0]
    assert found.dtype == HALF
    np.testing.assert_allclose(exact(found), exact(slope).sum(0), rtol=ROUNDING)
