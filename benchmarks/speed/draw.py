"""Initial parameters, drawn by capas."""

from __future__ import annotations

from pathlib import Path

import capas
from capas import weights
from capas.nn.walk import paths

from .material import SEED, data, write
from .with_capas import build
from .workloads import Workload


def draw(workload: Workload, path: Path) -> None:
    """Write data, kernels and biases of a workload; what normalization learns starts alike everywhere."""
    scheme = weights.He() if workload.scheme == "he" else workload.scheme
    model = capas.init(build(workload.chain), workload.shape, scheme=scheme, seed=SEED)
    arrays = dict(paths(model.params))
    normalized = {name.rpartition("/")[0] for name in arrays if name.endswith("/scale")}
    learned = {name: array for name, array in arrays.items() if name.rpartition("/")[0] not in normalized}
    write(path, *data(workload), learned)
