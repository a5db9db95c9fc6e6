"""On six real data sets, are the default weights as good as the best of He, Glorot and LeCun, and ahead at depth 30?

Plain dense networks of width 64 with 3 and 30 hidden square layers, trained by `capas.fit` with its defaults, on five
random divisions of each data set. The division, the order of the examples and the seed of the weights are the same for
all four weights, so that they are compared pair by pair.

    six_data_sets.py
    six_data_sets.py --only digits,letter --activations relu --seeds 0
    six_data_sets.py --report

Results are written after every run into benchmarks/results, and what is there is not run again. `--smoke` tries the
harness with one epoch, in a file of its own.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from maps import mlbench, results, work
from maps.cells import Cell
from six import data, measure, report
from trainability import numbers, words


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("six_data_sets.py", description=__doc__, formatter_class=raw)
    parser.add_argument("--only", type=data_sets, default=tuple(data.DATA_SETS), help=", ".join(data.DATA_SETS))
    parser.add_argument("--activations", type=activations, default=measure.ACTIVATIONS)
    parser.add_argument("--depths", type=numbers, default=measure.DEPTHS)
    parser.add_argument("--seeds", type=numbers, default=measure.SEEDS)
    parser.add_argument("--jobs", type=int, default=2, help="processes, each on one core")
    parser.add_argument("--redo", action="store_true", help="also what is there")
    parser.add_argument("--smoke", action="store_true", help="one epoch")
    parser.add_argument("--report", action="store_true", help="print the tables; run nothing")
    return parser.parse_args()


def data_sets(text: str) -> tuple[str, ...]:
    """Names between commas."""
    return _known(words(text), tuple(data.DATA_SETS))


def activations(text: str) -> tuple[str, ...]:
    """Names between commas."""
    return _known(words(text), measure.ACTIVATIONS)


def _known(names: tuple[str, ...], known: tuple[str, ...]) -> tuple[str, ...]:
    if unknown := [name for name in names if name not in known]:
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: choose from {', '.join(known)}")
    return names


def chosen(asked: argparse.Namespace) -> list[Cell]:
    """The cells that are asked for."""
    wanted = {"variant": asked.only, "activation": asked.activations, "depth": asked.depths}
    return [cell for cell in measure.cells(asked.seeds) if all(getattr(cell, n) in v for n, v in wanted.items())]


def run(path: Path, asked: argparse.Namespace) -> int:
    """Run the cells that are asked for and not there; returns how many failed by an error."""
    there = results.read(path)
    cells = [cell for cell in chosen(asked) if asked.redo or cell not in there]
    for name in {cell.variant for cell in cells} & set(data.FRAMES):
        mlbench.find(data.FRAMES[name])
    commit = results.commit()

    def note(cell: Cell, record: results.Record) -> None:
        results.write(path, cell, {**record, "commit": commit})

    return work.run(cells, partial(measure.measure, smoke=asked.smoke), asked.jobs, False, lambda _: False, note)


def main() -> None:
    """Run, unless only a report is asked for, and report."""
    asked = arguments()
    path = results.FOLDER / f"{measure.NAME}{'_smoke' if asked.smoke else ''}.json"
    failed = 0
    if not asked.report:
        import environment

        print(environment.describe())
        failed = run(path, asked)
    report.report(results.read(path), "" if asked.smoke else measure.NAME)
    if failed:
        raise SystemExit(f"{failed} cells failed; run again to try them again")


if __name__ == "__main__":
    main()
