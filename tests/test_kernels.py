"""`capas.propagate` and the kernels of infinitely wide networks.

`second` and `cross` of the output are the NNGP kernel on its diagonal and off it; the tangent kernel's diagonal is the
power of the gradient of one output, summed over all entries of all parameters.

RECORDED holds what neural-tangents gives (Novak et al., 2020, "Neural Tangents: fast and easy infinite neural networks
in Python"): version 0.6.5 with JAX 0.4.30 in float64, `stax`, `parameterization="ntk"`, W_std = 1.5, b_std = 0.3, inputs
x, y with x·x/n = y·y/n = second and x·y/n = correlation · second (images: all positions orthogonal). It does not import
with any JAX that capas runs on, so its numbers stand here; those of the chains are computed a second time below.
"""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from capas.signal import Entries, Signal, propagate

STD, BIAS = 1.5, 0.3
WIDTH, OUTPUTS = 256, 16

# (network, second, correlation of the inputs): (NNGP diagonal, NNGP off it, NTK diagonal)
RECORDED = {
    ("relu", 1.0, 0.3): (3.1528124999999996, 1.9870355756675155, 9.177187499999999),
    ("relu", 1.4, 0.8): (4.291874999999999, 3.685868894430598, 12.594374999999998),
    ("erf", 1.0, 0.3): (1.2984872017868563, 0.44177366032690735, 5.1784792756843245),
    ("erf", 1.4, 0.8): (1.3284994640797276, 0.9626162359019313, 5.630712144772108),
    ("gelu", 1.0, 0.3): (2.786567765039544, 1.5125626312792269, 8.550098132803768),
    ("gelu", 1.4, 0.8): (3.944286029398184, 3.264383809572457, 12.152273457930526),
    ("sin", 1.0, 0.3): (1.1138690617145073, 0.2760820098293272, 5.848559105418535),
    ("sin", 1.4, 0.8): (1.1156161735485994, 0.5855393408910905, 7.070854062033687),
    ("leaky relu", 1.0, 0.3): (3.3985259999999995, 1.8377733510955885, 9.910277999999998),
    ("leaky relu", 1.4, 0.8): (4.630535999999999, 3.9006394359545733, 13.606307999999999),
    ("residual", 1.0, 0.3): (4.445294070196385, 2.425830703547627, 13.805699067058548),
    ("residual", 1.4, 0.8): (5.576535589013108, 4.61485798396723, 17.02047942777441),
    ("convolutions, flattened", 1.0, 0.3): (1.755703125, 1.1428296901824626, 4.9858593749999995),
    ("convolutions, flattened", 1.4, 0.8): (2.34984375, 2.0328597150054604, 6.768281249999999),
    ("convolutions, averaged", 1.0, 0.3): (0.6222998672447162, 0.47061537623845284, 1.6464736050949487),
    ("convolutions, averaged", 1.4, 0.8): (0.6543625665000644, 0.5876647117321085, 1.8295487492715305),
}


class Parameters:
    """Takes parameters in order, all N(0, 1), and scales them; without any, notes which ones are taken."""

    def __init__(self, given=()):
        self.given, self.taken = iter(given), []

    def take(self, *shape):
        self.taken.append(Entries(shape, std=1.0))
        return next(self.given, None)

    def dense(self, x, features=WIDTH):
        weight, bias = self.take(x.shape[-1], features), self.take(features)
        if weight is None:
            return jnp.zeros((*x.shape[:-1], features))
        return x @ (STD / math.sqrt(len(weight)) * weight) + BIAS * bias

    def conv(self, x, stride=1):
        weight, bias = self.take(3, 3, x.shape[-1], WIDTH), self.take(WIDTH)
        if weight is None:
            return jnp.zeros((len(x), *(n // stride for n in x.shape[1:3]), WIDTH))
        scaled, axes = STD / math.sqrt(9 * x.shape[-1]) * weight, ("NHWC", "HWIO", "NHWC")
        return lax.conv_general_dilated(x, scaled, (stride, stride), "SAME", dimension_numbers=axes) + BIAS * bias


def _chain(activation):
    def network(p, x):
        return p.dense(activation(p.dense(activation(p.dense(x)))), OUTPUTS)

    return network, (WIDTH,)


def _residual(p, x):
    x = p.dense(x)
    return p.dense(jax.nn.relu(x + p.dense(lax.erf(p.dense(jax.nn.relu(x))))), OUTPUTS)


def _flattened(p, x):
    x = jax.nn.relu(p.conv(jax.nn.relu(p.conv(x)), stride=2))
    return p.dense(x.reshape(len(x), -1), OUTPUTS)


def _averaged(p, x):
    return p.dense(lax.erf(p.conv(jax.nn.relu(p.conv(x)), stride=2)).mean((1, 2)), OUTPUTS)


NETWORKS = {
    "relu": _chain(jax.nn.relu),
    "erf": _chain(lax.erf),
    "gelu": _chain(lambda x: jax.nn.gelu(x, approximate=False)),
    "sin": _chain(jnp.sin),
    "leaky relu": _chain(lambda x: jax.nn.leaky_relu(x, 0.2)),
    "residual": (_residual, (WIDTH,)),
    "convolutions, flattened": (_flattened, (4, 4, 64)),
    "convolutions, averaged": (_averaged, (4, 4, 64)),
}


@pytest.mark.parametrize(("name", "second", "correlation"), RECORDED)
def test_prediction_is_the_kernel_of_neural_tangents(name, second, correlation):
    network, shape = NETWORKS[name]
    empty = Parameters()
    network(empty, jnp.zeros((1, *shape)))
    signal = Signal(mean=0.0, second=second, cross=correlation * second)
    example = jax.ShapeDtypeStruct(shape, jnp.float32)
    flow = propagate(lambda given, x: network(Parameters(given), x), empty.taken, example, signal=signal)
    sizes = [math.prod(entries.shape) for entries in empty.taken]
    tangent = sum(size * power for size, power in zip(sizes, flow.gradients.values(), strict=True)) / OUTPUTS
    found = (flow.rows[-1].second, flow.rows[-1].cross, tangent)
    assert found == pytest.approx(RECORDED[name, second, correlation], rel=1e-5)


def _arc_cosine(matrix):
    """E relu(u) relu(v), E relu'(u) relu'(v). Source: Cho and Saul (2009), "Kernel methods for deep learning", §2."""
    scale = math.sqrt(matrix[0, 0] * matrix[1, 1])
    angle = math.acos(min(max(matrix[0, 1] / scale, -1.0), 1.0))
    product = scale / (2 * math.pi) * (math.sin(angle) + (math.pi - angle) * math.cos(angle))
    return product, (math.pi - angle) / (2 * math.pi)


def _arc_sine(matrix):
    """E erf(u) erf(v), E erf'(u) erf'(v). Source: Williams (1997), "Computing with infinite networks", eq. 11."""
    widened = 1 + 2 * np.diag(matrix)
    product = 2 / math.pi * math.asin(2 * matrix[0, 1] / math.sqrt(widened.prod()))
    return product, 4 / math.pi / math.sqrt(widened.prod() - 4 * matrix[0, 1] ** 2)


def _kernels(expectations, second, correlation):
    r"""NNGP and NTK of three dense layers, by $\Theta_l = \Sigma_l + \sigma_w^2 \dot\Sigma_l \Theta_{l-1}$.

    Source: Jacot, Gabriel and Hongler (2018), "Neural tangent kernel", theorem 1.
    """
    nngp = STD**2 * second * np.array([[1.0, correlation], [correlation, 1.0]]) + BIAS**2
    tangent = nngp.copy()
    for _ in range(2):
        product, slope = np.zeros((2, 2)), np.zeros((2, 2))
        for i, j in itertools.product(range(2), repeat=2):
            product[i, j], slope[i, j] = expectations(nngp[np.ix_([i, j], [i, j])])
        nngp = STD**2 * product + BIAS**2
        tangent = nngp + STD**2 * slope * tangent
    return nngp[0, 0], nngp[0, 1], tangent[0, 0]


@pytest.mark.parametrize(("second", "correlation"), [(1.0, 0.3), (1.4, 0.8)])
@pytest.mark.parametrize(("name", "expectations"), [("relu", _arc_cosine), ("erf", _arc_sine)])
def test_recorded_numbers_are_those_of_the_closed_forms(name, expectations, second, correlation):
    expected = _kernels(expectations, second, correlation)
    assert RECORDED[name, second, correlation] == pytest.approx(expected, rel=1e-12)
