"""Draw all samples with the code of the peers and write them into a file; run in an environment that has them.

KERAS_BACKEND=jax python -m peer_draws.theirs samples.npz
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import flax
import jax
import jax.numpy as jnp
import keras
import numpy as np
import torch
from flax import linen, nnx

from .samples import ACTIVATION, SHAPES, Sample, samples

Pair = tuple[Any, Any]
"""Weight (inputs, outputs) and bias of a layer; None where the code says nothing of biases."""

TORCH_SEED, KERAS_SEED, FLAX_SEED = 1, 2, 3


def torch_linear(inputs: int, outputs: int) -> Pair:
    """The default of PyTorch."""
    layer = torch.nn.Linear(inputs, outputs)
    return layer.weight.detach().numpy().T, layer.bias.detach().numpy()


def keras_dense(inputs: int, outputs: int) -> Pair:
    """The default of Keras."""
    layer = keras.layers.Dense(outputs)
    layer.build((None, inputs))
    return tuple(layer.get_weights())


def nnx_linear() -> Callable[[int, int], Pair]:
    """The default of Flax's newer interface."""
    keys = nnx.Rngs(FLAX_SEED)

    def draw(inputs: int, outputs: int) -> Pair:
        layer = nnx.Linear(inputs, outputs, rngs=keys)
        return layer.kernel[...], layer.bias[...]

    return draw


def linen_dense() -> Callable[[int, int], Pair]:
    """The default of Flax's older interface."""
    keys = iter(jax.random.split(jax.random.key(FLAX_SEED), 10_000))

    def draw(inputs: int, outputs: int) -> Pair:
        params = linen.Dense(outputs).init(next(keys), jnp.zeros((1, inputs)))["params"]
        return params["kernel"], params["bias"]

    return draw


def torch_init(fill: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[int, int], Pair]:
    """A function of `torch.nn.init` on a weight, which PyTorch keeps as (outputs, inputs)."""
    return lambda inputs, outputs: (fill(torch.empty(outputs, inputs)).numpy().T, None)


def orthogonal(weight: torch.Tensor) -> torch.Tensor:
    """With the gain of the activation in front of the layer; there is none in front of the first."""
    is_first = tuple(weight.shape) == SHAPES[0][::-1]
    return torch.nn.init.orthogonal_(weight, 1.0 if is_first else torch.nn.init.calculate_gain(ACTIVATION))


DRAWS: dict[str, Callable[[int, int], Pair]] = {
    "torch.nn.Linear": torch_linear,
    "keras.layers.Dense": keras_dense,
    "flax.nnx.Linear": nnx_linear(),
    "flax.linen.Dense": linen_dense(),
    "torch.nn.init.kaiming_normal_": torch_init(torch.nn.init.kaiming_normal_),
    "torch.nn.init.xavier_normal_": torch_init(torch.nn.init.xavier_normal_),
    "torch.nn.init.orthogonal_": torch_init(orthogonal),
}


def numbers(sample: Sample) -> Any:
    """Layer by layer."""
    draw = DRAWS[sample.code]
    return np.concatenate([sample.read(draw(*sample.shape)[sample.is_bias]) for _ in range(sample.layers)])


if __name__ == "__main__":
    torch.manual_seed(TORCH_SEED)
    keras.utils.set_random_seed(KERAS_SEED)
    versions = {library.__name__: np.asarray(library.__version__) for library in (torch, keras, flax)}
    np.savez(sys.argv[1], **versions, **{str(sample): numbers(sample) for sample in samples()})
