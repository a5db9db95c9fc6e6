"""What the two sides of every kernel are: pairs of units, or sums of zero."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..nn import Embedding, WeightStandardized
from . import operating
from .points import block
from .reading import Reading, is_centred, is_odd, is_odd_beside_a_constant
from .streams import Kernel, Stream

PAIRS_MUST_GAIN = 4.0
"""How many times the variance pairs must allow: in exchange, half of the units start with nothing of their own."""

TOLERABLE_GROWTH = 10.0
"""By how much gradients, or deviations, may grow over a line that works at a larger variance without pairs, or whose
narrowest layer they would halve."""


class Sides:
    """Which kernels of a network read pairs, and which of them are centred.

    Args:
        kernels: in the order of the computation.

    Attributes:
        lines: that they stand in.
    """

    def __init__(self, kernels: Sequence[Kernel]) -> None:
        self.kernels = kernels
        for kernel in self.kernels:
            if kernel.parameter.shape[-1] == 1:
                block(kernel.writes, "a single unit")
        self.lines = {id(kernel.stretch.line): kernel.stretch.line for kernel in self.kernels}
        self._able = {id(kernel) for kernel in self.kernels if _can_be_centred(kernel)}
        self._paired: set[int] = set()
        for line in self.lines.values():
            self._pair(line.kernels)
        for line in self.lines.values():
            if not any(kernel.in_branch for kernel in line.kernels):
                self._widen(line.kernels)
        self._centred = {id(k.reads.stream.root) for k in self.kernels if self.reads_centred(k)}

    def reads_pairs(self, kernel: Kernel) -> bool:
        return id(kernel.reads.stream.root) in self._paired

    def writes_pairs(self, kernel: Kernel) -> bool:
        return id(kernel.writes.root) in self._paired

    def reads_centred(self, kernel: Kernel) -> bool:
        """Whether it does not see what all that it reads has in common."""
        return id(kernel) in self._able and not self.reads_pairs(kernel)

    def writes_centred(self, kernel: Kernel) -> bool:
        """Whether what it writes sums to zero, for those that read it."""
        wide = kernel.parameter.shape[-1] > 2 and kernel.parameter.groups == 1
        inner = kernel.writes.root.ends is None and not isinstance(kernel.layer, WeightStandardized)
        return wide and inner and id(kernel.writes.root) in self._centred

    def reading(self, kernel: Kernel, mirrored: bool | None = None) -> Reading:
        """What a kernel reads: of pairs, where it does, unless told otherwise."""
        pairs = self.reads_pairs(kernel) if mirrored is None else mirrored
        centred = is_centred(kernel) or (not pairs and id(kernel) in self._able)
        return Reading(kernel.reads.functions, pairs, centred, kernel.reads.mixed)

    def _pair(self, kernels: list[Kernel]) -> None:
        """Make pairs of the units that kernels in a line read, if they can work at a much larger variance with them.

        Where without them what they read grows more, but no more than can be borne, and the variance is larger, none.
        """
        roots = [k.reads.stream.root for k in kernels if id(k) not in self._able and _gains_by_pairs(k)]
        able = {root for root in roots if not root.blocked}
        paired = set(map(id, able))
        own = [k for k in kernels if k.reads.stream.root in able]
        pairs, none = self._setting(own, paired), self._setting(own, set())
        if none.power > pairs.power and none.growth <= math.log(TOLERABLE_GROWTH):
            for root in able:
                block(root, "the variance is larger without")
            return
        if _merit(self._setting(kernels, paired)) > _merit(self._setting(kernels, set()), PAIRS_MUST_GAIN):
            self._paired |= paired

    def _widen(self, kernels: list[Kernel]) -> None:
        """Make no pairs where they halve a layer narrower than both ends of a line, if the line can bear that."""
        line, held = {id(k) for k in kernels}, _held(kernels)
        shared = {root for k in self.kernels if id(k) not in line for root in _roots(k)}
        ours = {root for root in held if id(root) in self._paired and root not in shared}
        ends = min((size for root, size in held.items() if root not in ours), default=0)
        while narrow := self._narrowest(held):
            if not narrow <= ours or max(held[root] for root in narrow) >= ends or not self._bears(kernels, narrow):
                return
            self._paired -= set(map(id, narrow))
            ours -= narrow
            for root in narrow:
                block(root, "the narrowest layer, which they would halve")

    def _narrowest(self, held: dict[Stream, int]) -> set[Stream]:
        """The streams that hand on the fewest numbers: half as many as they hold, where they are pairs."""
        passed = {root: size // 2 if id(root) in self._paired else size for root, size in held.items()}
        return {root for root, size in passed.items() if size == min(passed.values())}

    def _bears(self, kernels: list[Kernel], without: set[Stream]) -> bool:
        """Whether a line works at a like variance, and nothing in it grows much, without pairs there."""
        fewer = self._paired - set(map(id, without))
        before, after = (self._setting(kernels, paired) for paired in (self._paired, fewer))
        return after.growth <= math.log(TOLERABLE_GROWTH) and PAIRS_MUST_GAIN * after.power >= before.power

    def _setting(self, kernels: list[Kernel], paired: set[int]) -> operating.Setting:
        """What kernels in a line work at, if these streams are pairs."""
        active = [k for k in kernels if k.reads.is_bent]
        return operating.setting([(self.reading(k, id(k.reads.stream.root) in paired), k.in_line) for k in active])


def _gains_by_pairs(kernel: Kernel) -> bool:
    """Whether what it reads is not odd, and pairs of its units would not be pairs for ever.

    Behind what is odd but for a constant both units of a pair have one slope, so that every step moves them alike,
    unless dropout takes one of them.
    """
    if is_odd(kernel.reads.functions):
        return False
    return kernel.reads.kept < 1 or not is_odd_beside_a_constant(kernel.reads.functions)


def _can_be_centred(kernel: Kernel) -> bool:
    """Whether it reads what is odd but for a constant, and nothing is in the way: no choice of others, nor the layer.

    Two units that sum to zero would be one for ever. Dropout takes constants at random, which is a noise that centred
    weights do not see the less of.
    """
    free = not kernel.given and kernel.parameter.groups == 1 and not is_centred(kernel) and kernel.reads.kept == 1
    many = kernel.reads.channels > 2 and kernel.parameter.shape[-2] % kernel.reads.channels == 0
    return free and many and bool(kernel.reads.functions) and is_odd_beside_a_constant(kernel.reads.functions)


def _held(kernels: Sequence[Kernel]) -> dict[Stream, int]:
    """How many numbers of an example every stream of a line holds at its narrowest; tokens do not count."""
    found: dict[Stream, int] = {}
    for kernel in kernels:
        for root, size in zip(_roots(kernel), kernel.sizes, strict=True):
            if not (root is kernel.reads.stream.root and isinstance(kernel.layer, Embedding)):
                found[root] = min(size, found.get(root, size))
    return found


def _roots(kernel: Kernel) -> tuple[Stream, Stream]:
    return kernel.reads.stream.root, kernel.writes.root


def _merit(found: operating.Setting, worth: float = 1.0) -> tuple[float, float]:
    """The variance at which layers can work, times its worth; if there is none, how little the signal grows at best."""
    return (worth * found.power, 0.0) if found.fits else (0.0, -found.growth)
