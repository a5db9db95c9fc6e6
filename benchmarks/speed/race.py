"""One workload: all contestants start, show that they do the same, and train in turn."""

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
from .process import Process, RefusedError
from .workloads import Workload

Record = dict[str, Any]
Tell = Callable[[str], None]

REST = 0.1
"""Seconds before each turn, in which threads of the one before stop to wait for work."""


@dataclass
class Entry:
    """A contestant in the race; without a process once it has refused."""

    contestant: Contestant
    process: Process | None
    record: Record
    count: int = 1
    rates: list[float] = field(default_factory=list)

    def ask(self, do: str, **arguments: Any) -> Record:
        """The answer of its process."""
        assert self.process is not None
        return self.process.ask(do, **arguments)


def race(
    workload: Workload, contestants: Sequence[Contestant], rounds: int, seconds: float, tell: Tell
) -> tuple[list[Record], Record]:
    """Train in turn, `rounds` times for about so many seconds.

    Returns: the contestants' records, and the rates of the machine.
    """
    with TemporaryDirectory() as folder, _ended() as running:
        material = Path(folder, "material.npz")
        draw(workload, material)
        entries: list[Entry] = []
        for contestant in contestants:
            tell(f"{workload.title}: {contestant.name} starts")
            entries.append(_start(contestant, workload, material, running))
            _step(entries[-1], lambda entry: _require_same(entry, entries[0]))
        for entry in entries:
            _step(entry, lambda entry: _settle(entry, seconds))
        machine = Process("limit", Path(folder))
        running.append(machine)
        limits = []
        for i in range(rounds):
            tell(f"{workload.title}: round {i + 1} of {rounds}")
            limits.append(machine.ask("rates"))
            for entry in entries:
                _step(entry, _train)
        for entry in entries:
            _step(entry, _finish)
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


def _start(contestant: Contestant, workload: Workload, material: Path, running: list[Process]) -> Entry:
    """The process, its first two steps, and the time to the end of the first."""
    folder = material.parent / contestant.name
    folder.mkdir()
    process = Process(contestant.module, folder)
    running.append(process)
    entry = Entry(contestant, process, {"name": contestant.name})
    _step(entry, lambda entry: _begin(entry, workload, material))
    return entry


def _begin(entry: Entry, workload: Workload, material: Path) -> None:
    options = dict(entry.contestant.options)
    entry.record |= entry.ask("load", workload=workload.number, file=str(material), options=options)
    losses = [entry.ask("steps", count=1)["loss"]]
    assert entry.process is not None
    entry.record["first_step_seconds"] = perf_counter() - entry.process.started
    losses.append(entry.ask("steps", count=1)["loss"])
    entry.record["losses"] = losses


def _step(entry: Entry, do: Callable[[Entry], None]) -> None:
    """Do something with a contestant that has not refused yet; if it does now, it is out of the race."""
    if entry.process is None:
        return
    try:
        do(entry)
    except RefusedError as refusal:
        entry.record["refused"] = str(refusal)
        entry.process.end()
        entry.process = None


def _require_same(entry: Entry, first: Entry) -> None:
    """Refuse losses before and after the first step that are not those of the first contestant."""
    ours = first.record.get("losses", entry.record["losses"])
    if not np.allclose(entry.record["losses"], ours, rtol=entry.contestant.tolerance, atol=0):
        raise RefusedError(f"other losses: {entry.record['losses']}, where {first.contestant.name} has {ours}")


def _settle(entry: Entry, seconds: float) -> None:
    """Find how many steps take so many seconds, and warm up."""
    took = entry.ask("steps", count=entry.count)["seconds"]
    while took < seconds / 4:
        entry.count = max(entry.count + 1, round(entry.count * min(8.0, seconds / 2 / took)))
        took = entry.ask("steps", count=entry.count)["seconds"]
    entry.count = max(1, round(entry.count * seconds / took))


def _train(entry: Entry) -> None:
    sleep(REST)
    answer = entry.ask("steps", count=entry.count)
    entry.rates.append(entry.count / answer["seconds"])
    entry.record["last_loss"] = answer["loss"]


def _finish(entry: Entry) -> None:
    entry.record |= {
        "steps_per_second": statistics.median(entry.rates),
        "rounds": entry.rates,
        "steps_in_a_round": entry.count,
        **entry.ask("memory"),
    }


def _medians(limits: list[Record]) -> Record:
    return {name: statistics.median(limit[name] for limit in limits) for name in limits[0]}
