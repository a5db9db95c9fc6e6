"""Which plain networks train, by depth and activation, with the defaults of capas and nothing tuned for any cell?

Maps: `fashion`, `letter`, `convolution`, `ten_thousand`, `end_fashion`, `end_letter`, and `ablation_fashion` and
`ablation_letter`, in which one part of the defaults is taken away. Depth counts the hidden square layers. Beside each
stand a linear model, a linear deep network and, as depth 0, the shallow network; with `--peers` also the weights of
other libraries and papers (or the twins with skips and normalization), at the best of four rates.

    trainability.py fashion --split validation --only relu,tanh --depths 3,100 --seeds 0
    trainability.py fashion letter --split test
    trainability.py fashion --split test --peers
    trainability.py --split test --report

Results are written after every run into benchmarks/results, and what is there is not run again. `--split validation`
holds out training examples and looks at no test accuracy: constants are chosen on it. `--split smoke` tries the harness
with ten steps.
"""

from __future__ import annotations

import argparse
from functools import partial

from maps import results, work
from maps.cells import PEERS, SEEDS, Cell, Map, is_hopeless
from maps.plans import MAPS


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("trainability.py", description=__doc__, formatter_class=raw)
    parser.add_argument("maps", nargs="*", choices=[*MAPS, []], metavar="map", help="all, if none is named")
    parser.add_argument("--split", choices=("validation", "test", "smoke"), default="validation")
    parser.add_argument("--only", type=words, help="activations; identity is the linear network")
    parser.add_argument("--variants", type=words, help="networks of maps that have several")
    parser.add_argument("--depths", type=numbers)
    parser.add_argument("--seeds", type=numbers, help="0,1,2; with --peers 0")
    parser.add_argument("--peers", action="store_true", help="the others, at each of four rates, instead of capas")
    parser.add_argument("--weights", type=words, help=f"which of {', '.join(PEERS)}; capas for twins")
    parser.add_argument("--jobs", type=int, default=2, help="processes, each on one core")
    parser.add_argument("--redo", action="store_true", help="also what is there")
    parser.add_argument("--list", action="store_true", help="print what would be run")
    parser.add_argument("--report", action="store_true", help="print tables and bars, and draw the maps; run nothing")
    return parser.parse_args()


def words(text: str) -> tuple[str, ...]:
    """Parts between commas."""
    return tuple(text.split(","))


def numbers(text: str) -> tuple[int, ...]:
    """Whole numbers between commas."""
    return tuple(map(int, text.split(",")))


def chosen(plan: Map, asked: argparse.Namespace) -> list[Cell]:
    """The cells of a map that are asked for."""
    cells = plan.others(asked.seeds or SEEDS[:1]) if asked.peers else plan.cells(asked.seeds or SEEDS)
    wanted = {"activation": asked.only, "variant": asked.variants, "depth": asked.depths, "weights": asked.weights}
    filters = [(name, values) for name, values in wanted.items() if values is not None]
    return [cell for cell in cells if all(getattr(cell, n) in v for n, v in filters)]


def run(plan: Map, asked: argparse.Namespace) -> int:
    """Run the cells of a map that are asked for and not there; returns how many failed by an error."""
    from maps import mlbench
    from maps.measure import measure

    there = results.load(plan.name, asked.split)
    accuracies = {cell: record["accuracy"] for cell, record in there.items()}
    cells = [cell for cell in chosen(plan, asked) if asked.redo or cell not in there]
    cells = [cell for cell in cells if not is_hopeless(cell, plan, accuracies)]
    if asked.list:
        print(*cells, sep="\n")
        return 0
    if plan.task == "letter":
        mlbench.find(mlbench.LETTER)
    commit = results.commit()

    def note(cell: Cell, record: results.Record) -> None:
        results.add(cell, asked.split, {**record, "commit": commit})
        accuracies[cell] = record["accuracy"]

    on_split = partial(measure, split=asked.split)
    return work.run(cells, on_split, asked.jobs, plan.fresh, lambda c: is_hopeless(c, plan, accuracies), note)


def main() -> None:
    """Run or report."""
    asked = arguments()
    plans = [MAPS[name] for name in asked.maps or MAPS]
    if asked.report:
        from maps.report import report

        for plan in plans:
            report(plan, asked.split)
        return
    import environment

    print(environment.describe())
    if failed := sum(run(plan, asked) for plan in plans):
        raise SystemExit(f"{failed} cells failed; run again to try them again")


if __name__ == "__main__":
    main()
