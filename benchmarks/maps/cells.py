"""What a map consists of: its cells, each one training run, and the order in which they are run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from itertools import product
from typing import Any

ACTIVATIONS = (
    *("relu", "leaky_relu", "tanh", "sigmoid", "gelu", "silu", "elu", "selu"),
    *("softplus", "mish", "sin", "hard_tanh", "softsign", "hard_swish"),
)
LINEAR = "identity"
"""The activation of the linear deep network."""

LINEAR_MODEL = "linear model"
"""The variant that is one dense layer from inputs to classes."""

CAPAS = "capas"
PEERS = ("pytorch", "keras", "flax", "he", "glorot", "orthogonal", "lsuv")
RATES = (3e-3, 1e-3, 2e-4, 4e-5)
"""Peak learning rates of which the others get the best: from above the usual 1e-3 to below 0.05 / 1000 layers."""

SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class Cell:
    """One training run.

    Attributes:
        map: name of the map.
        variant: which network, where a map has several.
        activation: its name.
        depth: number of hidden square layers.
        weights: "capas" for the defaults, or the name of a peer, or of a part that is taken away.
        rate: peak learning rate; None for the default of `capas.fit`.
        seed: of the weights and of the order of the examples.
    """

    map: str
    variant: str
    activation: str
    depth: int
    weights: str = CAPAS
    rate: float | None = None
    seed: int = 0

    def __str__(self) -> str:
        rate = None if self.rate is None else f"rate {self.rate:g}"
        parts = (self.map, self.variant, self.activation, f"L={self.depth}", self.weights, rate, f"seed {self.seed}")
        return " ".join(part for part in parts if part)

    @property
    def tuned(self) -> bool:
        """Whether it is one of four rates of which the best counts: so it is with everything that is not capas'."""
        return self.rate is not None

    @property
    def cost(self) -> int:
        """What it takes, in layers: compilation and the rest of the step are worth about 75 of them."""
        return self.depth + 75


KEY = tuple(field.name for field in fields(Cell))


def cell_of(record: dict[str, Any]) -> Cell:
    """The cell that a record is of."""
    return Cell(**{name: record[name] for name in KEY})


@dataclass(frozen=True)
class Map:
    """A grid of networks on one task.

    Attributes:
        name: on the command line.
        title: over its tables.
        task: the data, "fashion" or "letter".
        rows: training examples, by split.
        epochs: passes over them, by split; rows times epochs is 128 times the number of steps.
        variants: networks, by the names that `networks.build` knows.
        activations: of the network.
        depths: numbers of hidden square layers.
        peers: weights that stand beside the defaults.
        ablations: parts of the defaults of which one is taken away.
        tuned: variants that are also run at each of the four rates.
        hopeless: a peer's accuracy below which none of its deeper networks is tried.
        images: whether the network takes images, not vectors.
        fresh: whether each run gets a process of its own, so that its peak of memory can be told.
    """

    name: str
    title: str
    task: str
    rows: dict[str, int]
    epochs: dict[str, int]
    variants: tuple[str, ...]
    activations: tuple[str, ...]
    depths: tuple[int, ...]
    peers: tuple[str, ...] = ()
    ablations: tuple[str, ...] = ()
    tuned: tuple[str, ...] = ()
    hopeless: float = 0.0
    images: bool = False
    fresh: bool = False

    def cells(self, seeds: tuple[int, ...]) -> Iterator[Cell]:
        """The cells with everything at its default: all of one seed first, from shallow to deep."""
        linear = () if self.ablations else (LINEAR,)
        for seed in seeds:
            for activation in linear:
                yield Cell(self.name, LINEAR_MODEL, activation, 0, seed=seed)
            for depth, variant, activation in product(self.depths, self.variants, (*self.activations, *linear)):
                yield Cell(self.name, variant, activation, depth, seed=seed)
            for depth, part, activation in product(self.depths, self.ablations, self.activations):
                yield Cell(self.name, self.variants[0], activation, depth, part, seed=seed)

    def others(self, seeds: tuple[int, ...]) -> Iterator[Cell]:
        """The cells that are given the best of four learning rates."""
        for seed, rate in product(seeds, RATES):
            yield Cell(self.name, LINEAR_MODEL, LINEAR, 0, rate=rate, seed=seed)
        for seed, depth, activation in product(seeds, self.depths, self.activations):
            for variant, rate in product(self.tuned, RATES):
                yield Cell(self.name, variant, activation, depth, rate=rate, seed=seed)
            for peer, rate in product(self.peers, RATES):
                yield Cell(self.name, self.variants[0], activation, depth, peer, rate, seed)


def is_hopeless(cell: Cell, plan: Map, accuracies: dict[Cell, float]) -> bool:
    """Whether a peer failed at all four rates at some smaller depth, so that this cell need not be run."""
    if cell.weights == CAPAS:
        return False
    for depth in plan.depths:
        row = [Cell(*_place(cell, depth), rate, cell.seed) for rate in RATES]
        tried = [accuracies[other] for other in row if other in accuracies]
        if depth < cell.depth and len(tried) == len(RATES) and max(tried) < plan.hopeless:
            return True
    return False


def _place(cell: Cell, depth: int) -> tuple[str, str, str, int, str]:
    return cell.map, cell.variant, cell.activation, depth, cell.weights
