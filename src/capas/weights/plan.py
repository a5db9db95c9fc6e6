"""The plan behind "auto": whether a kernel is mirrored or centred, orthogonal or delta-orthogonal, and its gain."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from ..errors import located
from ..nn import Conv, Layer, WeightStandardized
from ..nn.parameter import Shape
from ..nn.walk import joined
from .centred import Centred
from .mirrored import Mirrored
from .operating import BUDGET
from .powers import Powers
from .reader import read_kernels_and_scales
from .reading import Reading, is_asymmetric
from .schemes import Constant, Scheme
from .streams import Kernel, Scale
from .structured import DeltaOrthogonal, Orthogonal, block_shape

MIN_CONVOLUTIONS = 4
"""Convolutions in a network from which on kernels start at the centre of their window."""


@dataclass(frozen=True)
class Planned:
    """What was chosen for a kernel.

    Attributes:
        scheme: how it is drawn.
        power: the variance of what it reads, before the activations.
        why: in a few words.
        growth: the log of the factor by which gradients, or deviations, grow over the layers of its line.
    """

    scheme: Scheme
    power: float
    why: str
    growth: float = 0.0


def plan(
    network: Layer, shape: Shape, given: Iterable[str] = (), arriving: Callable[[Reading], float] | None = None
) -> dict[str, Planned]:
    """The scheme of every kernel by its path, and why; also of gains of standardized weights, and scales other than 1.

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
    kernels, scales = read_kernels_and_scales(network, shape, given)
    powers = Powers(kernels, arriving)
    planner = Planner(powers)
    gains = {
        joined(path.rpartition("/")[0], "gain"): planner.of_standardized(kernel)
        for path, kernel in kernels.items()
        if isinstance(kernel.layer, WeightStandardized) and path not in given
    }
    scaled = {path: planner.of_scale(scale) for path, scale in scales.items() if powers.behind(scale) != 1}
    return {path: _located(planner, path, kernel) for path, kernel in kernels.items()} | gains | scaled


class Planner:
    """The choices for all kernels of a network.

    Args:
        powers: of the signals.
    """

    def __init__(self, powers: Powers) -> None:
        self.powers = powers

    def planned(self, kernel: Kernel) -> Planned:
        """What is chosen for one kernel."""
        power, gain = self.powers.before(kernel), self.powers.gain(kernel)
        pairs, sums = self._sides(kernel)
        half = pairs.inner(kernel.parameter)
        drawn, central = sums.inner(half), self._is_central(kernel, half.shape)
        shape = block_shape(drawn, 1 if central else math.prod(drawn.shape[:-2]))
        scale = gain * math.sqrt(max(shape) / (shape[0] if central else drawn.fan_in))
        scheme: Scheme = DeltaOrthogonal(scale) if central else Orthogonal(scale)
        for outer in (sums, pairs):
            scheme = replace(outer, base=scheme) if outer.inputs or outer.outputs else scheme
        growth = self.powers.setting(kernel.reads.arrives).growth
        return Planned(scheme, power, self._why(kernel, scheme, power, central), growth)

    def _sides(self, kernel: Kernel) -> tuple[Mirrored, Centred]:
        """On which sides it has pairs, and on which others its sums are zero."""
        sides, channels = self.powers.sides, kernel.reads.channels
        size: bool | int = True if channels == kernel.parameter.shape[-2] else channels
        writes = sides.writes_pairs(kernel)
        pairs = Mirrored(inputs=sides.reads_pairs(kernel) and size, outputs=writes)
        return pairs, Centred(
            inputs=sides.reads_centred(kernel) and size, outputs=sides.writes_centred(kernel) and not writes
        )

    def of_standardized(self, kernel: Kernel) -> Planned:
        """The gain of weights that are standardized: they take off the mean of what they read."""
        power, gain = self.powers.before(kernel), self.powers.gain(kernel)
        return Planned(Constant(gain), power, f"gain {gain:.3g}")

    def of_scale(self, scale: Scale) -> Planned:
        """What a normalization multiplies by."""
        power = self.powers.behind(scale)
        return Planned(Constant(math.sqrt(power)), power, f"scale {math.sqrt(power):.3g}")

    def _is_central(self, kernel: Kernel, half: tuple[int, ...]) -> bool:
        """Whether a kernel of a convolution starts as a matrix at the centre of its window."""
        layer = kernel.layer
        if not isinstance(layer, Conv) or layer.groups > 1 or half[-2] < half[-1] or math.prod(half[:-2]) == 1:
            return False
        strides = (layer.stride,) if isinstance(layer.stride, int) else layer.stride
        count = sum(k.copies for k in self.powers.kernels if isinstance(k.layer, Conv))
        return set(strides) == {1} and count >= MIN_CONVOLUTIONS

    def _why(self, kernel: Kernel, scheme: Scheme, power: float, central: bool) -> str:
        words = ["delta-orthogonal" if central else "orthogonal"]
        if isinstance(scheme.base if isinstance(scheme, Mirrored) else scheme, Centred):
            words = [f"centred {words[0]}"]
        if isinstance(scheme, Mirrored):
            pairs = [verb for verb, does in (("reads", scheme.inputs), ("writes", scheme.outputs)) if does]
            words = [f"mirrored {words[0]}, {' and '.join(pairs)} pairs"]
        if is_asymmetric(kernel) and kernel.reads.stream.root.blocked and not self.powers.sides.reads_centred(kernel):
            words.append(f"no pairs: {kernel.reads.stream.root.blocked}")
        found = self.powers.setting(kernel.reads.arrives)
        if not found.fits:
            words.append(f"gradients or deviations grow by 1e{found.growth / math.log(10):.1f}, whatever the variance")
        elif power < 1:
            words.append(f"variance {power:.2g}, so that gradients grow by {BUDGET} at most")
        if kernel.reads.unknown:
            words.append(kernel.reads.unknown)
        if kernel.branch_of is not None:
            count = kernel.branch_of.line.branches
            words.append("the only branch" if count == 1 else f"one of {count} branches")
        if self.powers.fitting(kernel) is None:
            words.append(f"{kernel.behind[-1]!r} behind it cannot have the power that is wanted")
        return "; ".join(words)


def _located(planner: Planner, path: str, kernel: Kernel) -> Planned:
    with located(path):
        return planner.planned(kernel)
