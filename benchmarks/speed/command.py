"""The command line that the benchmarks of speed have in common."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import environment
import peer_environment
from maps.results import FOLDER
from rich.console import Console

from . import results
from .contestants import CONTESTANTS, Contestant
from .figures import Record
from .tasks import OTHER_WORK, Task
from .workloads import BY_NUMBER, Workload

BUSY = 0.5
"""Load of a machine on which figures are not to be believed."""

ALL = tuple(BY_NUMBER)

Records = dict[int, Record]
TakesPart = Callable[[Contestant], bool]


def arguments(program: str, text: str | None, workloads: tuple[int, ...] = ALL, rounds: int = 7) -> argparse.Namespace:
    """What the command line asks for; these workloads and so many rounds, if it says nothing of them."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(program, description=text, formatter_class=raw)
    parser.add_argument("--only", type=numbers, default=workloads, help="workloads, by number")
    parser.add_argument("--contestants", type=names, help=f"some of {', '.join(c.name for c in CONTESTANTS)}")
    parser.add_argument("--rounds", type=int, default=rounds, help="of each contestant; the median counts")
    parser.add_argument("--seconds", type=float, default=1.5, help="of each turn, about")
    parser.add_argument("--report", action="store_true", help="print the tables and run nothing")
    return parser.parse_args()


def page(name: str, asked: argparse.Namespace, workloads: tuple[int, ...] = ALL) -> str:
    """The page of the docs that the tables are for: none, if only a part of what it shows is asked for."""
    return "" if asked.contestants or asked.only != workloads else name


def numbers(text: str) -> tuple[int, ...]:
    """Numbers of workloads between commas."""
    found = tuple(map(int, text.split(",")))
    if unknown := set(found) - set(BY_NUMBER):
        raise argparse.ArgumentTypeError(f"no workloads {sorted(unknown)}; there are {', '.join(map(str, BY_NUMBER))}")
    return found


def names(text: str) -> tuple[str, ...]:
    """Names of contestants between commas."""
    found = tuple(text.split(","))
    if unknown := set(found) - {c.name for c in CONTESTANTS}:
        raise argparse.ArgumentTypeError(f"no contestants {', '.join(sorted(unknown))}")
    return found


def chosen(workload: Workload, asked: tuple[str, ...] | None, takes_part: TakesPart) -> list[Contestant]:
    """The contestants of a workload, all or by name."""
    named = [c for c in CONTESTANTS if (c.name in asked if asked else not c.is_asked)]
    return [c for c in named if c.applies(workload) and takes_part(c)]


def run(name: str, asked: argparse.Namespace, tasks: Sequence[Task], takes_part: TakesPart) -> Records:
    """Measure what is asked for, unless only the report is, and load it."""
    path = FOLDER / f"{name}{'_partial' if asked.contestants else ''}.json"
    if not asked.report:
        _measure(path, asked, tasks, takes_part)
    return {number: record for number, record in results.load(path).items() if number in asked.only}


def _measure(path: Path, asked: argparse.Namespace, tasks: Sequence[Task], takes_part: TakesPart) -> None:
    from .race import race

    console = Console(highlight=False)
    console.print(environment.describe())
    if environment.load() > BUSY:
        console.print("[yellow]Other programs are running: PyTorch's threads then lose most.[/yellow]")
    peer_environment.python()
    peer_environment.python(same=True)
    for workload in map(BY_NUMBER.__getitem__, asked.only):
        before, contestants = environment.load(), chosen(workload, asked.contestants, takes_part)
        with console.status(workload.title) as status:
            found = race(workload, contestants, tasks, asked.rounds, asked.seconds, status.update)
        results.add(path, results.record_of(workload, before, found))


def require_same_work(records: Records) -> None:
    """Fail if a contestant did other work than the first."""
    refused = [figure.get("refused", "") for record in records.values() for figure in record["contestants"]]
    if any(reason.startswith(OTHER_WORK) for reason in refused):
        raise SystemExit("Not all contestants did the same work.")
