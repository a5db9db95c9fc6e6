"""The plan behind "auto": for every kernel, mirrored or not, orthogonal or delta-orthogonal, and its gain."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from ..errors import located
from ..nn import Conv, Embedding, Layer, WeightStandardized
from ..nn.layer import Shape, joined
from .mirrored import Mirrored
from .operating import BUDGET, Setting, power_to_add, setting
from .points import block
from .reader import read_writers
from .reading import Reading, is_asymmetric, is_centred, is_odd
from .schemes import Constant, Scheme
from .streams import Kernel, Line, Scale, Stretch
from .structured import DeltaOrthogonal, Orthogonal, block_shape

MANY = 4
"""Convolutions in a network from which on kernels start at the centre of their window."""

WORTH = 4.0
"""How many times the variance pairs must allow: in exchange, half of the units start with nothing of their own."""


@dataclass(frozen=True)
class Planned:
    """What was chosen for a kernel.

    Attributes:
        scheme: how it is drawn.
        power: the variance of what it reads, before the activations.
        why: in a few words.
        growth: the log of the factor by which gradients, or deviations, grow over the layers of its stretch.
    """

    scheme: Scheme
    power: float
    why: str
    growth: float = 0.0


def plan(
    network: Layer, shape: Shape, given: Iterable[str] = (), arriving: Callable[[Reading], float] | None = None
) -> dict[str, Planned]:
    """The scheme of every kernel by its path, and why; also of the gain of standardized weights.

    Args:
        network: the description.
        shape: of one example.
        given: paths of kernels whose scheme is chosen by somebody else.
        arriving: the mean square of functions of the input; that of standard normal numbers by default.

    Example:
        >>> from capas import nn
        >>> from capas.weights.plan import plan
        >>> net = nn.Sequential(nn.Dense(64), nn.Repeat(nn.Sequential("tanh", nn.Dense(64)), 100), "tanh", nn.Dense(10))
        >>> for path, planned in plan(net, (64,)).items():
        ...     print(path, f"{planned.power:.4f}", planned.why)
        0/weight 1.0000 orthogonal
        1/block/1/weight 0.0644 orthogonal; variance 0.064, so that gradients grow by 1.5 at most
        3/weight 0.0644 orthogonal; variance 0.064, so that gradients grow by 1.5 at most
    """
    given = frozenset(given)
    kernels, scales = read_writers(network, shape, given)
    planner = Planner(kernels, arriving)
    gains = {
        joined(path.rpartition("/")[0], "gain"): planner.of_standardized(kernel)
        for path, kernel in kernels.items()
        if isinstance(kernel.layer, WeightStandardized) and path not in given
    }
    started = {path: planner.of_scale(scale) for path, scale in scales.items()}
    started = {path: planned for path, planned in started.items() if planned.power != 1}
    return {path: _located(planner, path, kernel) for path, kernel in kernels.items()} | gains | started


class Planner:
    """The choices for all kernels of a network.

    Args:
        kernels: by their paths.
        arriving: as for `plan`.
    """

    def __init__(self, kernels: dict[str, Kernel], arriving: Callable[[Reading], float] | None = None) -> None:
        self.kernels, self.arriving = list(kernels.values()), arriving
        for kernel in self.kernels:
            if kernel.parameter.shape[-1] % 2:
                block(kernel.writes, "an odd number of units")
        self.lines = {id(kernel.stretch.line): kernel.stretch.line for kernel in self.kernels}
        self.paired: set[int] = set()
        for line in self.lines.values():
            self._pair(line.kernels)
        self.settings = {name: setting(self._read_in(line)) for name, line in self.lines.items()}

    def _pair(self, kernels: list[Kernel]) -> None:
        """Make pairs of the units that kernels in a line read, if they can work at a much larger variance with them."""
        able = {id(k) for k in kernels if not k.reads.stream.root.blocked and not is_odd(k.reads.functions)}
        plain, mirrored = (
            [(self._reading(k, id(k) in which), k.in_line) for k in kernels if k.reads.functions]
            for which in (set(), able)
        )
        if _merit(mirrored) > _merit(plain, WORTH):
            self.paired |= {id(k.reads.stream.root) for k in kernels if id(k) in able}

    def _read_in(self, line: Line) -> list[tuple[Reading, int]]:
        active = [k for k in line.kernels if k.reads.functions and k.reads.arrives is not None]
        return [(self._reading(k), k.in_line) for k in active]

    def _reads_pairs(self, kernel: Kernel) -> bool:
        return id(kernel.reads.stream.root) in self.paired

    def _writes_pairs(self, kernel: Kernel) -> bool:
        return id(kernel.writes.root) in self.paired

    def _reading(self, kernel: Kernel, mirrored: bool | None = None) -> Reading:
        pairs = self._reads_pairs(kernel) if mirrored is None else mirrored
        return Reading(kernel.reads.functions, pairs, is_centred(kernel))

    def _setting(self, stretch: Stretch | None) -> Setting:
        """What the line of a stretch works at; variance 1 where a signal counts as standard."""
        return Setting() if stretch is None else self.settings.get(id(stretch.line), Setting())

    def _target(self, kernel: Kernel) -> float:
        """The variance of what a kernel writes: what is wanted of it, before functions and dropout that are behind."""
        wanted, beside = self._wanted(kernel)
        power = power_to_add(kernel.behind, beside, wanted * kernel.kept)
        return self._setting(kernel.branch_of or kernel.stretch).power if power is None else power

    def _wanted(self, kernel: Kernel) -> tuple[float, int]:
        """The power that what a kernel writes is to have where it ends, and how many signals are like it there."""
        main, part, beside = kernel.branch_of, kernel.part, kernel.beside
        if main is None:
            power = self._setting(kernel.stretch).power if kernel.ends is None else kernel.ends
        else:
            power = 1.0 if kernel.reads.arrives is None else self._setting(main).power
            power *= _grown(main, kernel.place)
            part *= min(_share(main) / kernel.factor**2, 1.0) if kernel.factor else 1.0
            beside = main.line.branches - 1
        return power * part ** (1 / kernel.turns), beside

    def _behind(self, scale: Scale) -> float:
        """The power of what a normalization with a scale gives."""
        return self._setting(scale.stretch).power if scale.ends is None else scale.ends

    def _second(self, kernel: Kernel, power: float) -> float:
        """The mean square of what a kernel reads, in training: dropout adds to it what it takes at random."""
        reading, lost = self._reading(kernel), 1 / kernel.reads.kept - 1
        if self.arriving and kernel.reads.is_input and not isinstance(kernel.layer, Embedding):
            return self.arriving(reading) / kernel.reads.kept
        if kernel.reads.mixed:
            return sum(share * Reading(f).second(power) for share, f in kernel.reads.mixed) * (1 + lost)
        second = reading.second(power)
        each = Reading(reading.functions).second(power) if lost else 0.0
        return (second + lost * each * (2 if reading.mirrored else 1)) * self._rescaling(kernel, power)

    def _rescaling(self, kernel: Kernel, power: float) -> float:
        """By what the normalization behind the functions that a kernel reads multiplies the power."""
        if kernel.reads.normalized is None:
            return 1.0
        wanted = 1.0 if kernel.reads.scale is None else self._behind(kernel.reads.scale)
        return wanted / Reading(kernel.reads.functions, centred=is_centred(kernel)).second(power)

    def _gain(self, kernel: Kernel, power: float) -> float:
        """The root mean square of what a kernel writes, over that of what it reads."""
        return math.sqrt(self._target(kernel) / self._second(kernel, power))

    def power_before(self, kernel: Kernel) -> float:
        """The variance of what a kernel reads, before the activations."""
        if kernel.reads.scale is not None and kernel.reads.normalized is None:
            return self._behind(kernel.reads.scale)
        power = self._setting(kernel.reads.arrives).power
        if kernel.after and kernel.reads.arrives is not None:
            power *= _grown(kernel.reads.arrives, kernel.after)
        return power

    def planned(self, kernel: Kernel) -> Planned:
        """What is chosen for one kernel."""
        reads, writes = self._reads_pairs(kernel), self._writes_pairs(kernel)
        power = self.power_before(kernel)
        gain = self._gain(kernel, power)
        channels, rows = kernel.reads.channels, kernel.parameter.shape[-2]
        inputs: bool | int = channels if reads and channels != rows else reads
        pairs = Mirrored(inputs=inputs, outputs=writes)
        drawn = pairs.half(kernel.parameter)
        central = self._is_central(kernel, drawn.shape)
        sides = block_shape(drawn, 1 if central else math.prod(drawn.shape[:-2]))
        scale = gain * math.sqrt(max(sides) / (sides[0] if central else drawn.fan_in))
        base = DeltaOrthogonal(scale) if central else Orthogonal(scale)
        scheme = replace(pairs, base=base) if reads or writes else base
        growth = self._setting(kernel.reads.arrives).growth
        return Planned(scheme, power, self._why(kernel, scheme, power, central), growth)

    def of_standardized(self, kernel: Kernel) -> Planned:
        """The gain of weights that are standardized: they take off the mean of what they read."""
        power = self.power_before(kernel)
        gain = self._gain(kernel, power)
        return Planned(Constant(gain), power, f"gain {gain:.3g}")

    def of_scale(self, scale: Scale) -> Planned:
        """What a normalization multiplies by."""
        power = self._behind(scale)
        return Planned(Constant(math.sqrt(power)), power, f"scale {math.sqrt(power):.3g}")

    def _is_central(self, kernel: Kernel, half: tuple[int, ...]) -> bool:
        """Whether a kernel of a convolution starts as a matrix at the centre of its window."""
        layer = kernel.layer
        if not isinstance(layer, Conv) or layer.groups > 1 or half[-2] < half[-1] or math.prod(half[:-2]) == 1:
            return False
        strides = (layer.stride,) if isinstance(layer.stride, int) else layer.stride
        count = sum(k.copies for k in self.kernels if isinstance(k.layer, Conv))
        return set(strides) == {1} and count >= MANY

    def _why(self, kernel: Kernel, scheme: Scheme, power: float, central: bool) -> str:
        words = ["delta-orthogonal" if central else "orthogonal"]
        if isinstance(scheme, Mirrored):
            pairs = [verb for verb, does in (("reads", scheme.inputs), ("writes", scheme.outputs)) if does]
            words = [f"mirrored {words[0]}, {' and '.join(pairs)} pairs"]
        if is_asymmetric(kernel) and kernel.reads.stream.root.blocked:
            words.append(f"no pairs: {kernel.reads.stream.root.blocked}")
        found = self._setting(kernel.reads.arrives)
        if not found.fits:
            words.append(f"gradients or deviations grow by 1e{found.growth / math.log(10):.1f}, whatever the variance")
        elif power < 1:
            words.append(f"variance {power:.2g}, so that gradients grow by {BUDGET} at most")
        if kernel.reads.unknown:
            words.append(kernel.reads.unknown)
        if kernel.branch_of is not None:
            words.append(f"one of {kernel.branch_of.line.branches} branches")
        return "; ".join(words)


def _located(planner: Planner, path: str, kernel: Kernel) -> Planned:
    with located(path):
        return planner.planned(kernel)


def _merit(readings: Sequence[tuple[Reading, int]], worth: float = 1.0) -> tuple[float, float]:
    """The variance at which layers can work, times its worth; if there is none, how little the signal grows at best."""
    found = setting(readings)
    return (worth * found.power, 0.0) if found.fits else (0.0, -found.growth)


def _share(stretch: Stretch) -> float:
    """What each branch adds to the power of a signal, so that all of a line make it grow by the budget."""
    return math.log(BUDGET) / stretch.line.branches


def _grown(stretch: Stretch, branches: int) -> float:
    """By what factor the power of a signal has grown after so many of its branches."""
    return (1 + _share(stretch)) ** branches
