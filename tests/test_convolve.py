"""The gradients of convolutions: what they are, and in which order of the axes they are computed."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from capas import nn
from capas.nn.convolve import Geometry, _divisor, convolve

RNG = np.random.default_rng
CASES = {
    "1d": ((13,), (4,), Geometry((1,), ((1, 2),), (1,), (1,))),
    "2d": ((7, 6), (3, 2), Geometry((1, 1), ((1, 1), (0, 1)), (1, 1), (1, 1))),
    "3d": ((5, 4, 6), (3, 2, 3), Geometry((1,) * 3, ((1, 1),) * 3, (1,) * 3, (1,) * 3)),
    "stride": ((9, 8), (3, 3), Geometry((2, 3), ((0, 1), (1, 1)), (1, 1), (1, 1))),
    "dilation": ((9, 8), (3, 2), Geometry((1, 1), ((2, 2), (0, 3)), (1, 1), (2, 3))),
    "growth": ((4, 5), (3, 2), Geometry((1, 1), ((2, 1), (1, 0)), (2, 3), (1, 1))),
    "cut": ((9, 8), (3, 3), Geometry((1, 1), ((-1, 1), (0, -2)), (1, 1), (1, 1))),
    "product": ((7, 6), (1, 1), Geometry((2, 3), ((0, 0), (0, 0)), (1, 1), (1, 1))),
    "no product": ((7, 6), (1, 1), Geometry((1, 1), ((1, 0), (0, 1)), (1, 1), (1, 1))),
    "groups": ((7, 6), (3, 2), Geometry((1, 1), ((1, 1), (0, 1)), (1, 1), (1, 1), 2)),
}


def plain(x, kernel, geometry):
    """What JAX makes of it by itself, whose gradients its authors test against numeric ones."""
    rank = kernel.ndim - 2
    axes = "DHW"[3 - rank :]
    return lax.conv_general_dilated(
        x,
        kernel,
        geometry.stride,
        geometry.padding,
        geometry.growth,
        geometry.dilation,
        (f"N{axes}C", f"{axes}IO", f"N{axes}C"),
        geometry.groups,
    )


@pytest.mark.parametrize(("sizes", "window", "geometry"), CASES.values(), ids=CASES)
@pytest.mark.parametrize(
    ("argument", "patches"),
    [(0, 1e9), (1, 1e9), ((0, 1), 1e9), (1, 1e4), (1, 1)],
    ids=["signal", "kernel", "both", "a few examples", "one by one"],
)
def test_values_and_gradients_both_ways_are_those_of_jax(sizes, window, geometry, argument, patches, monkeypatch):
    monkeypatch.setattr("capas.nn.convolve.PATCHES", int(patches))
    with jax.enable_x64(True):
        x = jnp.asarray(RNG(0).normal(0.5, 1.0, (6, *sizes, 4)))
        kernel = jnp.asarray(RNG(1).normal(0.2, 1.0, (*window, 4 // geometry.groups, 6)))
        weight = jnp.asarray(RNG(2).normal(0.3, 1.0, plain(x, kernel, geometry).shape))

        def measured(function):
            total = lambda x, kernel: jnp.sum(weight * jnp.tanh(function(x, kernel, geometry)))  # noqa: E731
            slope = jax.grad(total, argument)
            moved = jax.jvp(total, (x, kernel), (jnp.cos(x), jnp.cos(kernel)))
            curved = jax.jvp(lambda k: slope(x, k), (kernel,), (jnp.sin(kernel),))
            return jax.tree.leaves((function(x, kernel, geometry), slope(x, kernel), moved, curved))

        for found, wanted in zip(measured(convolve), measured(plain), strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    "layer",
    [nn.Conv(4, (3, 3)), nn.ConvTranspose(4, (3, 3)), nn.Conv(4, (3, 3), dilation=2), nn.Conv(4, (3, 3), groups=4)],
)
def test_inside_a_loop_every_convolution_has_its_axes_in_the_fast_order(layer):
    """XLA:CPU has a fast program for examples first and channels last, and outside of loops brings others to it."""
    net = nn.Repeat(nn.Sequential("tanh", layer), 3)
    params, state = net.init(jax.random.key(0), (6, 6, 4))
    slope = jax.jit(jax.grad(lambda p, x: net.apply(p, state, x)[0].sum(), argnums=(0, 1)))
    compiled = slope.lower(params, jnp.ones((2, 6, 6, 4))).compile().as_text()
    orders = re.findall(r"dim_labels=(\S+?)[,}\s]", compiled)
    assert "while" in compiled
    assert set(orders) == {"b01f_01io->b01f"}
    assert len(orders) == 3


def test_examples_are_taken_as_many_as_fit():
    assert [_divisor(128, most) for most in (1000, 128, 127, 33, 5, 1)] == [128, 128, 64, 32, 4, 1]
    assert _divisor(127, 64) == 127


def test_a_kernel_behind_a_known_signal_needs_no_gradient_of_the_signal():
    kernel, x = jnp.ones((3, 3, 4, 4)), jnp.ones((2, 6, 6, 4))
    geometry = Geometry((1, 1), ((1, 1), (1, 1)), (1, 1), (1, 1))
    program = jax.make_jaxpr(jax.grad(lambda k: convolve(x, k, geometry).sum()))(kernel)
    assert str(program).count("conv_general_dilated[") == 2
