"""One workload: all contestants start, show that they do the same, and work in turn."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, sleep
from typing import Any

import numpy as np

from .contestants import Contestant
from .draw import draw
from .figures import Record
from .process import Process, RefusedError
from .tasks import OTHER_WORK, Task
from .workloads import Workload

Tell = Callable[[str], None]

REST = 0.1
"""Seconds before each turn, in which threads of the one before stop to wait for work."""

TIMES_TO_CHECK = 2
"""The loss of the second step shows what the first one did."""


@dataclass
class Entry:
    """A contestant in the race; without a process once it has refused."""

    contestant: Contestant
    process: Process | None
    record: Record
    counts: dict[Task, int] = field(default_factory=dict)
    rates: dict[Task, list[float]] = field(default_factory=dict)

    def ask(self, do: str, **arguments: Any) -> Record:
        """The answer of its process."""
        assert self.process is not None
        return self.process.ask(do, **arguments)

    def work(self, task: Task, count: int) -> Record:
        """The answer to a task."""
        return self.ask(**task.command, count=count)


def race(
    workload: Workload,
    contestants: Sequence[Contestant],
    tasks: Sequence[Task],
    rounds: int,
    seconds: float,
    tell: Tell,
) -> tuple[list[Record], Record]:
    """Work in turn, `rounds` times for about so many seconds at each task.

    Returns: the contestants' records, and the rates of the machine.
    """
    with TemporaryDirectory() as folder, _ended() as running:
        material = Path(folder, "material.npz")
        draw(workload, material)
        entries: list[Entry] = []
        for contestant in contestants:
            tell(f"{workload.title}: {contestant.name} starts")
            entries.append(_entry(contestant, material.parent / contestant.name, running))
            _try(entries[-1], lambda entry: _begin(entry, workload, material, tasks))
            _try(entries[-1], lambda entry: _require_same(entry, entries[0], tasks))
        for entry in entries:
            tell(f"{workload.title}: {entry.contestant.name} warms up")
            _try(entry, lambda entry: _settle(entry, tasks, seconds))
        running.append(machine := Process("limit", Path(folder)))
        limits = []
        for i in range(rounds):
            tell(f"{workload.title}: round {i + 1} of {rounds}")
            limits.append(machine.ask("rates"))
            for task in tasks:
                for entry in entries:
                    _try(entry, lambda entry, task=task: _turn(entry, task))
        for entry in entries:
            _try(entry, _finish)
    return [entry.record for entry in entries], _medians(limits)


@contextmanager
def _ended() -> Iterator[list[Process]]:
    """A list of processes that end with the block."""
    running: list[Process] = []
    try:
        yield running
    finally:
        for process in running:
            process.end()


def _entry(contestant: Contestant, folder: Path, running: list[Process]) -> Entry:
    """A contestant with its process, which starts."""
    folder.mkdir()
    running.append(Process(contestant.module, folder))
    return Entry(contestant, running[-1], {"name": contestant.name})


def _try(entry: Entry, do: Callable[[Entry], None]) -> None:
    """Do something with a contestant that has not refused yet; if it does now, it is out of the race."""
    if entry.process is None:
        return
    try:
        do(entry)
    except RefusedError as refusal:
        entry.record["refused"] = str(refusal)
        entry.process.end()
        entry.process = None


def _begin(entry: Entry, workload: Workload, material: Path, tasks: Sequence[Task]) -> None:
    """Load; then what each task gives at first, and the time from the start to the end of the very first."""
    assert entry.process is not None
    options = dict(entry.contestant.options)
    entry.record |= entry.ask("load", workload=workload.number, file=str(material), options=options)
    for task in tasks:
        values = [entry.work(task, 1)["value"]]
        entry.record.setdefault("first_seconds", perf_counter() - entry.process.started)
        values += [entry.work(task, 1)["value"] for _ in range(TIMES_TO_CHECK - 1)]
        entry.record.setdefault("values", {})[task.name] = values


def _require_same(entry: Entry, first: Entry, tasks: Sequence[Task]) -> None:
    """Refuse values that are not those of the first contestant."""
    if first.process is None:
        return
    for task in tasks:
        theirs, ours = (np.asarray(e.record["values"][task.name]) for e in (entry, first))
        if not np.abs(theirs - ours).max() <= entry.contestant.tolerance * np.abs(ours).max():
            raise RefusedError(f"{OTHER_WORK} {theirs.tolist()}, where {first.contestant.name} has {ours.tolist()}")


def _settle(entry: Entry, tasks: Sequence[Task], seconds: float) -> None:
    """Find how many times of a task take so many seconds, and warm up."""
    for task in tasks:
        count, took = 1, entry.work(task, 1)["seconds"]
        while took < seconds / 4:
            count = max(count + 1, round(count * min(8.0, seconds / 2 / took)))
            took = entry.work(task, count)["seconds"]
        entry.counts[task] = max(1, round(count * seconds / took))


def _turn(entry: Entry, task: Task) -> None:
    sleep(REST)
    seconds = entry.work(task, entry.counts[task])["seconds"]
    entry.rates.setdefault(task, []).append(entry.counts[task] / seconds)


def _finish(entry: Entry) -> None:
    """The median rate of each task, a second, beside all of them."""
    entry.record["work"] = {
        task.name: {"rate": statistics.median(rates), "rates": rates, "count": entry.counts[task]}
        for task, rates in entry.rates.items()
    }
    entry.record |= entry.ask("memory")


def _medians(limits: list[Record]) -> Record:
    return {name: statistics.median(limit[name] for limit in limits) for name in limits[0]}
