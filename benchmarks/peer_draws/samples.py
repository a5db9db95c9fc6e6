"""What is drawn on both sides: which numbers, and how many of them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

NUMBERS = 100_000
"""Of each sample, at least."""

ACTIVATION = "relu"
"""Of the network; of what is compared, only the gain of orthogonal weights depends on it."""

SHAPES = ((784, 64), (64, 64), (64, 10))
"""Inputs and outputs of the first, the hidden and the last layers of the maps."""

WEIGHTS = {
    "torch.nn.Linear": "pytorch",
    "keras.layers.Dense": "keras",
    "flax.nnx.Linear": "flax",
    "flax.linen.Dense": "flax",
    "torch.nn.init.kaiming_normal_": "he",
    "torch.nn.init.xavier_normal_": "glorot",
    "torch.nn.init.orthogonal_": "orthogonal",
}
"""The peer's code, and the name that its weights have on the maps."""

PARAMETERS = {
    "pytorch": ("weight", "bias"),
    "keras": ("weight", "zero bias"),
    "flax": ("weight", "zero bias"),
    "he": ("weight",),
    "glorot": ("weight",),
    "orthogonal": ("weight", "diagonal", "singular values"),
}
"""What is compared. The entries of an orthogonal matrix depend on each other, weakly: those of a column have a fixed
sum of squares, so that their standard deviation varies less than its error says. Singular values, all equal, are
compared as well; and the diagonal, in which a QR decomposition without corrected signs shows."""


@dataclass(frozen=True)
class Sample:
    """Numbers of one kind.

    Attributes:
        code: of the peer, a key of `WEIGHTS`.
        parameter: one of `PARAMETERS`.
        shape: inputs and outputs of the layers.
    """

    code: str
    parameter: str
    shape: tuple[int, int]

    def __str__(self) -> str:
        return f"{self.code} {self.parameter} {self.shape[0]}->{self.shape[1]}"

    @property
    def is_bias(self) -> bool:
        """Whether the numbers are read off biases."""
        return self.parameter.endswith("bias")

    @property
    def layers(self) -> int:
        """How many layers are drawn. What is the same in all of them takes no more than their weights do."""
        sizes = {"bias": self.shape[1], "diagonal": min(self.shape)}
        return math.ceil(NUMBERS / sizes.get(self.parameter, math.prod(self.shape)))

    def read(self, arrays: Any) -> Any:
        """The numbers of weights (..., inputs, outputs) or of biases (..., outputs)."""
        if self.parameter == "diagonal":
            return np.diagonal(arrays, axis1=-2, axis2=-1).ravel()
        if self.parameter == "singular values":
            return np.linalg.svd(arrays, compute_uv=False).ravel()
        return np.ravel(arrays)


def samples() -> Iterator[Sample]:
    """All of them."""
    for code, weights in WEIGHTS.items():
        for parameter, shape in product(PARAMETERS[weights], SHAPES):
            yield Sample(code, parameter, shape)
