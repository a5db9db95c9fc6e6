"""Running cells, one process on each core, and showing what is running and what is left."""

from __future__ import annotations

import os
import platform
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection, get_context, parent_process
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from .cells import Cell
from .results import Record

Measure = Callable[[Cell], Record]
Note = Callable[[Cell, Record], None]
RUNS_PER_PROCESS = 50


class Lane:
    """A core with a process of its own, which JAX cannot leave; after some runs a new one, so that no memory piles up.

    `max_tasks_per_child` of the executor is not used: on Python 3.11 it can wait for ever for a process that has ended.
    """

    def __init__(self, core: int, runs: int) -> None:
        self.core, self._runs = core, runs
        self._open()

    def _open(self) -> None:
        self._pool = ProcessPoolExecutor(1, get_context("spawn"), initializer=_settle, initargs=(self.core,))
        self._left = self._runs

    def start(self, cell: Cell, measure: Measure) -> Future[Record]:
        """Begin to measure a cell; the one before must have ended."""
        if self._left == 0:
            self.close()
            self._open()
        self._left -= 1
        try:
            return self._pool.submit(_measure, cell, measure)
        except BrokenProcessPool:
            self._open()
            return self._pool.submit(_measure, cell, measure)

    def close(self) -> None:
        """End the process once it is idle."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _settle(core: int) -> None:
    """Stay on one core, and end when the parent does: a run would outlive it by an hour."""
    os.sched_setaffinity(0, {core})
    parent = parent_process()
    assert parent is not None

    def follow() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def _measure(cell: Cell, measure: Measure) -> Record:
    import jax

    versions = {"jax": jax.__version__, "python": platform.python_version()}
    return {**measure(cell), **versions, "date": time.strftime("%Y-%m-%d")}


def run(cells: list[Cell], measure: Measure, jobs: int, fresh: bool, skip: Callable[[Cell], bool], note: Note) -> int:
    """Measure cells in their order, `jobs` at a time.

    Args:
        cells: what to run.
        measure: a function that another process can import; the first entry of its record is what is shown as score.
        jobs: processes, each on one core.
        fresh: whether every run gets a new process.
        skip: asked before a cell is started; a true answer leaves it out.
        note: called with every record as it comes.

    Returns: the number of cells that failed by an error; they are told and left out.
    """
    cores = sorted(os.sched_getaffinity(0))[:jobs]
    os.environ.update(OMP_NUM_THREADS="1", XLA_FLAGS="--xla_cpu_multi_thread_eigen=false", JAX_PLATFORMS="cpu")
    lanes = [Lane(core, 1 if fresh else RUNS_PER_PROCESS) for core in cores]
    failed = 0
    with _Display(cells, cores) as display:
        waiting = (cell for cell in cells if not (skip(cell) and display.leave_out(cell)))
        running: dict[Future[Record], tuple[Lane, Cell]] = {}
        try:
            _feed(lanes, waiting, measure, running, display)
            while running:
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    lane, cell = running.pop(future)
                    error = future.exception()
                    failed += error is not None
                    if error is None:
                        note(cell, future.result())
                    display.end(lane.core, cell, error or future.result())
                    _feed([lane], waiting, measure, running, display)
        finally:
            for lane in lanes:
                lane.close()
    return failed


def _feed(
    lanes: list[Lane],
    waiting: Iterator[Cell],
    measure: Measure,
    running: dict[Future[Record], tuple[Lane, Cell]],
    display: _Display,
) -> None:
    """Give each lane the next cell, while there are any. `zip` asks the lanes first, so no cell is lost."""
    for lane, cell in zip(lanes, waiting, strict=False):
        running[lane.start(cell, measure)] = lane, cell
        display.begin(lane.core, cell)


class _Display:
    """A bar for all cells, by what they cost, a line for each core, and a printed line for each cell that is done."""

    def __init__(self, cells: list[Cell], cores: list[int]) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(20), TimeElapsedColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns, console=Console(soft_wrap=True, highlight=False))
        self._left = len(cells)
        self._all = self._progress.add_task("", total=sum(cell.cost for cell in cells))
        self._lines: dict[int, TaskID] = {core: self._progress.add_task("idle", total=None) for core in cores}
        self._done(0)

    def __enter__(self) -> _Display:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def _done(self, cost: int) -> None:
        self._progress.update(self._all, advance=cost, description=f"{self._left} cells left")

    def leave_out(self, cell: Cell) -> bool:
        """Count a cell as done that is not run."""
        self._left -= 1
        self._done(cell.cost)
        return True

    def begin(self, core: int, cell: Cell) -> None:
        """A cell is running on a core."""
        self._progress.reset(self._lines[core], description=f"core {core}: {cell}", total=None)

    def end(self, core: int, cell: Cell, outcome: Any) -> None:
        """A cell is done, with a record or with an error."""
        self._progress.update(self._lines[core], description=f"core {core}: idle")
        self.leave_out(cell)
        self._progress.console.print(f"{cell}: {_told(outcome)}", markup=False)


def _told(outcome: Record | BaseException) -> str:
    if isinstance(outcome, BaseException):
        return f"{type(outcome).__name__}: {outcome}"
    name, score = next(iter(outcome.items()))
    loss = outcome["train_loss"]
    ended = "" if outcome["ended"] == "epochs done" else f", {outcome['ended']}"
    shown = "not finite" if loss is None else f"{loss:.3f}"
    return f"{name} {score:.4f}, training loss {shown}, {outcome['seconds']:.1f} s{ended}"
