"""Who takes part, in which workloads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .architecture import Conv, Dense, Relu
from .workloads import Workload

OURS = "capas"


@dataclass(frozen=True)
class Contestant:
    """A way to train with a library.

    Attributes:
        name: by which it is called for.
        peer: whose figure it is; of several with the same, the fastest counts.
        module: of this package.
        options: of the module's `Trainer`.
        tolerance: relative, of its losses before and after the first step.
        is_asked: whether it takes part only where it is called for.
        trains, predicts: what it is measured at.
    """

    name: str
    peer: str
    module: str
    options: Mapping[str, Any] = field(default_factory=dict)
    tolerance: float = 1e-3
    is_asked: bool = False
    trains: bool = True
    predicts: bool = True

    @property
    def uses_jax(self) -> bool:
        """Whether the library computes with JAX, as capas does."""
        return self.peer in {"Keras", "Flax NNX", "Equinox"}

    def applies(self, workload: Workload) -> bool:
        """Whether it can train the network, in another way than the others with its name."""
        if self.options.get("channels_last"):
            return any(isinstance(layer, Conv) and len(layer.window) == 2 for layer in workload.chain)
        if self.module == "with_sklearn":
            return all(isinstance(layer, Dense | Relu) for layer in workload.chain)
        return True


EAGER = "PyTorch"
CONTESTANTS = (
    Contestant("capas", OURS, "with_capas"),
    Contestant("capas-bfloat16", "capas bfloat16", "with_capas", {"precision": "bfloat16"}, 3e-2, True, predicts=False),
    Contestant("torch", EAGER, "with_torch", {"adam": "fused"}),
    Contestant("torch-foreach", EAGER, "with_torch", {"adam": "foreach"}, predicts=False),
    Contestant("torch-channels-last", EAGER, "with_torch", {"channels_last": True}),
    Contestant("torch-compile", "torch.compile", "with_torch", {"compiled": True}),
    Contestant("keras", "Keras", "with_keras"),
    Contestant("flax", "Flax NNX", "with_flax"),
    Contestant("equinox", "Equinox", "with_equinox"),
    Contestant("sklearn", "scikit-learn", "with_sklearn"),
    Contestant("onnxruntime", "ONNX Runtime", "with_onnxruntime", trains=False),
)
