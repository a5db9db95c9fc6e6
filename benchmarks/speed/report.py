"""The tables of what was measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from maps.grid import Grid, write
from rich.console import Console

from .contestants import CONTESTANTS, OURS
from .figures import (
    JAX_PEERS,
    PEERS,
    Figures,
    Record,
    best,
    fastest,
    means,
    overhead,
    provenance,
    rate,
    ratio,
    refusals,
    share,
    spread,
)
from .material import ROWS
from .tasks import EPOCHS as WHOLE
from .tasks import STEPS as TRAINING

WIDTH = 160
"""Of the widest table: in less, a terminal that can scroll is of more use than cut-off numbers."""

OVERVIEW = (
    "training steps, float32: ours, the best peer, time of the best peer (and of the best with JAX) / ours; "
    "in brackets the spread, the fastest start with JAX and the least memory of the peers"
)
STEPS, EPOCHS = TRAINING.name, WHOLE.name

Show = Callable[[Record, Record], str]
"""A cell from the record of a workload and the figure of a peer."""


def print_grids(grids: Iterable[Grid], records: dict[int, Record], tasks: Iterable[str], page: str) -> None:
    """Print tables, means over workloads, who refused, and what it was measured on; into a page of the docs, if any."""
    console = Console(highlight=False, soft_wrap=True)
    console.width = max(console.width, WIDTH)
    tables, lines = [*grids], [line for task in tasks for line in means(records, task)]
    lines += [*refusals(records), *provenance(records)]
    for grid in tables:
        console.print(grid.rich())
    console.print(*lines, sep="\n", markup=False)
    if page:
        console.print(f"written: {write(page, tables, lines)}")


def of_training(records: dict[int, Record]) -> Iterator[Grid]:
    """All tables of training."""
    yield overview(records)
    yield by_peer("steps a second (half the range of the rounds)", records, STEPS, lambda _, f: _rate(f, STEPS))
    yield by_peer("share of the float32 limit", records, STEPS, lambda record, f: f"{share(record, f, STEPS):.0%}")
    yield by_peer("seconds from the start of the process to the end of the first step", records, STEPS, _first)
    yield by_peer("peak memory, MB", records, STEPS, lambda _, f: f"{f['megabytes']:.0f}")


def of_epochs(records: dict[int, Record]) -> Iterator[Grid]:
    """Seconds, and what is more than the bare steps."""
    yield by_peer(f"seconds for {ROWS:,} examples (half the range of the rounds)", records, EPOCHS, _seconds)
    yield by_peer("an epoch over its bare steps", records, EPOCHS, lambda record, f: f"{overhead(record, f):+.0%}")


def _seconds(_: Record, figure: Record) -> str:
    return f"{1 / rate(figure, EPOCHS):.2f} (±{spread(figure, EPOCHS):.0%})"


def of_inference(records: dict[int, Record], rows: Iterable[int], tasks: Iterable[str]) -> Iterator[Grid]:
    """For each size of the batch, rows a second and the ratio."""
    for count, task in zip(rows, tasks, strict=True):
        show: Show = lambda _, f, n=count, t=task: f"{n * rate(f, t):,.0f} (±{spread(f, t):.0%})"  # noqa: E731
        grid = by_peer(f"rows a second, {count} at a time", records, task, show)
        ratios = [_times(ratio(fastest(record, task), task)) for record in records.values()]
        lines = tuple((*row, times) for row, times in zip(grid.rows, ratios, strict=True))
        yield Grid(grid.title, (*grid.columns, "best peer's time / ours"), lines)


def by_peer(title: str, records: dict[int, Record], task: str, show: Show) -> Grid:
    """One figure, workload by peer."""
    figures = {number: fastest(record, task) for number, record in records.items()}
    peers = [p for p in dict.fromkeys(c.peer for c in CONTESTANTS) if any(p in found for found in figures.values())]
    rows = []
    for number, record in records.items():
        found = figures[number]
        cells = (show(record, found[peer]) if peer in found else "" for peer in peers)
        rows.append((f"{number} {record['title']}", *cells))
    return Grid(title, ("workload", *peers), tuple(rows))


def overview(records: dict[int, Record]) -> Grid:
    """Ours beside the best of the others, for each figure of training."""
    ours = ("GFLOP", "ours, steps/s", "of limit")
    theirs = ("best peer", "steps/s", "ratio", "ratio, JAX", "first step, s", "memory, MB")
    rows = tuple(_line(number, record, fastest(record, STEPS)) for number, record in records.items())
    return Grid(OVERVIEW, ("workload", *ours, *theirs), rows)


def _line(number: int, record: Record, figures: Figures) -> tuple[str, ...]:
    title, operations = f"{number} {record['title']}, batch {record['batch']}", f"{record['operations'] / 1e9:.3g}"
    if OURS not in figures:
        return title, operations, *[""] * 8
    ours, peer = figures[OURS], best(figures, STEPS)
    starts = [figures[p]["first_seconds"] for p in JAX_PEERS if p in figures]
    memories = [figures[p]["megabytes"] for p in PEERS if p in figures]
    return (
        title,
        operations,
        _rate(ours, STEPS),
        f"{share(record, ours, STEPS):.0%}",
        peer or "",
        _rate(figures[peer], STEPS) if peer else "",
        _times(ratio(figures, STEPS)),
        _times(ratio(figures, STEPS, JAX_PEERS)),
        _first(record, ours) + (f" ({min(starts):.1f})" if starts else ""),
        f"{ours['megabytes']:.0f}" + (f" ({min(memories):.0f})" if memories else ""),
    )


def _rate(figure: Record, task: str) -> str:
    return f"{rate(figure, task):.4g} (±{spread(figure, task):.0%})"


def _first(_: Record, figure: Record) -> str:
    return f"{figure['first_seconds']:.1f}"


def _times(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
