"""PyTorch, eager or compiled."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from . import architecture as to_build
from . import channels_first
from .material import Arrays, Material, batches, timed
from .workloads import Workload

VERSIONS = {"torch": torch.__version__, "torch threads": str(torch.get_num_threads())}
CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d}
POOLS = {1: nn.MaxPool1d, 2: nn.MaxPool2d}
NORMS = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d}


class Mean(nn.Module):
    """Over all positions."""

    def forward(self, x: Any) -> Any:
        return x.mean(tuple(range(2, x.ndim)))


class Residual(nn.Module):
    """A block plus its shortcut."""

    def __init__(self, block: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.block, self.shortcut = block, shortcut

    def forward(self, x: Any) -> Any:
        return self.shortcut(x) + self.block(x)


def build(chain: to_build.Chain, shape: to_build.Shape, arrays: Arrays, path: str = "") -> nn.Module:
    """A chain with its parameters."""
    return nn.Sequential(
        *(_layer(layer, at, arrays, place) for place, layer, at in to_build.places(chain, shape, path))
    )


def _layer(layer: to_build.Layer, shape: to_build.Shape, arrays: Arrays, path: str) -> nn.Module:
    rank = len(shape) - 1
    match layer:
        case to_build.Dense(features):
            return _filled(nn.Linear(shape[-1], features), arrays, path)
        case to_build.Conv(features, window, stride, bias):
            padding = tuple(n // 2 for n in window)
            return _filled(CONVOLUTIONS[rank](shape[-1], features, window, stride, padding, bias=bias), arrays, path)
        case to_build.BatchNorm():
            return NORMS[rank](shape[-1])
        case to_build.Relu():
            return nn.ReLU()
        case to_build.MaxPool(window):
            return POOLS[rank](window)
        case to_build.Mean():
            return Mean()
        case to_build.Flatten():
            return nn.Flatten()
        case to_build.Residual(block, shortcut):
            skip = build(shortcut, shape, arrays, f"{path}/shortcut/") if shortcut else nn.Identity()
            return Residual(build(block, shape, arrays, f"{path}/block/"), skip)
        case to_build.Repeat(block, copies):
            inside = {name: array for name, array in arrays.items() if name.startswith(f"{path}/")}
            copy = [{name: array[i] for name, array in inside.items()} for i in range(copies)]
            return nn.Sequential(*(build(block, shape, own, f"{path}/block/") for own in copy))


def _filled(module: nn.Module, arrays: Arrays, path: str) -> nn.Module:
    with torch.no_grad():
        for name, parameter in module.named_parameters() if arrays else ():
            parameter.copy_(torch.from_numpy(arrays[f"{path}/{name}"]))
    return module


class Trainer:
    """One step after another in a loop of Python.

    Args:
        workload, material: what is trained.
        channels_last: whether signals and kernels of images are kept so.
        compiled: whether `torch.compile` makes the network and its loss one function.
        adam: which of its implementations, "foreach" or "fused".
    """

    def __init__(
        self,
        workload: Workload,
        material: Material,
        channels_last: bool = False,
        compiled: bool = False,
        adam: str = "fused",
    ) -> None:
        self._workload, self._material = workload, material
        torch.manual_seed(np.random.randint(2**31))
        self._layout = torch.channels_last if channels_last else torch.contiguous_format
        arrays = channels_first.parameters(workload.chain, workload.shape, material.arrays)
        self._network = build(workload.chain, workload.shape, arrays).to(memory_format=self._layout)
        self._x, self._is_compiled = channels_first.signal(material.x), compiled
        x = torch.from_numpy(self._x).contiguous(memory_format=self._layout)
        self._batches = batches(workload, x, torch.from_numpy(material.y).long())
        self._adam = torch.optim.Adam(self._network.parameters(), workload.rate, **{adam: True})
        self._loss = torch.compile(self._eager_loss) if compiled else self._eager_loss
        self._done = 0

    def _eager_loss(self, x: Any, y: Any) -> Any:
        return nn.functional.cross_entropy(self._network(x), y)

    def predictor(self, rows: int) -> Callable[[], Any]:
        """A function that gives the logits of the first rows, from one NumPy array to another."""
        network, x = self._network.eval(), self._x[:rows]
        predict = torch.compile(network) if self._is_compiled else network

        def logits() -> Any:
            with torch.inference_mode():
                return predict(torch.from_numpy(x).contiguous(memory_format=self._layout)).numpy()

        return logits

    def epochs(self, count: int) -> float:
        """Seconds of epochs of a shuffling `DataLoader`."""
        return timed(count, self._epoch)

    def _epoch(self) -> None:
        for x, y in self._loader:
            self._step(x.contiguous(memory_format=self._layout), y)

    @cached_property
    def _loader(self) -> Any:
        x, y = self._material.epoch
        tensors = torch.from_numpy(channels_first.signal(x)), torch.from_numpy(y).long()
        return DataLoader(TensorDataset(*tensors), self._workload.batch, shuffle=True)

    def _step(self, x: Any, y: Any) -> Any:
        self._adam.zero_grad()
        loss = self._loss(x, y)
        loss.backward()
        self._adam.step()
        return loss

    def steps(self, count: int) -> float:
        """So many steps; the loss of the last one."""
        loss: Any = None
        for i in range(self._done, self._done + count):
            loss = self._step(*self._batches[i % len(self._batches)])
        self._done += count
        return float(loss.detach())
