"""Kernels of which either side has a structure: a smaller kernel between two matrices that are known."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field, replace

from ..nn import Parameter
from .schemes import Scheme, require_option
from .structured import Orthogonal

Axes = tuple[tuple[int, int], ...]
"""Axes of a kernel, each with how many entries along it belong together."""


@dataclass(frozen=True)
class TwoSided(Scheme):
    """What `Mirrored` and `Centred` have in common.

    Attributes:
        base: the scheme of the smaller kernel.
        inputs: whether inputs have the structure; or how many channels there are, where positions were made features.
        outputs: whether outputs have it.
    """

    base: Scheme = field(default_factory=Orthogonal)
    inputs: bool | int = True
    outputs: bool = True

    @staticmethod
    @abstractmethod
    def rank(size: int) -> int:
        """How many of so many units are free."""

    def inner(self, kernel: Parameter) -> Parameter:
        """The smaller kernel."""
        *window, rows, columns = kernel.shape
        positions = rows // self._size(kernel) if self.inputs else 0
        shape = (
            *window,
            positions * self.rank(self._size(kernel)) or rows,
            self.rank(columns) if self.outputs else columns,
        )
        fans = kernel.fan_in * shape[-2] / rows, kernel.fan_out * shape[-1] / columns
        return replace(kernel, shape=shape, fan_in=fans[0], fan_out=fans[1])

    def _size(self, kernel: Parameter) -> int:
        """How many inputs there are, or at every position."""
        return kernel.shape[-2] if self.inputs is True else int(self.inputs)

    def _axes(self, kernel: Parameter) -> Axes:
        """Those of the sides that have the structure."""
        rank = len(kernel.shape)
        reads = ((rank - 2, self._size(kernel)),) if self.inputs else ()
        return reads + (((rank - 1, kernel.shape[-1]),) if self.outputs else ())

    def _require(self, kernel: Parameter) -> None:
        rows, columns = kernel.shape[-2:]
        reads = not self.inputs or (self._size(kernel) > 1 and rows % self._size(kernel) == 0)
        fits = reads and (not self.outputs or columns > 1) and kernel.groups == 1
        remedy = "Use wider layers, and set inputs=False or outputs=False for a side of one unit."
        require_option(self, fits, "sides of two units or more, without groups", kernel.shape, remedy)
