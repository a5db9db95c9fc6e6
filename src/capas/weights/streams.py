"""Streams: the signals between kernels, and where every kernel stands."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..nn import Activation, Layer, Parameter, RMSNorm

Functions = tuple[Activation, ...]
"""Elementwise functions, one after another."""


@dataclass(eq=False)
class Stream:
    """Signals whose units are pairs all together or not at all: they are added up, or read by one kernel in turn.

    Attributes:
        blocked: why the units cannot be pairs; empty if they can.
        ends: its power where it is the network's output; None where it is not.
        normalized: whether a normalization reads it as it is; its power is 1 then.
        batch: whether a batch normalization does, which also takes off what all examples have in common.
        raw: whether the network's input is among them.
    """

    blocked: str = ""
    ends: float | None = None
    normalized: bool = False
    batch: bool = False
    raw: bool = False
    _into: Stream | None = None

    @property
    def root(self) -> Stream:
        """What stands for all streams that are joined with it."""
        root = self
        while root._into is not None:
            root = root._into
        return root

    def join(self, other: Stream) -> Stream:
        """Make two streams one."""
        one, two = self.root, other.root
        if one is not two:
            two._into = one
            one.blocked, one.ends = one.blocked or two.blocked, two.ends if one.ends is None else one.ends
            one.normalized, one.batch = one.normalized or two.normalized, one.batch or two.batch
            one.raw = one.raw or two.raw
        return one


@dataclass(eq=False)
class Line:
    """The network, or a branch: what gradients go back through.

    Attributes:
        kernels: of all its stretches, in the order of the computation.
        branches: how many are added to its signal on the way.
    """

    kernels: list[Kernel] = field(default_factory=list)
    branches: int = 0


@dataclass(eq=False)
class Stretch:
    """A part of a line between normalizations.

    Attributes:
        line: what it is a part of.
        kernels: in the order of the computation.
        branches: how many branches are added to its signal on the way.
    """

    line: Line = field(default_factory=Line)
    kernels: list[Kernel] = field(default_factory=list)
    branches: int = 0

    def add_branches(self, count: int) -> None:
        """Count branches that are added to its signal, or are not after all."""
        self.branches += count
        self.line.branches += count


@dataclass(frozen=True, eq=False)
class Place:
    """Where an activation stands that reads a standard signal.

    Attributes:
        path: its path.
        line: the network, or the branch, that it is a part of.
        copies: how many there are of it, one after another; a share of one, where several stand side by side.
    """

    path: str
    line: Line
    copies: float


@dataclass(frozen=True)
class Point:
    """A place between layers.

    Attributes:
        stream: the signal.
        functions: what it has gone through since it was written.
        arrives: the stretch whose variance it has; None where it counts as standard.
        channels: size of its last axis before positions were made features.
        raw: the share of the units that are the network's input, or functions of it.
        is_written: whether a kernel has written it, or what it was made of.
        since: how many branches had been added to its stretch when it was written.
        standard: whether it counts as standard: the input, what a kernel or a normalization gave, or a sum of such.
        places: the activations on standard signals that it has gone through since it was written.
        kept: the share of the numbers that dropout has left since it was written.
        mixed: where parts of the units have gone through different functions, these instead, each with its share.
        normalized: the normalization that stands behind the functions.
        scale: what the last normalization multiplies by; None if it does not, or the signal was written since.
        unknown: why its power is not known, and taken to be 1; empty where it is.
    """

    stream: Stream
    functions: Functions
    arrives: Stretch | None
    channels: int
    raw: float = 0.0
    is_written: bool = False
    since: int = 0
    standard: bool = True
    places: tuple[Place, ...] = ()
    kept: float = 1.0
    mixed: tuple[tuple[float, Functions], ...] = ()
    normalized: Layer | None = None
    scale: Scale | None = None
    unknown: str = ""

    @property
    def is_centred(self) -> bool:
        """Whether a normalization behind the functions takes the mean off."""
        return self.normalized is not None and not isinstance(self.normalized, RMSNorm)

    @property
    def is_input(self) -> bool:
        """Whether it is the network's input, or functions of it."""
        return self.raw == 1

    @property
    def is_bent(self) -> bool:
        """Whether it is behind functions."""
        return bool(self.functions or self.mixed)

    @property
    def chains(self) -> tuple[Functions, ...]:
        """All functions, one after another, that some of the units have gone through."""
        return self.functions, *(functions for _, functions in self.mixed)


@dataclass(eq=False)
class Scale:
    """What a normalization multiplies by.

    Attributes:
        stretch: what begins behind it.
        copies: how many there are of it, one after another.
        ends: the power that it gives to the network's output or to a branch that ends with it; None where the signal
            goes on.
    """

    stretch: Stretch
    copies: int
    ends: float | None = None


@dataclass(eq=False, kw_only=True)
class Kernel:
    """A kernel and where it stands.

    Attributes:
        parameter: its declaration.
        layer: the layer that has it.
        reads: the place in front of it.
        writes: the stream that it writes.
        stretch: what it belongs to.
        sizes: how many numbers of an example it reads, and writes.
        given: whether somebody else chooses its scheme.
        copies: how many there are of it, one after another.
        in_line: how many of them follow one another in its line: copies of a branch stand side by side. A share of one,
            where kernels of one line do.
        in_stretch: how many of them follow one another in its stretch: a normalization in a loop ends one every time.
        after: how many branches were added to what it reads.
        in_branch: whether it stands in a branch that is added to the signal.
        branch_of: the stretch that it is added to, if it is the last one of a branch.
        factor: what the network multiplies the branch by.
        place: how many branches were added before that one, where it reads the signal as it is.
        behind: the functions that what it writes goes through before it is added to other signals.
        kept: what dropout leaves of it there.
        beside: how many signals like it are added with it, if not to the signal of a stretch.
        part: the power that it is to add, for a sum of power 1.
        turns: how many copies of it follow one another in front of the sum; each brings the power nearer to its part.
    """

    parameter: Parameter
    layer: Layer
    reads: Point
    writes: Stream
    sizes: tuple[int, int]
    given: bool
    stretch: Stretch
    copies: int
    in_line: float
    in_stretch: int
    after: int
    in_branch: bool
    branch_of: Stretch | None = None
    factor: float = 1.0
    place: int = 0
    behind: Functions = ()
    kept: float = 1.0
    beside: int = 0
    part: float = 1.0
    turns: int = 1

    @property
    def repeats(self) -> bool:
        """Whether it reads what it writes, copy after copy."""
        return self.copies > 1 and self.reads.stream.root is self.writes.root

    @property
    def ends(self) -> float | None:
        """The power of what it writes, if that is the network's output; None if it goes on."""
        return None if self.repeats else self.writes.root.ends
