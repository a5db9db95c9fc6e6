"""What is known of an input."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import ArrayLike

from ..errors import ArgumentError

REMEDY = "Estimate it from data: capas.Signal.of(x)."


@dataclass(frozen=True)
class Signal:
    """What is known of an input: its moments, alike for all entries.

    Attributes:
        mean: E x.
        second: E x².
        cross: E x y, of the same entry in two independent examples; mean² if entries say nothing about each other.

    Raises `ArgumentError` for moments that no random number has.

    Example:
        >>> import numpy as np
        >>> from capas import Signal
        >>> Signal.standard()
        Signal(mean=0.0, second=1.0, cross=0.0)
        >>> Signal.of(np.array([[0.0, 3.0], [1.0, 4.0]]))
        Signal(mean=2.0, second=6.5, cross=6.0)
    """

    mean: float = 0.0
    second: float = 1.0
    cross: float = 0.0

    def __post_init__(self) -> None:
        if not self.mean**2 * (1 - 1e-9) <= self.cross <= self.second * (1 + 1e-9):
            raise ArgumentError(
                "Signal",
                expected="mean² <= cross <= second",
                got=repr(self),
                remedy=REMEDY,
            )

    @staticmethod
    def standard() -> Signal:
        """Mean 0, variance 1, examples independent."""
        return Signal()

    @staticmethod
    def of(x: ArrayLike) -> Signal:
        """Estimated from examples, shape `(batch, ...)`, at least two."""
        rows = np.asarray(x, np.float64)
        rows = rows.reshape(len(rows), -1)
        if len(rows) < 2:
            raise ArgumentError("Signal.of", expected="at least two examples", got=str(len(rows)), remedy="Give more.")
        second = float(np.square(rows).mean())
        pairs = (np.square(rows.sum(0)).mean() - len(rows) * second) / (len(rows) * (len(rows) - 1))
        mean = float(rows.mean())
        return Signal(mean, second, min(max(float(pairs), mean**2), second))


def given(signal: object) -> Signal:
    """What is known of an input, or the standard signal for None."""
    if signal is None:
        return Signal.standard()
    if isinstance(signal, Signal):
        return signal
    got = f"an object of type {type(signal).__name__}"
    raise ArgumentError("signal", expected="a capas.Signal", got=got, remedy=REMEDY)
