"""The heat maps: activation by depth, for capas with the numbers in it, and for all weights side by side."""

from __future__ import annotations

from pathlib import Path

import altair as alt
import pandas as pd

from . import results
from .cells import CAPAS, LINEAR, Cell, Map
from .summary import Summaries, best_of_rates, summarize

DOCS = Path(__file__).parent.parent.parent / "docs/_static"
NAMES = {"pytorch": "PyTorch", "keras": "Keras", "flax": "Flax", "he": "He", "glorot": "Glorot", "lsuv": "LSUV"}
LINEAR_ROW = "(linear)"
STEP = 30


def draw(plan: Map, split: str, records: dict[Cell, results.Record]) -> list[Path]:
    """Draw a map, and its peers if there are any, into the docs; results of other splits stay with their numbers."""
    folder = DOCS if split == "test" else results.FOLDER
    suffix = "" if split == "test" else f"_{split}"
    own = rows(plan, summarize(records))
    own = own[own.depth > 0]
    charts = {f"trainability_{plan.name}{suffix}.svg": panels(plan, own, "network", True)}
    peers = {weights: rows(plan, best_of_rates(records, weights)) for weights in plan.peers}
    found = {CAPAS: own, **{weights: frame for weights, frame in peers.items() if len(frame)}}
    if len(found) > 1:
        together = pd.concat([frame.assign(weights=NAMES.get(name, name)) for name, frame in found.items()])
        compared = {activation for frame in peers.values() for activation in frame.activation}
        together = together[(together.depth > 0) & together.activation.isin(compared)]
        charts[f"trainability_{plan.name}_peers{suffix}.svg"] = panels(plan, together, "weights", False)
    for name, chart in charts.items():
        chart.save(folder / name)
    return [folder / name for name in charts]


def rows(plan: Map, summaries: Summaries) -> pd.DataFrame:
    """One row for each cell."""
    columns = ["network", "activation", "depth", "accuracy"]
    names = {**{name: name for name in plan.activations}, LINEAR: LINEAR_ROW}
    found = [
        (place.variant, names[place.activation], place.depth, summary.accuracy)
        for place, summary in summaries.items()
        if place.variant in plan.variants
    ]
    return pd.DataFrame(found, columns=columns)


def panels(plan: Map, frame: pd.DataFrame, by: str, numbers: bool) -> alt.FacetChart:
    """A heat map for each value of a column, four in a row. Cells that were not run stay white."""
    scale = alt.Scale(scheme="viridis", domain=[0, round(float(frame.accuracy.max()), 2)])
    base = alt.Chart().encode(
        x=alt.X("depth:O", title="square layers", axis=alt.Axis(labelAngle=0)),
        y=alt.Y("activation:N", sort=[*plan.activations, LINEAR_ROW], title=None),
    )
    layers = [base.mark_rect().encode(color=alt.Color("accuracy:Q", scale=scale, title="accuracy"))]
    if numbers:
        dark = alt.condition(f"datum.accuracy > {frame.accuracy.max() / 2}", alt.value("black"), alt.value("white"))
        layers.append(base.mark_text(fontSize=10).encode(text=alt.Text("accuracy:Q", format=".3f"), color=dark))
    width = alt.Step(STEP + 10 if numbers else STEP - 6)
    height = alt.Step(STEP - 10 if numbers else STEP - 16)
    order = list(dict.fromkeys(frame[by]))
    facet = alt.Facet(f"{by}:N", sort=order, title=None, header=alt.Header(labelFontSize=12))
    chart = alt.layer(*layers, data=frame).properties(width=width, height=height)
    return chart.facet(facet, columns=4 if by == "weights" else 2, title=plan.title)
