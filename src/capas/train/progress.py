"""What training shows while it runs: a live line on a terminal, one line per epoch elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class Display:
    """Shows one epoch after another. `quiet` shows nothing."""

    def __init__(self, epochs: int, steps: int | None, quiet: bool) -> None:
        self._console = Console(quiet=quiet)
        self._epochs, self._steps = epochs, steps
        self._bar: Progress | None = None
        self._task: Any = None

    def __enter__(self) -> Display:
        if self._console.is_terminal and not self._console.quiet:
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self._bar = Progress(*columns, TextColumn("{task.fields[shown]}"), console=self._console, transient=True)
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def start_epoch(self, epoch: int) -> None:
        """Begin the bar of an epoch, counted from 0."""
        if self._bar is not None:
            if self._task is not None:
                self._bar.remove_task(self._task)
            self._task = self._bar.add_task(f"epoch {epoch + 1}/{self._epochs}", total=self._steps, shown="")

    def advance(self, steps: int, values: Mapping[str, float]) -> None:
        """Some steps are done; `values` are the means over the epoch so far."""
        if self._bar is not None:
            self._bar.update(self._task, advance=steps, shown=_text(values))

    def end_epoch(self, record: Mapping[str, Any]) -> None:
        """Print what an epoch gave."""
        values = {k: v for k, v in record.items() if k not in {"epoch", "step", "seconds"}}
        self._console.print(
            f"epoch {record['epoch']}/{self._epochs}  {_text(values)}  {record['seconds']:.1f} s",
            highlight=False,
            soft_wrap=True,
        )


def _text(values: Mapping[str, float]) -> str:
    return "  ".join(f"{name} {value:.4f}" for name, value in values.items())
