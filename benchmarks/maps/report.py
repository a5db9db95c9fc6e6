"""The tables of a map, and what became of its bars."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console

from . import results
from .bars import BARS, Verdict, judge
from .cells import CAPAS, LINEAR, LINEAR_MODEL, RATES, Cell, Map, is_hopeless
from .chart import draw
from .grid import Grid, write
from .summary import LINEAR_PLACE, Place, Summaries, Summary, best_of_rates, summarize

WIDTH = 140
"""Of the widest table: in less, a terminal that can scroll is of more use than cut-off numbers."""

COLOURS = {"holds": "green", "holds so far": "yellow", "missed": "red"}


def report(plan: Map, split: str) -> None:
    """Print the tables and the bars of a map, and draw it where it has several depths; the docs get the test split."""
    records = results.load(plan.name, split)
    if not records:
        print(f"{plan.name}: nothing measured on the {split} split")
        return
    console = Console(highlight=False, soft_wrap=True)
    console.width = max(console.width, WIDTH)
    tables, beside, notes = [*grids(plan, records)], [*others(plan, records)], [*_provenance(plan, split, records)]
    for grid in (*tables, *beside):
        console.print(grid.rich())
    for verdict in (judge(bar, plan, summarize(records)) for bar in BARS.get(plan.name, ())):
        console.print(_told(verdict), style=COLOURS.get(verdict.word), markup=False)
    print(*notes, sep="\n")
    if split == "test":
        print(f"written: {write(f'trainability_{plan.name}', tables, notes)}")
        if beside:
            print(f"written: {write(f'trainability_{plan.name}_peers', beside, notes)}")
    if not plan.tuned and len(plan.depths) > 1 and not plan.ablations:
        print(*(f"drawn: {path}" for path in draw(plan, split, records)), sep="\n", end="\n\n")


def grids(plan: Map, records: dict[Cell, results.Record]) -> Iterator[Grid]:
    """The tables of a map."""
    own = summarize(records)
    if plan.tuned or plan.fresh:
        yield details(plan, own, best_of_rates(records))
        return
    if plan.ablations:
        yield parts(plan, records)
        return
    for variant in plan.variants:
        yield accuracies(f"{plan.title}: {variant}, mean over seeds (lowest)", plan, variant, own)


def others(plan: Map, records: dict[Cell, results.Record]) -> Iterator[Grid]:
    """Those of the weights that stand beside the defaults."""
    peers = {weights: best_of_rates(records, weights) for weights in plan.peers}
    if any(peers.values()):
        known = {cell: record["accuracy"] for cell, record in records.items()}
        yield overview(plan, {CAPAS: summarize(records), **peers}, known)
    for weights, found in peers.items():
        if found:
            yield accuracies(
                f"{plan.title}: {weights}, best of four rates (rows end where all fail)",
                plan,
                plan.variants[0],
                found,
            )


def accuracies(title: str, plan: Map, variant: str, found: Summaries) -> Grid:
    """Activation by depth."""
    rows = []
    for activation in (*plan.activations, LINEAR):
        cells = [_accuracy(found.get(Place(variant, activation, depth))) for depth in plan.depths]
        name = "linear deep network" if activation == LINEAR else activation
        if any(cells):
            rows.append((name, *cells))
    if LINEAR_PLACE in found:
        rows.append((LINEAR_MODEL, _accuracy(found[LINEAR_PLACE]), *[""] * (len(plan.depths) - 1)))
    return Grid(title, ("activation", *(f"L={depth}" for depth in plan.depths)), tuple(rows))


def _accuracy(summary: Summary | None) -> str:
    if summary is None:
        return ""
    return f"{summary.accuracy:.3f}" + (f" ({summary.lowest:.3f})" if len(summary.records) > 1 else "")


def parts(plan: Map, records: dict[Cell, results.Record]) -> Grid:
    """What is left without each part of the defaults."""
    places = [Place(plan.variants[0], a, depth) for depth in plan.depths for a in plan.activations]
    rows = []
    for name in (CAPAS, *plan.ablations):
        found = summarize(records, name)
        rows.append((name, *(_accuracy(found.get(place)) for place in places)))
    return Grid(plan.title, ("", *(f"{place.activation} {place.depth}" for place in places)), tuple(rows))


def overview(plan: Map, by_weights: dict[str, Summaries], known: dict[Cell, float]) -> Grid:
    """For all weights and depths: how many activations reach the first bar, of those run or given up before."""
    bar = BARS[plan.name][0]
    rows = []
    for weights, found in by_weights.items():
        cells = []
        for depth in bar.depths:
            places = [Place(plan.variants[0], activation, depth) for activation in plan.activations]
            reached = sum(place in found and found[place].accuracy >= bar.least for place in places)
            absent = [Cell(plan.name, *place, weights, RATES[0]) for place in places if place not in found]
            tried = len(places) - sum(not is_hopeless(cell, plan, known) for cell in absent)
            cells.append(f"{reached} of {tried}" if tried else "")
        rows.append((weights, *cells))
    title = f"{plan.title}: activations that reach {bar.least}"
    return Grid(title, ("weights", *(f"L={depth}" for depth in bar.depths)), tuple(rows))


def details(plan: Map, own: Summaries, best: Summaries) -> Grid:
    """One line for each network: accuracy, time and memory, with the default rate and with the best of four."""
    columns = ("network", "L", "parameters", "rate", "accuracy", "lowest", "training", "epochs", "seconds", "peak MB")
    rows = []
    for place in sorted(own | best, key=lambda place: (place.activation, place.depth, place.variant)):
        for summary in (found[place] for found in (own, best) if place in found):
            network = place.variant if place.variant == LINEAR_MODEL else f"{place.variant} {place.activation}"
            rate = "default" if summary.rate is None else f"{summary.rate:g}"
            accuracy = (f"{summary.accuracy:.4f}", f"{summary.lowest:.4f}")
            training = f"{summary.average('train_accuracy'):.4f}"
            spent = (f"{summary.average('epochs'):.0f}", f"{summary.average('seconds'):.0f}")
            memory = f"{summary.average('peak_megabytes'):.0f}" if plan.fresh else ""
            size = f"{summary.records[0]['parameters']:,}"
            rows.append((network, str(place.depth), size, rate, *accuracy, training, *spent, memory))
    width = len(columns) - (not plan.fresh)
    return Grid(plan.title, columns[:width], tuple(row[:width] for row in rows))


def _told(verdict: Verdict) -> str:
    counts = f"{verdict.found} of {verdict.wanted} cells measured"
    closest = f"; closest: {verdict.closest}" if verdict.closest else ""
    return "\n  - ".join((f"- {verdict.word}: {verdict.bar.text} ({counts}{closest})", *verdict.misses))


def _provenance(plan: Map, split: str, records: dict[Cell, results.Record]) -> Iterator[str]:
    """What the numbers were measured with."""
    seeds = sorted({cell.seed for cell in records if not cell.tuned})
    yield f"{plan.name}, {split} split, {len(records)} runs, seeds {', '.join(map(str, seeds))}"
    own = {cell: record["accuracy"] for cell, record in records.items() if not cell.tuned and cell.depth > 0}
    if own:
        worst = min(own, key=lambda cell: own[cell])
        yield f"lowest single run: {worst} {own[worst]:.4f}; bars are of means over seeds"
    yield from results.provenance(records)
