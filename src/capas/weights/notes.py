"""What is noted of a network while it is read: its kernels, its scales, and where the reading stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

from ..nn import Layer, Parameter
from ..nn.walk import joined
from .streams import Kernel, Place, Point, Scale, Stream, Stretch

T = TypeVar("T")


class Notes:
    """The notes of one reading.

    Args:
        given: paths of kernels whose scheme is given.
    """

    def __init__(self, given: frozenset[str]) -> None:
        self.given = given
        self.kernels: dict[str, Kernel] = {}
        self.scales: dict[str, Scale] = {}
        self.stretch, self.copies = Stretch(), 1
        self._outside, self._within, self._inside = 1, 1, False
        self._beside = 1

    def kernel(
        self, path: str, parameter: Parameter, layer: Layer, sizes: tuple[int, int], reads: Point, writes: Stream
    ) -> None:
        """Note a kernel where the reading stands."""
        kernel = Kernel(
            parameter=parameter,
            layer=layer,
            reads=reads,
            writes=writes,
            sizes=sizes,
            given=path in self.given,
            stretch=self.stretch,
            copies=self.copies,
            in_line=self._in_line,
            in_stretch=self.copies // self._within,
            after=reads.arrives.branches - reads.since if reads.arrives is not None else 0,
            in_branch=self._inside,
        )
        self.kernels[path] = kernel
        self.stretch.kernels.append(kernel)
        self.stretch.line.kernels.append(kernel)

    def place(self, path: str) -> Place:
        """Where an activation stands."""
        return Place(path, self.stretch.line, self._in_line)

    @property
    def _in_line(self) -> float:
        """How many copies of what is there follow one another in its line; of several side by side all count as one."""
        return self.copies / self._outside / self._beside

    def normalized(self, path: str, scaled: bool) -> Scale | None:
        """Begin a stretch behind a normalization; its scale, the same one in all readings."""
        self.stretch, self._within = Stretch(self.stretch.line), self.copies
        if not scaled:
            return None
        scale = self.scales.setdefault(joined(path, "scale"), Scale(self.stretch, self.copies))
        scale.stretch = self.stretch
        return scale

    @contextmanager
    def repeated(self, copies: int) -> Iterator[None]:
        """Inside, everything is there so many times."""
        self.copies *= copies
        yield
        self.copies //= copies
        self._within = min(self._within, self.copies)

    @contextmanager
    def side_by_side(self, count: int) -> Iterator[None]:
        """Inside, the reading is in one of so many branches of a line."""
        self._beside *= count
        yield
        self._beside //= count

    @contextmanager
    def branch(self) -> Iterator[Stretch]:
        """Inside, the reading is in a branch, which is a line of its own; gives the stretch that it is added to."""
        main, self.stretch = self.stretch, Stretch()
        before_it = self._inside, self._outside, self._within, self._beside
        self._inside, self._outside, self._within, self._beside = True, self.copies, self.copies, 1
        yield main
        self.stretch, (self._inside, self._outside, self._within, self._beside) = main, before_it

    def under(self, path: str) -> list[Kernel]:
        """The kernels under a path."""
        return list(_under(path, self.kernels).values())

    def forget(self, path: str) -> dict[str, Point]:
        """Take back what was noted of the layers under a path: they are read again, behind themselves.

        Returns what every kernel read.
        """
        forgotten = _under(path, self.kernels)
        for name, kernel in forgotten.items():
            del self.kernels[name]
            kernel.stretch.kernels.remove(kernel)
            kernel.stretch.line.kernels.remove(kernel)
            if kernel.branch_of is not None:
                kernel.branch_of.add_branches(-kernel.copies // kernel.turns)
        return {name: kernel.reads for name, kernel in forgotten.items()}

    def last_of(self, path: str, end: Point) -> Iterator[Kernel]:
        """Kernels that give a branch under a path the power that it ends with, and not a normalization behind them.

        With each is noted what follows it there.
        """
        if end.normalized is not None or end.stream.root.normalized:
            return
        for kernel in self.under(path):
            if kernel.writes.root is end.stream.root and kernel.branch_of is None:
                kernel.behind, kernel.kept, kernel.turns = end.functions, end.kept, kernel.copies // self.copies
                yield kernel

    def end(self, path: str, end: Point) -> None:
        """What is under a path ends here: with a scale of 1, where a normalization under it is the last.

        A scale that a loop in it repeats is left: what is behind the other copies goes on.
        """
        for scale in _under(path, self.scales).values():
            if scale is end.scale and scale.copies == self.copies:
                scale.ends = 1.0


def _under(path: str, found: Mapping[str, T]) -> dict[str, T]:
    return {name: value for name, value in found.items() if not path or name.startswith(f"{path}/")}
