"""What is trained: networks, the sizes of batches, and the data, which are random."""

from __future__ import annotations

from dataclasses import dataclass

from .architecture import (
    BatchNorm,
    Chain,
    Conv,
    Dense,
    Flatten,
    MaxPool,
    Mean,
    Relu,
    Repeat,
    Residual,
    Shape,
    operations,
)


@dataclass(frozen=True)
class Workload:
    """A network and its batches.

    Attributes:
        number: by which it is called for.
        title: in tables.
        chain: the network, from logits' loss back to examples of `shape`.
        batch: examples in a step.
        batches: how many there are, taken in turn.
        classes: of the targets.
        scheme: of the initial weights; "auto" is the default of capas, where He's leave no signal.
        rate: of Adam; lower where the first step, in which Adam takes no more than signs, would make rounding large.
    """

    number: int
    title: str
    chain: Chain
    shape: Shape
    batch: int = 128
    batches: int = 64
    classes: int = 10
    scheme: str = "he"
    rate: float = 1e-3

    @property
    def operations(self) -> int:
        """Floating-point operations of a step."""
        return self.batch * operations(self.chain, self.shape)


def mlp(*widths: int) -> Chain:
    """Dense layers with ReLU between them."""
    return tuple(layer for width in widths for layer in (Dense(width), Relu()))[:-1]


def norm_conv(features: int, stride: int = 1, window: Shape = (3, 3)) -> Chain:
    """A convolution and its normalization."""
    return Conv(features, window, stride, bias=False), BatchNorm()


def residual(features: int, stride: int) -> Chain:
    """A block of two convolutions; a convolution of one position on the skip where the shape changes."""
    block = (*norm_conv(features, stride), Relu(), *norm_conv(features))
    shortcut = norm_conv(features, stride, (1, 1)) if stride > 1 else ()
    return Residual(block, shortcut), Relu()


def resnet_20() -> Chain:
    """Three stages of three blocks. Source: He et al. (2016), section 4.2, with projections on the skips."""
    strides = {16: 1, 32: 2, 64: 2}
    blocks = [residual(n, stride if i == 0 else 1) for n, stride in strides.items() for i in range(3)]
    return *norm_conv(16), Relu(), *(layer for block in blocks for layer in block), Mean(), Dense(10)


def convolutional() -> Chain:
    """Two convolutions, each with pooling, and a dense layer."""
    stages = [(Conv(n, (3, 3)), Relu(), MaxPool((2, 2))) for n in (32, 64)]
    return *stages[0], *stages[1], Flatten(), Dense(10)


def temporal() -> Chain:
    """Three convolutions over time."""
    stages = [(Conv(64, (5,)), Relu(), MaxPool((2,))) for _ in range(3)]
    return *stages[0], *stages[1], *stages[2], Mean(), Dense(6)


def deep() -> Chain:
    """1000 hidden layers."""
    return Dense(64), Relu(), Repeat((Dense(64), Relu()), 999), Dense(10)


WORKLOADS = (
    Workload(1, "MLP 784-64³-10", mlp(64, 64, 64, 10), (784,)),
    Workload(2, "MLP 784-512³-10", mlp(512, 512, 512, 10), (784,)),
    Workload(3, "MLP 784-256⁵⁰-10", mlp(*[256] * 50, 10), (784,), rate=1e-4),
    Workload(4, "1000 layers × 64", deep(), (784,), scheme="auto", rate=1e-5),
    Workload(5, "CNN 32-64, 28×28", convolutional(), (28, 28, 1)),
    Workload(6, "ResNet-20, 32×32×3", resnet_20(), (32, 32, 3), batch=64),
    Workload(7, "1-D CNN 64³, 6×100", temporal(), (100, 6), classes=6),
    Workload(8, "tabular 40-256²-5", mlp(256, 256, 5), (40,), batch=32, classes=5),
    Workload(9, "MLP 784-512³-10, 4096", mlp(512, 512, 512, 10), (784,), batch=4096, batches=8),
)
BY_NUMBER = {workload.number: workload for workload in WORKLOADS}
