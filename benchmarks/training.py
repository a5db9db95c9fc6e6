"""How many training steps a second, beside PyTorch, Keras, Flax, Equinox and scikit-learn on the same networks?

Every contestant has a process of its own and the same examples, initial parameters, order of batches, loss and Adam;
equal losses before and after the first step are required. They train in turn, for some rounds, and the median counts.
Beside the rates stand the time from the start of the process to the end of the first step, compilation included, the
peak memory of the process, and what share of the machine's rate of large float32 matrix products, measured in the same
rounds, the kernels' operations reach.

    training.py                                  everything
    training.py --only 1,5 --contestants capas,torch,flax --rounds 3
    training.py --report --markdown              what has been measured

Results are written after every workload into benchmarks/results/training.json, or, where only some contestants take
part, training_partial.json. Of several ways to use a library the fastest counts. Peers are installed into an
environment of their own at the first run. Not measured here yet: whole epochs through `fit`, time to an accuracy,
inference; capas in bfloat16 takes part as `capas-bfloat16`, where it is asked for.
"""

from __future__ import annotations

import argparse
from typing import Any

import environment
import peer_environment
from rich.console import Console
from speed import results
from speed.contestants import CONTESTANTS, chosen
from speed.report import report
from speed.workloads import BY_NUMBER, Workload

BUSY = 0.5
"""Load of a machine on which figures are not to be believed."""


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("training.py", description=__doc__, formatter_class=raw)
    parser.add_argument("--only", type=numbers, default=tuple(BY_NUMBER), help="workloads, by number")
    parser.add_argument("--contestants", type=names, help=f"some of {', '.join(c.name for c in CONTESTANTS)}")
    parser.add_argument("--rounds", type=int, default=7, help="of each contestant; the median counts")
    parser.add_argument("--seconds", type=float, default=1.5, help="of each round, about")
    parser.add_argument("--report", action="store_true", help="print the tables and run nothing")
    parser.add_argument("--markdown", action="store_true", help="the tables in Markdown")
    return parser.parse_args()


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


def run(workload: Workload, asked: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Measure a workload."""
    from speed.race import race

    before = environment.load()
    with console.status(workload.title) as status:
        found = race(workload, chosen(workload, asked.contestants), asked.rounds, asked.seconds, status.update)
    return results.record_of(workload, before, found)


def main() -> None:
    """Run and report; fails if a contestant did other work than the others."""
    asked, console = arguments(), Console(highlight=False)
    path = results.PARTIAL if asked.contestants else results.WHOLE
    if not asked.report:
        console.print(environment.describe())
        if environment.load() > BUSY:
            console.print("[yellow]Other programs are running: PyTorch's threads then lose most.[/yellow]")
        peer_environment.python()
        for number in asked.only:
            results.add(path, run(BY_NUMBER[number], asked, console))
    found = {number: record for number, record in results.load(path).items() if number in asked.only}
    report(found, asked.markdown)
    refused = [figure.get("refused", "") for record in found.values() for figure in record["contestants"]]
    if any(reason.startswith("other losses") for reason in refused):
        raise SystemExit("Not all contestants did the same work.")


if __name__ == "__main__":
    main()
