"""The power of every signal between the kernels of a network."""

from __future__ import annotations

import math
from collections.abc import Callable

from ..nn import Embedding
from . import operating
from .operating import BUDGET, Setting, power_to_add
from .reading import Reading
from .sides import Sides
from .streams import Kernel, Line, Scale, Stream, Stretch

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
        self.sides = Sides(self.kernels)
        self.settings = {name: self._found(line) for name, line in self.sides.lines.items()}

    def _found(self, line: Line) -> Setting:
        active = [k for k in line.kernels if k.reads.is_bent and k.reads.arrives is not None]
        least = NORMALIZED if any(k.reads.normalized for k in active) else 0.0
        layers = [(self.sides.reading(k), k.in_line, k.writes.root.batch) for k in active]
        found = operating.setting([(reading, copies) for reading, copies, _ in layers], least)
        return found if found.fits else found._replace(growth=operating.growth_at(found.power, layers))

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
            power = self._skipped(kernel, main) * _grown(main, kernel.place)
            part *= min(_share(main) / kernel.factor**2, 1.0) if kernel.factor else 1.0
            beside = main.line.branches - 1
        return power * part ** (1 / kernel.turns), beside

    def _skipped(self, kernel: Kernel, main: Stretch) -> float:
        """The power, before any branches, of the signal that a branch which a kernel ends is added to."""
        if self.arriving and kernel.writes.root.raw and not isinstance(kernel.layer, Embedding):
            return self.arriving(Reading(()))
        return self._power(kernel.writes, main) if kernel.reads.is_written else 1.0

    def behind(self, scale: Scale) -> float:
        """The power of what a normalization with a scale gives."""
        return self.setting(scale.stretch).power if scale.ends is None else scale.ends

    def _second(self, kernel: Kernel, power: float) -> float:
        """The mean square of what a kernel reads, in training: dropout adds to it what it takes at random."""
        raw = kernel.reads.raw if self.arriving and not isinstance(kernel.layer, Embedding) else 0.0
        inner = self._of_signal(kernel, power) if raw < 1 else 0.0
        return raw * self._of_input(kernel) + (1 - raw) * inner if raw else inner

    def _of_signal(self, kernel: Kernel, power: float) -> float:
        reading, lost = self.sides.reading(kernel), 1 / kernel.reads.kept - 1
        second = reading.second(power)
        each = self._unit(kernel).second(power) if lost else 0.0
        return (second + lost * each * (2 if reading.mirrored else 1)) * self._rescaling(kernel, power)

    def _of_input(self, kernel: Kernel) -> float:
        """Measured on examples."""
        reading, lost = self.sides.reading(kernel), 1 / kernel.reads.kept - 1
        taken = lost * self._measured(reading._replace(centred=False)) if lost else 0.0
        return self._measured(reading) + taken

    def _measured(self, reading: Reading) -> float:
        assert self.arriving is not None
        return sum(share * self.arriving(part) for share, part in reading.parts)

    def _unit(self, kernel: Kernel) -> Reading:
        """What one unit has, behind the functions that a kernel reads and in front of the scale of a normalization."""
        return Reading(kernel.reads.functions, centred=kernel.reads.is_centred, mixed=kernel.reads.mixed)

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


def _share(stretch: Stretch) -> float:
    """What each branch adds to the power of a signal, so that all of a line make it grow by the budget."""
    return math.log(BUDGET) / stretch.line.branches


def _grown(stretch: Stretch, branches: int) -> float:
    """By what factor the power of a signal has grown after so many of its branches."""
    return (1 + _share(stretch)) ** branches
