"""An array whose entries are random: the law of one of them, and what each axis ranges over."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np

from .gradient import Gradient
from .quadrature import Numbers

Role = Literal["batch", "position", "feature", "weight", "one"]
"""Examples; places of a signal; units of a layer; entries of a parameter; an axis along which all is one number."""

ORDER: dict[Role, int] = {"one": 0, "weight": 1, "feature": 2, "position": 3, "batch": 4}

Content = Any
"""The law of a signal, or that of a gradient."""


class Pairs(NamedTuple):
    """Entries of a parameter of which one half is the negative of the other.

    Attributes:
        size: how many belong together: the two halves, and one more if they are odd in number.
        alone: whether that one is a draw like others, and not 0.
    """

    size: int
    alone: bool


@dataclass(frozen=True, eq=False)
class Field:
    """A random array. Along features and weights entries are independent; along positions they are sites of one law.

    Attributes:
        shape: of the array.
        roles: what each axis ranges over.
        blocks: along the features, how many have which law.
        array: the numbers, if it is a parameter that has some.
        centred: axes along which a parameter sums to zero.
        heard: axes along which it sums to more or less than independent entries would, with the share of that in power.
        mean_of: the law and axes of the parameter that it is the mean of.
        product: of the gradient of a parameter, the signal and the gradient that it is the product of, and how many
            examples it is a sum over.
        mirrored: of a parameter, the axes along which its entries are pairs.
        orthogonal: whether the matrix that a parameter is keeps the norm of what it is multiplied with.
        delta: whether it is a kernel that is zero but for the centre of its window.
        flipped: whether the order of its entries was turned around.
        root: what stands for the parameter that it is, also after its axes were moved.
        order: where its axes were there; nothing if they are as they were.
    """

    shape: tuple[int, ...]
    roles: tuple[Role, ...]
    blocks: tuple[tuple[int, Content], ...]
    array: np.ndarray[Any, Any] | None = field(default=None, repr=False)
    centred: frozenset[int] = frozenset()
    heard: Mapping[int, float] = field(default_factory=dict)
    mean_of: tuple[Any, frozenset[int]] | None = None
    product: tuple[Any, Any, int] | None = None
    mirrored: Mapping[int, Pairs] = field(default_factory=dict)
    orthogonal: bool = False
    delta: bool = False
    flipped: bool = False
    root: object = field(default_factory=object, repr=False)
    order: tuple[int, ...] = ()

    @property
    def law(self) -> Any:
        """The law of an entry, where all features have one."""
        if len(self.blocks) > 1:
            raise Mixed
        return self.blocks[0][1]

    def rooted(self, axes: Sequence[int]) -> tuple[int, ...]:
        """Where axes were before they were moved."""
        return tuple(sorted(self.order[i] if self.order else i for i in axes))

    @property
    def is_gradient(self) -> bool:
        return any(isinstance(content, Gradient) for _, content in self.blocks)

    @property
    def is_weight(self) -> bool:
        """Whether it is a parameter: nothing in it depends on examples."""
        return set(self.roles) <= {"weight", "one"}

    @property
    def grid(self) -> tuple[int, ...]:
        """Sizes of the axes that are positions."""
        return tuple(n for n, role in zip(self.shape, self.roles, strict=True) if role == "position")

    @property
    def sites(self) -> int:
        """Number of positions."""
        return math.prod(self.grid)

    def map(self, function: Callable[[Any], Content], **changes: Any) -> Field:
        """The same axes, other laws."""
        blocks = tuple((width, function(content)) for width, content in self.blocks)
        return replace(self, blocks=blocks, array=None, **changes)

    def moment(self, name: str) -> float:
        """A moment, averaged over sites and features."""
        if len(self.blocks) == 1 and len(values := getattr(self.blocks[0][1], name)) == 1:
            return float(values[0])
        total = sum(width for width, _ in self.blocks)
        return float(sum(width * getattr(content, name).mean() for width, content in self.blocks) / total)

    @cached_property
    def steps(self) -> tuple[Numbers, Numbers]:
        """Mean and standard deviation of every slice along the first axis of a parameter."""
        assert self.array is not None
        rows = self.array.reshape(len(self.array), -1)
        mean, second = rows.mean(1), np.einsum("ij,ij->i", rows, rows) / rows.shape[1]
        return mean, np.sqrt(np.maximum(second - mean**2, 0.0))


class Mixed(Exception):  # noqa: N818
    """Features of different laws where one law is wanted."""


def whole(law: Content, shape: tuple[int, ...], roles: Sequence[Role]) -> Field:
    """A field of one law."""
    width = math.prod(n for n, role in zip(shape, roles, strict=True) if role == "feature")
    return Field(tuple(shape), tuple(roles), ((width, law),))
