"""The maps, and what each part of the defaults is good for."""

from __future__ import annotations

from .ablations import ABLATIONS
from .cells import ACTIVATIONS, PEERS, Map

DEPTHS = (3, 10, 30, 100, 300, 1000)
DENSE = ("plain",)
WINDOWS = ("16 same", "32 same", "16 circular", "32 circular")
TWINS = ("residual", "batch norm", "shallow")

# "smoke" is for trying the harness: 10 steps. All letter budgets hold 3,200 of the 16,000 rows out in validation.
SMOKE_ROWS = {"smoke": 1_280}
SMOKE = {"smoke": 1}
LETTER = {"test": 16_000, "validation": 12_800, **SMOKE_ROWS}


def images(rows: int) -> dict[str, int]:
    """Rows of Fashion-MNIST: the same in both splits, since 8,800 are never trained on."""
    return {"test": rows, "validation": rows, **SMOKE_ROWS}


def letter(steps: int) -> dict[str, int]:
    """Epochs of 125 or 100 steps."""
    return {"test": steps // 125, "validation": steps // 100, **SMOKE}


FASHION_MAP = Map(
    "fashion",
    "Fashion-MNIST, dense plain networks of width 64, 400 steps",
    *("fashion", images(51_200), {"test": 1, "validation": 1, **SMOKE}),
    *(DENSE, ACTIVATIONS, (0, *DEPTHS)),
    peers=PEERS,
    hopeless=0.4,
)
LETTER_MAP = Map(
    "letter",
    "Letter recognition, dense plain networks of width 64, 3000 steps",
    *("letter", LETTER, letter(3_000)),
    *(DENSE, ACTIVATIONS, (0, 1, *DEPTHS)),
    peers=PEERS,
    hopeless=0.35,
)
ABLATION_FASHION, ABLATION_LETTER = (
    Map(
        f"ablation_{task}",
        f"{title}, plain networks of width 64, one part of the defaults taken away",
        *(task, rows, epochs, DENSE, ("relu", "tanh", "sigmoid", "elu"), depths),
        ablations=ABLATIONS,
    )
    for task, title, rows, epochs, depths in (
        ("fashion", "Fashion-MNIST, 400 steps", images(51_200), {"test": 1, "validation": 1, **SMOKE}, (100, 1000)),
        ("letter", "Letter recognition, 3000 steps", LETTER, letter(3_000), (100, 1000)),
    )
)
CONVOLUTION = Map(
    "convolution",
    "Fashion-MNIST, convolutional plain networks, 3 x 3 at 7 x 7 positions, 1000 steps",
    *("fashion", images(32_000), {"test": 4, "validation": 4, **SMOKE}),
    *(WINDOWS, ("relu", "gelu", "tanh", "sigmoid"), (0, 3, 10, 30, 100)),
    images=True,
)
TEN_THOUSAND = Map(
    "ten_thousand",
    "Letter recognition, 10,000 layers of width 64, 1000 steps",
    *("letter", LETTER, letter(1_000)),
    *((*DENSE, "remat"), ("relu", "gelu", "tanh"), (10_000,)),
    fresh=True,
)
# All epochs are done, on all training rows, and the last weights count: the default rate falls along a cosine to zero.
# The epoch that validation likes best is one of the high rates of the middle, by chance: of 100 on the letters the 47th
# of GELU in 50 layers, with 0.953 on other rows against 0.969.
END_FASHION = Map(
    "end_fashion",
    "Fashion-MNIST, 40 epochs: plain networks and their twins",
    *("fashion", images(51_200), {"test": 40, "validation": 40, **SMOKE}),
    *((*DENSE, "tailored", *TWINS), ("relu", "gelu", "tanh"), (50, 100)),
    tuned=TWINS,
)
END_LETTER = Map(
    "end_letter",
    "Letter recognition, 100 epochs: plain networks and their twins",
    *("letter", LETTER, {"test": 100, "validation": 100, **SMOKE}),
    *((*DENSE, "tailored", *TWINS), ("relu", "gelu", "tanh"), (50, 100)),
    tuned=TWINS,
)
MAPS = {
    m.name: m
    for m in (
        *(FASHION_MAP, LETTER_MAP, ABLATION_FASHION, ABLATION_LETTER, CONVOLUTION, TEN_THOUSAND),
        *(END_FASHION, END_LETTER),
    )
}
