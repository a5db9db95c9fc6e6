"""The power of every signal between the kernels of a network, and which of them are pairs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from ..nn import Embedding
from . import operating
from .operating import BUDGET, Setting, power_to_add
from .points import block
from .reading import Reading, is_centred, is_odd
from .streams import Kernel, Line, Scale, Stream, Stretch

WORTH = 4.0
"""How many times the variance pairs must allow: in exchange, half of the units start with nothing of their own."""

BEARABLE = 10.0
"""By how much gradients, or deviations, may grow over a line whose narrowest layer pairs would halve."""

NORMALIZED = 1e-3
"""The least variance in front of activations that are normalized: far above what normalizations add to it."""


class Powers:
    """What all kernels of a network read and are to write.

    Args:
        kernels: by their paths.
        arriving: the mean square of functions of the input; that of standard normal numbers by default.
    """

    def __init__(self, kernels: dict[str, Kernel], arriving: Callable[[Reading], float] | None = None) -> None:
        self.kernels, self.arriving = list(kernels.values()), arriving
        for kernel in self.kernels:
            if kernel.parameter.shape[-1] == 1:
                block(kernel.writes, "a single unit")
        lines = {id(kernel.stretch.line): kernel.stretch.line for kernel in self.kernels}
        self.paired: set[int] = set()
        for line in lines.values():
            self._pair(line.kernels)
        for line in lines.values():
            if not any(kernel.in_branch for kernel in line.kernels):
                self._widen(line.kernels)
        self.settings = {name: self._found(line) for name, line in lines.items()}

    def _pair(self, kernels: list[Kernel]) -> None:
        """Make pairs of the units that kernels in a line read, if they can work at a much larger variance with them."""
        roots = [k.reads.stream.root for k in kernels if not is_odd(k.reads.functions)]
        able = {id(root) for root in roots if not root.blocked}
        if _merit(self._readings(kernels, able)) > _merit(self._readings(kernels, set()), WORTH):
            self.paired |= able

    def _widen(self, kernels: list[Kernel]) -> None:
        """Make no pairs where they halve a layer narrower than both ends of a line, if the line can bear that."""
        line, held = {id(k) for k in kernels}, _held(kernels)
        shared = {root for k in self.kernels if id(k) not in line for root in _roots(k)}
        ours = {root for root in held if id(root) in self.paired and root not in shared}
        ends = min((size for root, size in held.items() if root not in ours), default=0)
        while narrow := self._narrowest(held):
            if not narrow <= ours or max(held[root] for root in narrow) >= ends or not self._bears(kernels, narrow):
                return
            self.paired -= set(map(id, narrow))
            ours -= narrow
            for root in narrow:
                block(root, "the narrowest layer, which they would halve")

    def _narrowest(self, held: dict[Stream, int]) -> set[Stream]:
        """The streams that hand on the fewest numbers: half as many as they hold, where they are pairs."""
        passed = {root: size // 2 if id(root) in self.paired else size for root, size in held.items()}
        return {root for root, size in passed.items() if size == min(passed.values())}

    def _bears(self, kernels: list[Kernel], without: set[Stream]) -> bool:
        """Whether a line works at a like variance, and nothing in it grows much, without pairs there."""
        fewer = self.paired - set(map(id, without))
        before, after = (operating.setting(self._readings(kernels, pairs)) for pairs in (self.paired, fewer))
        return after.growth <= math.log(BEARABLE) and WORTH * after.power >= before.power

    def _readings(self, kernels: list[Kernel], paired: set[int]) -> list[tuple[Reading, int]]:
        """What kernels in a line read, and by how many each, if these streams are pairs."""
        active = [k for k in kernels if k.reads.functions]
        return [(self.reading(k, id(k.reads.stream.root) in paired), k.in_line) for k in active]

    def _found(self, line: Line) -> Setting:
        active = [k for k in line.kernels if k.reads.functions and k.reads.arrives is not None]
        least = NORMALIZED if any(k.reads.normalized for k in active) else 0.0
        layers = [(self.reading(k), k.in_line, k.writes.root.batch) for k in active]
        found = operating.setting([(reading, copies) for reading, copies, _ in layers], least)
        return found if found.fits else found._replace(growth=operating.growth_at(found.power, layers))

    def reads_pairs(self, kernel: Kernel) -> bool:
        return id(kernel.reads.stream.root) in self.paired

    def writes_pairs(self, kernel: Kernel) -> bool:
        return id(kernel.writes.root) in self.paired

    def reading(self, kernel: Kernel, mirrored: bool | None = None) -> Reading:
        """What a kernel reads: of pairs, where it does, unless told otherwise."""
        pairs = self.reads_pairs(kernel) if mirrored is None else mirrored
        return Reading(kernel.reads.functions, pairs, is_centred(kernel))

    def setting(self, stretch: Stretch | None) -> Setting:
        """What the line of a stretch works at; variance 1 where a signal counts as standard."""
        return Setting() if stretch is None else self.settings.get(id(stretch.line), Setting())

    def _power(self, stream: Stream, stretch: Stretch | None) -> float:
        """The variance of a signal of a stretch, before branches are added."""
        return 1.0 if stream.root.normalized else self.setting(stretch).power

    def _target(self, kernel: Kernel) -> float:
        """The variance of what a kernel writes: the usual one, where none adds what is wanted."""
        power = self.fitting(kernel)
        return self.setting(kernel.branch_of or kernel.stretch).power if power is None else power

    def fitting(self, kernel: Kernel) -> float | None:
        """The variance at which a kernel adds what is wanted of it, behind functions and dropout; None if none does."""
        wanted, beside = self._wanted(kernel)
        return power_to_add(kernel.behind, beside, wanted * kernel.kept)

    def _wanted(self, kernel: Kernel) -> tuple[float, int]:
        """The power that what a kernel writes is to have where it ends, and how many signals are like it there."""
        main, part, beside = kernel.branch_of, kernel.part, kernel.beside
        if main is None:
            power = self._power(kernel.writes, kernel.stretch) if kernel.ends is None else kernel.ends
        else:
            power = self._power(kernel.writes, main) if kernel.reads.is_written else 1.0
            power *= _grown(main, kernel.place)
            part *= min(_share(main) / kernel.factor**2, 1.0) if kernel.factor else 1.0
            beside = main.line.branches - 1
        return power * part ** (1 / kernel.turns), beside

    def behind(self, scale: Scale) -> float:
        """The power of what a normalization with a scale gives."""
        return self.setting(scale.stretch).power if scale.ends is None else scale.ends

    def _second(self, kernel: Kernel, power: float) -> float:
        """The mean square of what a kernel reads, in training: dropout adds to it what it takes at random."""
        reading, lost = self.reading(kernel), 1 / kernel.reads.kept - 1
        if self.arriving and kernel.reads.is_input and not isinstance(kernel.layer, Embedding):
            return self.arriving(reading) / kernel.reads.kept
        if kernel.reads.mixed:
            return sum(share * Reading(f).second(power) for share, f in kernel.reads.mixed) * (1 + lost)
        second = reading.second(power)
        each = self._unit(kernel).second(power) if lost else 0.0
        return (second + lost * each * (2 if reading.mirrored else 1)) * self._rescaling(kernel, power)

    def _unit(self, kernel: Kernel) -> Reading:
        """What one unit has, behind the functions that a kernel reads and in front of the scale of a normalization."""
        return Reading(kernel.reads.functions, centred=kernel.reads.is_centred)

    def _rescaling(self, kernel: Kernel, power: float) -> float:
        """By what the normalization behind the functions that a kernel reads multiplies the power."""
        if kernel.reads.normalized is None:
            return 1.0
        wanted = 1.0 if kernel.reads.scale is None else self.behind(kernel.reads.scale)
        return wanted / self._unit(kernel).second(power)

    def gain(self, kernel: Kernel) -> float:
        """The root mean square of what a kernel writes, over that of what it reads."""
        return math.sqrt(self._target(kernel) / self._second(kernel, self.before(kernel)))

    def before(self, kernel: Kernel) -> float:
        """The variance of what a kernel reads, before the activations."""
        if kernel.reads.scale is not None and kernel.reads.normalized is None:
            return self.behind(kernel.reads.scale)
        power = self._power(kernel.reads.stream, kernel.reads.arrives)
        if kernel.after and kernel.reads.arrives is not None:
            power *= _grown(kernel.reads.arrives, kernel.after)
        return power


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


def _merit(readings: Sequence[tuple[Reading, int]], worth: float = 1.0) -> tuple[float, float]:
    """The variance at which layers can work, times its worth; if there is none, how little the signal grows at best."""
    found = operating.setting(readings)
    return (worth * found.power, 0.0) if found.fits else (0.0, -found.growth)


def _share(stretch: Stretch) -> float:
    """What each branch adds to the power of a signal, so that all of a line make it grow by the budget."""
    return math.log(BUDGET) / stretch.line.branches


def _grown(stretch: Stretch, branches: int) -> float:
    """By what factor the power of a signal has grown after so many of its branches."""
    return (1 + _share(stretch)) ** branches
