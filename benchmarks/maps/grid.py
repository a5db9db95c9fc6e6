"""A table of text, for the terminal or for docs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

TABLES = Path(__file__).parent.parent.parent / "docs/_tables"
"""What pages of the docs include."""


@dataclass(frozen=True)
class Grid:
    """A table of text; the first column is on the left, numbers on the right."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def rich(self) -> Table:
        """For the terminal."""
        table = Table(title=self.title, title_justify="left")
        for i, column in enumerate(self.columns):
            table.add_column(column, justify="right" if i else "left", no_wrap=True)
        for row in self.rows:
            table.add_row(*row)
        return table

    def markdown(self) -> str:
        """For docs."""
        lines = [self.columns, ("---", *["---:"] * (len(self.columns) - 1)), *self.rows]
        return "\n".join((f"**{self.title}**", "", *(f"| {' | '.join(line)} |" for line in lines), ""))


def write(name: str, grids: Iterable[Grid], notes: Iterable[str]) -> Path:
    """Put tables, and under them what they were measured with, where a page of the docs includes them."""
    path = TABLES / f"{name}.md"
    path.write_text("\n".join((*(grid.markdown() for grid in grids), *(f"- {note}" for note in notes), "")))
    return path
