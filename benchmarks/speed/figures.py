"""What follows from the records: the fastest of each peer, ratios, shares of the limit, means."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from .contestants import CONTESTANTS, OURS
from .material import ROWS
from .tasks import EPOCHS, STEPS

Record = dict[str, Any]
Figures = dict[str, Record]
"""The record of each peer: of several contestants with its name, the fastest."""

BY_NAME = {contestant.name: contestant for contestant in CONTESTANTS}
PEERS = tuple(dict.fromkeys(c.peer for c in CONTESTANTS if not c.is_asked and c.peer != OURS))
JAX_PEERS = tuple(dict.fromkeys(c.peer for c in CONTESTANTS if c.uses_jax))


def fastest(record: Record, task: str) -> Figures:
    """The figures of a workload by peer."""
    found: Figures = {}
    for figure in record["contestants"]:
        peer = BY_NAME[figure["name"]].peer
        if "work" in figure and (peer not in found or rate(figure, task) > rate(found[peer], task)):
            found[peer] = figure
    return found


def rate(figure: Record, task: str) -> float:
    """How many times a second, in the median."""
    return float(figure["work"][task]["rate"])


def spread(figure: Record, task: str) -> float:
    """Half the range of the rounds, relative to their median."""
    rates = figure["work"][task]["rates"]
    return (max(rates) - min(rates)) / 2 / rate(figure, task)


def share(record: Record, figure: Record, task: str) -> float:
    """Of the rate of the machine's float32 matrix products, what the kernels of a step reach."""
    limit = max(record["limit"]["numpy"], record["limit"]["jax"])
    return rate(figure, task) * record["operations"] / 1e9 / limit


def overhead(record: Record, figure: Record) -> float:
    """By how much an epoch is longer than as many bare steps as there are full batches in it."""
    return rate(figure, STEPS.name) * record["batch"] / ROWS / rate(figure, EPOCHS.name) - 1


def best(figures: Figures, task: str, peers: tuple[str, ...] = PEERS) -> str | None:
    """The fastest of the peers; none if all refused."""
    return max((p for p in peers if p in figures), key=lambda p: rate(figures[p], task), default=None)


def ratio(figures: Figures, task: str, peers: tuple[str, ...] = PEERS) -> float | None:
    """Time of the fastest peer over ours."""
    peer = best(figures, task, peers)
    return rate(figures[OURS], task) / rate(figures[peer], task) if peer and OURS in figures else None


def means(records: dict[int, Record], task: str) -> Iterator[str]:
    """Geometric means of the ratios, and the smallest."""
    for name, peers in (("best peer", PEERS), ("best peer with JAX", JAX_PEERS)):
        found = {
            n: r for n, r in ((n, ratio(fastest(record, task), task, peers)) for n, record in records.items()) if r
        }
        if found:
            mean = math.exp(sum(map(math.log, found.values())) / len(found))
            least = min(found, key=lambda n: found[n])
            yield (
                f"{task}, time of the {name} / ours: geometric mean {mean:.2f} over {len(found)} workloads, "
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
