"""One grammar for what goes wrong: who, where, what was expected, what came, what usually helps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any


class CapasError(Exception):
    """`Subject 'path': expected E, got G. Remedy.`

    The path is filled in from the inside out: every container that an error passes through adds its child's name
    (see `located`), so a layer reports what it knows and never where it stands.
    """

    def __init__(self, subject: str, *, expected: str, got: str, remedy: str) -> None:
        Exception.__init__(self, subject, expected, got, remedy)
        self.subject, self.expected, self.got, self.remedy = subject, expected, got, remedy
        self.path: tuple[str, ...] = ()

    def __reduce__(self) -> tuple[Any, ...]:
        """An exception with keywords cannot be pickled as it is; worker processes send theirs home that way."""
        words = {"expected": self.expected, "got": self.got, "remedy": self.remedy}
        return partial(type(self), self.subject, **words), (), vars(self)

    def __str__(self) -> str:
        place = f"{self.subject} {'/'.join(self.path)!r}" if self.path else self.subject
        return f"{place}: expected {self.expected}, got {self.got}. {self.remedy}"


class ShapeError(CapasError, ValueError):
    """An array, or the shape of one, does not fit."""


class ArgumentError(CapasError, ValueError):
    """An option that is unknown, out of range, or at odds with another."""


class DataError(CapasError, ValueError):
    """Data that cannot be used: not finite, out of range, of the wrong kind, missing."""


class MissingExtraError(CapasError, ImportError):
    """A part of capas needs an optional package that is not installed."""


class NotFiniteError(CapasError, ArithmeticError):
    """The loss stopped being a finite number.

    Attributes:
        model: the model of the last good step; None outside training.
        history: what training recorded up to there; None outside training.
    """

    model: Any = None
    history: Any = None


@contextmanager
def located(name: str) -> Iterator[None]:
    """Put `name` in front of the path of any `CapasError` that leaves the block."""
    try:
        yield
    except CapasError as error:
        error.path = (name, *error.path)
        raise


def missing_extra(feature: str, extra: str, error: ImportError) -> MissingExtraError:
    """The error that names the extra which brings what `feature` needs."""
    return MissingExtraError(
        feature,
        expected=f"the package {error.name!r} to be installed",
        got="none",
        remedy=f"Install it with: pip install 'capas[{extra}]'",
    )
