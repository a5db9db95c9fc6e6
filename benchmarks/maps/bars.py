"""What the maps have to show, and whether they do."""

from __future__ import annotations

from dataclasses import dataclass

from .cells import Map
from .summary import Place, Summaries

LINEAR_LETTER = 0.774
"""The best that a linear softmax reaches on the letters."""


@dataclass(frozen=True)
class Bar:
    """What is asked of the mean over seeds in every cell of some depths.

    Attributes:
        text: in words.
        depths: of the cells.
        least: what each must reach; with `than`, how far above that depth it must be.
        than: a depth of the same row to compare with.
        on_average: whether it is asked of the mean over all cells instead.
    """

    text: str
    depths: tuple[int, ...]
    least: float
    than: int | None = None
    on_average: bool = False


ALL, DEEP = (3, 10, 30, 100, 300, 1000), (10, 30, 100, 300, 1000)
BARS: dict[str, tuple[Bar, ...]] = {
    "fashion": (
        Bar("every cell at least 0.82", ALL, 0.82),
        Bar("mean of all cells at least 0.845", ALL, 0.845, on_average=True),
    ),
    "letter": (
        Bar("every cell from L = 10 at least 0.93", DEEP, 0.93),
        Bar("L = 100 no worse than L = 3", (100,), 0.0, than=3),
        Bar("L = 1000 no worse than L = 1", (1000,), 0.0, than=1),
    ),
    "convolution": (
        Bar("every cell at least 0.85", (3, 10, 30, 100), 0.85),
        Bar("no cell more than 0.01 below L = 3", (10, 30, 100), -0.01, than=3),
    ),
    "ten_thousand": (Bar(f"above {LINEAR_LETTER}, the linear model", (10_000,), LINEAR_LETTER),),
}


@dataclass(frozen=True)
class Verdict:
    """How a bar came out.

    Attributes:
        bar: which.
        found: how many of its cells are measured.
        wanted: how many there are.
        closest: the cell that reaches it by least, or misses it by most.
        misses: the cells that miss it.
    """

    bar: Bar
    found: int
    wanted: int
    closest: str = ""
    misses: tuple[str, ...] = ()

    @property
    def word(self) -> str:
        """In a word or three."""
        if self.misses:
            return "missed"
        return "holds" if self.found == self.wanted else "holds so far" if self.found else "not measured"


def judge(bar: Bar, plan: Map, summaries: Summaries) -> Verdict:
    """Hold the accuracies of a map against a bar."""
    wanted = [Place(v, a, d) for v in plan.variants for a in plan.activations for d in bar.depths]
    found = [place for place in wanted if {place, _other(bar, place)} <= summaries.keys()]
    if not found:
        return Verdict(bar, 0, len(wanted))
    if bar.on_average:
        mean = sum(summaries[place].accuracy for place in found) / len(found)
        text = f"{mean:.4f}"
        return Verdict(bar, len(found), len(wanted), text, (text,) if mean < bar.least else ())
    spare = {place: _spare(bar, place, summaries) for place in found}
    texts = {place: _text(bar, place, summaries) for place in sorted(found, key=lambda place: spare[place])}
    misses = tuple(text for place, text in texts.items() if spare[place] < 0)
    return Verdict(bar, len(found), len(wanted), next(iter(texts.values())), misses)


def _other(bar: Bar, place: Place) -> Place:
    """What a cell is compared with: itself, where that is a number."""
    return place if bar.than is None else place._replace(depth=bar.than)


def _spare(bar: Bar, place: Place, summaries: Summaries) -> float:
    """By how much a cell is above what it must reach."""
    reference = 0.0 if bar.than is None else summaries[_other(bar, place)].accuracy
    return summaries[place].accuracy - reference - bar.least


def _text(bar: Bar, place: Place, summaries: Summaries) -> str:
    text = f"{place} {summaries[place].accuracy:.4f}"
    return text if bar.than is None else f"{text} against {summaries[_other(bar, place)].accuracy:.4f}"
