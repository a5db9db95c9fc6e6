"""The tables of what was measured, and the means over workloads."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from maps.grid import Grid
from rich.console import Console

from .contestants import CONTESTANTS, OURS, PEERS
from .race import Record

BY_NAME = {contestant.name: contestant for contestant in CONTESTANTS}
JAX_PEERS = tuple(dict.fromkeys(c.peer for c in CONTESTANTS if c.uses_jax))
WIDTH = 160
"""Of the widest table: in less, a terminal that can scroll is of more use than cut-off numbers."""
OVERVIEW = (
    "training steps, float32: ours, the best peer, time of the best peer (and of the best with JAX) / ours; "
    "in brackets the spread, the fastest start with JAX and the least memory of the peers"
)

Figures = dict[str, Record]
"""The record of each peer: of several contestants with its name, the fastest."""


def report(records: dict[int, Record], markdown: bool) -> None:
    """Print everything."""
    console = Console(highlight=False, soft_wrap=True)
    console.width = max(console.width, WIDTH)
    for grid in grids(records):
        if markdown:
            print(grid.markdown())
        else:
            console.print(grid.rich())
    for line in (*means(records), *refusals(records), *provenance(records)):
        console.print(line, markup=False)


def grids(records: dict[int, Record]) -> Iterator[Grid]:
    """All tables."""
    yield overview(records)
    yield by_peer("steps a second (half the range of the rounds)", records, _rate)
    yield by_peer("share of the float32 limit", records, None)
    yield by_peer("seconds from the start of the process to the end of the first step", records, _first_step)
    yield by_peer("peak memory, MB", records, lambda figure: f"{figure['megabytes']:.0f}")


def fastest(record: Record) -> Figures:
    """The figures of a workload by peer."""
    found: Figures = {}
    for figure in record["contestants"]:
        peer = BY_NAME[figure["name"]].peer
        if "refused" not in figure and (peer not in found or _speed(figure) > _speed(found[peer])):
            found[peer] = figure
    return found


def _speed(figure: Record) -> float:
    return float(figure["steps_per_second"])


def _rate(figure: Record) -> str:
    spread = (max(figure["rounds"]) - min(figure["rounds"])) / 2 / _speed(figure)
    return f"{_speed(figure):.4g} (±{spread:.0%})"


def _first_step(figure: Record) -> str:
    return f"{figure['first_step_seconds']:.1f}"


def share(record: Record, figure: Record) -> str:
    """Of the rate of the machine's matrix products that the kernels of a step reach."""
    limit = max(record["limit"]["numpy"], record["limit"]["jax"])
    return f"{_speed(figure) * record['operations'] / 1e9 / limit:.0%}"


def best(figures: Figures, peers: tuple[str, ...] = PEERS) -> str | None:
    """The fastest of the peers; none if all refused."""
    return max((p for p in peers if p in figures and p != OURS), key=lambda p: _speed(figures[p]), default=None)


def ratio(figures: Figures, peers: tuple[str, ...] = PEERS) -> float | None:
    """Time of the fastest peer over ours."""
    peer = best(figures, peers)
    return _speed(figures[OURS]) / _speed(figures[peer]) if peer and OURS in figures else None


def overview(records: dict[int, Record]) -> Grid:
    """Ours beside the best of the others, for each figure."""
    ours = ("GFLOP", "ours, steps/s", "of limit")
    theirs = ("best peer", "steps/s", "ratio", "ratio, JAX", "first step, s", "memory, MB")
    rows = tuple(_line(number, record, fastest(record)) for number, record in records.items())
    return Grid(OVERVIEW, ("workload", *ours, *theirs), rows)


def _line(number: int, record: Record, figures: Figures) -> tuple[str, ...]:
    title, operations = f"{number} {record['title']}, batch {record['batch']}", f"{record['operations'] / 1e9:.3g}"
    if OURS not in figures:
        return title, operations, "refused", *[""] * 7
    ours, peer = figures[OURS], best(figures)
    jax_starts = [figures[p]["first_step_seconds"] for p in JAX_PEERS if p in figures]
    memories = [figure["megabytes"] for p, figure in figures.items() if p in PEERS and p != OURS]
    return (
        title,
        operations,
        _rate(ours),
        share(record, ours),
        peer or "",
        _rate(figures[peer]) if peer else "",
        _times(ratio(figures)),
        _times(ratio(figures, JAX_PEERS)),
        f"{_first_step(ours)} ({min(jax_starts):.1f})" if jax_starts else _first_step(ours),
        f"{ours['megabytes']:.0f} ({min(memories):.0f})" if memories else f"{ours['megabytes']:.0f}",
    )


def _times(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def by_peer(title: str, records: dict[int, Record], show: Callable[[Record], str] | None) -> Grid:
    """One figure, workload by peer; by default the share of the limit."""
    rows = []
    peers = [p for p in dict.fromkeys(c.peer for c in CONTESTANTS) if any(p in fastest(r) for r in records.values())]
    for number, record in records.items():
        figures = fastest(record)
        cells = [figures.get(peer) for peer in peers]
        shown = ("" if c is None else show(c) if show else share(record, c) for c in cells)
        rows.append((f"{number} {record['title']}", *shown))
    return Grid(title, ("workload", *peers), tuple(rows))


def means(records: dict[int, Record]) -> Iterator[str]:
    """Geometric means of the ratios, and the smallest."""
    for name, peers in (("best peer", PEERS), ("best peer with JAX", JAX_PEERS)):
        found = {n: r for n, r in ((n, ratio(fastest(record), peers)) for n, record in records.items()) if r}
        if found:
            mean = math.exp(sum(map(math.log, found.values())) / len(found))
            least = min(found, key=lambda n: found[n])
            yield (
                f"time of the {name} / ours: geometric mean {mean:.2f} over {len(found)} workloads, "
                f"least {found[least]:.2f} ({records[least]['title']})"
            )


def refusals(records: dict[int, Record]) -> Iterator[str]:
    """Who did not take part, and why."""
    for record in records.values():
        for figure in record["contestants"]:
            if "refused" in figure:
                yield f"{figure['name']} refused {record['title']}: {figure['refused']}"


def provenance(records: dict[int, Record]) -> Iterator[str]:
    """What the figures were measured on."""
    versions: dict[str, set[str]] = {}
    for record in records.values():
        for figure in record["contestants"]:
            for name, version in figure.get("versions", {}).items():
                versions.setdefault(name, set()).add(version)
    yield ", ".join(f"{name} {'/'.join(sorted(found))}" for name, found in versions.items())
    for number, record in records.items():
        before, after = record["load"]
        rates = ", ".join(f"{name} {rate:.0f}" for name, rate in record["limit"].items())
        yield (
            f"{number}: commit {record['commit']}, {record['processor']}, {record['cores']} cores, "
            f"load {before:.1f} before and {after:.1f} after; matrix products, GFLOP/s: {rates}"
        )
