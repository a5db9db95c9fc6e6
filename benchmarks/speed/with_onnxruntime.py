"""ONNX Runtime, on the network that PyTorch writes."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import onnxruntime
import torch

from . import channels_first
from .material import Material
from .with_torch import build
from .workloads import Workload

VERSIONS = {"onnxruntime": onnxruntime.__version__}


class Trainer:
    """Predicts only."""

    def __init__(self, workload: Workload, material: Material) -> None:
        arrays = channels_first.parameters(workload.chain, workload.shape, material.arrays)
        network = build(workload.chain, workload.shape, arrays).eval()
        self._x, written = channels_first.signal(material.x), BytesIO()
        torch.onnx.export(
            network,
            (torch.from_numpy(self._x[:2]),),
            written,
            input_names=["x"],
            dynamic_axes={"x": {0: "rows"}},
            dynamo=False,
        )
        self._session = onnxruntime.InferenceSession(written.getvalue())

    def predictor(self, rows: int) -> Callable[[], Any]:
        """A function that gives the logits of the first rows, from one NumPy array to another."""
        x = self._x[:rows]
        return lambda: self._session.run(None, {"x": x})[0]
