"""An array whose entries are random: the law of one of them, and what each axis ranges over."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np

from .gradient import Gradient
from .latent import Latent, Part, Source
from .law import ONE, Law, constant, normal
from .quadrature import Numbers

Role = Literal["batch", "position", "feature", "weight", "one"]
"""Examples; places of a signal; units of a layer; entries of a parameter; an axis along which all is one number."""

ORDER: dict[Role, int] = {"one": 0, "weight": 1, "feature": 2, "position": 3, "batch": 4}

Content = Any
"""The law of a signal, or that of a gradient."""


@dataclass(frozen=True, eq=False)
class Field:
    """A random array. Along features and weights entries are independent; along positions they are sites of one law.

    Attributes:
        shape: of the array.
        roles: what each axis ranges over.
        blocks: along the features, how many have which law.
        array: the numbers, if it is a parameter that has some.
        centred: axes along which a parameter sums to zero.
        mean_of: the law and axes of the parameter that it is the mean of.
        product: of the gradient of a parameter, the signal and the gradient that it is the product of, and how many
            examples it is a sum over.
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
    mean_of: tuple[Any, frozenset[int]] | None = None
    product: tuple[Any, Any, int] | None = None
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


@dataclass(frozen=True)
class Entries:
    """A parameter of which only the law is known: independent entries. It stands in a tree of parameters for an array.

    Attributes:
        shape: of the array.
        mean: of an entry.
        std: its standard deviation.
        delta: whether it is the kernel of a convolution that is zero but for the centre of its window.
        dtype: of the array.

    Example:
        >>> from capas.signal import Entries
        >>> Entries((256, 256), std=1 / 16)
        Entries(shape=(256, 256), mean=0.0, std=0.0625, delta=False, dtype='float32')
    """

    shape: tuple[int, ...]
    mean: float = 0.0
    std: float = 0.0
    delta: bool = False
    dtype: str = "float32"


def of_leaf(leaf: Any) -> Any:
    """A parameter from its law or its numbers; whole numbers and booleans are known."""
    if isinstance(leaf, Entries):
        return replace(of_law(leaf.mean, leaf.std, leaf.shape), delta=leaf.delta)
    array = np.asarray(leaf)
    return (
        of_array(array) if array.dtype.kind == "f" or (array.dtype.itemsize == 2 and array.dtype.kind == "V") else array
    )


def of_array(array: np.ndarray[Any, Any]) -> Field:
    """A parameter from its numbers: independent entries of their mean and variance; a constant, if all are equal.

    A mean within 5 standard errors of zero counts as zero: it is that of one draw, and not of the law.
    """
    values = np.asarray(array, np.float64)
    first = values.flat[0] if values.size else 0.0
    if (values == first).all():
        return replace(of_law(float(first), 0.0, values.shape), array=values)
    mean, std = float(values.mean()), float(values.std())
    return replace(of_law(*_rounded(mean, std, values.size), values.shape), array=values)


def of_law(mean: float, std: float, shape: tuple[int, ...]) -> Field:
    """A parameter from its law: independent entries of this mean and standard deviation."""
    return whole(parameter(mean, std), shape, ["weight" if n > 1 else "one" for n in shape])


def parameter(mean: float, std: float) -> Law:
    """An entry of a parameter: the same for all examples, drawn once for each unit."""
    if std == 0 or std <= 1e-12 * abs(mean):
        return constant(mean)
    return Law(np.full((1, 1), mean), {normal(Latent((Part(Source(True), ONE),))): np.full((1, 1), std)})


def _rounded(mean: float, std: float, size: int) -> tuple[float, float]:
    if size > 1 and abs(mean) < 5 * std / size**0.5:
        return 0.0, float(np.hypot(mean, std))
    return mean, std


def slice_of(value: Field, i: int) -> Field:
    """One step of a stacked parameter, whose numbers are drawn apart from those of other steps."""
    shape, roles, root = value.shape[1:], value.roles[1:], (value.root, i)
    if value.array is None:
        law = value.law
        std = float(np.sqrt(law.variance[0]))
        return replace(whole(parameter(float(law.mean[0]), std), shape, roles), root=root)
    mean, std = (float(moment[i]) for moment in value.steps)
    return replace(whole(parameter(*_rounded(mean, std, math.prod(shape))), shape, roles), root=root)
