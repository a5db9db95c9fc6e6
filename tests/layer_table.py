"""The one table of layers: how to build each, the shapes it takes and gives, what it computes, what it refuses."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from capas import nn

from . import oracles as o

AGAIN = "Give the layer inputs like those it was initialized for, or initialize it anew."
RANK = "Reshape the input with nn.Reshape, or change the rank of the window."
CHANNEL = "Add the channel axis: x[..., None]."


@dataclass(frozen=True)
class Case:
    """One row.

    Attributes:
        layer: what is tested.
        shape, output_shape: of one example.
        oracle: `oracle(arrays, x)`, with parameters and state in one tree.
        wrong_shape: of a batch that the layer, initialized for `shape`, must refuse; None where there is none.
        message: the whole text of that refusal, with `{}` where the path goes.
        symbols: for layers of integers, how many there are.
    """

    name: str
    layer: nn.Layer
    shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    oracle: o.Oracle
    wrong_shape: tuple[int, ...] | None = None
    message: str = ""
    symbols: int = 0

    def arrays(self, seed: int = 0) -> tuple[Any, Any]:
        """Float64 parameters and state, nothing at the value that it starts from."""
        rng = np.random.default_rng(seed)

        def draw(p: nn.Parameter) -> Any:
            shape = (*p.copies, *p.shape)
            if p.role == "kernel":
                return rng.normal(0.1, p.fan_in**-0.5, shape)
            return p.start + rng.uniform(0.2, 0.8, shape)

        def fill(tree: Any) -> Any:
            return draw(tree) if isinstance(tree, nn.Parameter) else {name: fill(tree[name]) for name in tree}

        return fill(self.layer.parameters(self.shape)), fill(self.layer.statistics(self.shape))

    def examples(self, count: int = 3, seed: int = 1) -> Any:
        """A batch off centre: with mean 0, second moment and variance could be confused."""
        rng = np.random.default_rng(seed)
        size = (count, *self.shape)
        return rng.integers(0, self.symbols, size) if self.symbols else rng.normal(0.7, 1.0, size)


def merged(params: Any, state: Any) -> Any:
    """Parameters and state in one tree."""
    both = {**params, **state}
    shared = params.keys() & state.keys()
    return {name: merged(params[name], state[name]) if name in shared else both[name] for name in both}


def _refused(kind: str, expected: str, got: object, remedy: str) -> str:
    return f"{kind}{{}}: expected {expected}, got {got}. {remedy}"


def _x(kind: str, expected: str, got: tuple[int, ...], remedy: str = AGAIN) -> tuple[tuple[int, ...], str]:
    """A batch of the wrong shape, and the text that refuses it."""
    return got, _refused(kind, f"x of shape (batch, {expected})", got, remedy)


DENSE = [
    Case("dense", nn.Dense(3), (4,), (3,), o.dense, *_x("Dense", "..., 4", (2, 5))),
    Case(
        "dense without bias",
        nn.Dense(3, bias=False),
        (12,),
        (3,),
        o.dense,
        *_x("Dense", "..., 12", (2, 3, 4), "Put nn.Flatten() before it."),
    ),
    Case("dense at positions", nn.Dense(3), (2, 5, 4), (2, 5, 3), o.dense, *_x("Dense", "..., 4", (2, 5, 3))),
    Case(
        "dense without a batch axis",
        nn.Dense(2),
        (4,),
        (2,),
        o.dense,
        *_x("Dense", "..., 4", (4,), "Add the batch axis: x[None]."),
    ),
]

CONV = [
    Case("conv 1d", nn.Conv(3, (3,)), (5, 2), (5, 3), o.conv([(1, 1)]), *_x("Conv", "*, 2", (2, 5, 4))),
    Case("conv even window", nn.Conv(3, (4,)), (5, 2), (5, 3), o.conv([(1, 2)]), *_x("Conv", "*, 2", (2, 5))),
    Case(
        "conv 2d",
        nn.Conv(3, (3, 2)),
        (4, 5, 2),
        (4, 5, 3),
        o.conv([(1, 1), (0, 1)]),
        *_x("Conv", "*, *, 2", (4, 5, 2), "Add the batch axis: x[None]."),
    ),
    Case(
        "conv 3d without bias",
        nn.Conv(2, (2, 3, 1), bias=False),
        (3, 4, 2, 2),
        (3, 4, 2, 2),
        o.conv([(0, 1), (1, 1), (0, 0)]),
        *_x("Conv", "*, *, *, 2", (3, 4, 2)),
    ),
    Case(
        "conv stride",
        nn.Conv(3, (3, 3), stride=(2, 3)),
        (6, 5, 2),
        (3, 2, 3),
        o.conv([(0, 1), (0, 1)], stride=(2, 3)),
        *_x("Conv", "*, *, 2", (2, 6, 5, 3)),
    ),
    Case(
        "conv dilation",
        nn.Conv(2, (3, 2), dilation=(2, 3)),
        (6, 5, 2),
        (6, 5, 2),
        o.conv([(2, 2), (1, 2)], dilation=(2, 3)),
        *_x("Conv", "*, *, 2", (2, 6, 5, 1)),
    ),
    Case(
        "conv groups",
        nn.Conv(6, (3,), groups=2),
        (5, 4),
        (5, 6),
        o.conv([(1, 1)], groups=2),
        *_x("Conv", "*, 4", (2, 5, 2)),
    ),
    Case(
        "conv depthwise",
        nn.Conv(4, (3, 3), groups=4),
        (4, 3, 4),
        (4, 3, 4),
        o.conv([(1, 1), (1, 1)], groups=4),
        *_x("Conv", "*, *, 4", (2, 4, 3, 1)),
    ),
    Case(
        "conv circular",
        nn.Conv(2, (4, 3), padding="circular"),
        (5, 3, 2),
        (5, 3, 2),
        o.conv([(1, 2), (1, 1)], wrap=True),
        *_x("Conv", "*, *, 2", (2, 5, 3, 3)),
    ),
    Case(
        "conv circular stride dilation",
        nn.Conv(2, (3,), stride=2, dilation=2, padding="circular"),
        (7, 2),
        (4, 2),
        o.conv([(2, 2)], stride=(2,), dilation=(2,), wrap=True),
        *_x("Conv", "*, 2", (2, 7, 3)),
    ),
    Case(
        "conv valid",
        nn.Conv(2, (3, 2), stride=2, padding="valid"),
        (6, 4, 2),
        (2, 2, 2),
        o.conv([(0, 0), (0, 0)], stride=(2, 2)),
        (2, 2, 4, 2),
        _refused(
            "Conv",
            "positions of at least (3, 2), the reach of its window",
            "(2, 4) with padding 'valid'",
            'Use padding="same", a smaller window, or fewer layers that shrink the signal before it.',
        ),
    ),
    Case(
        "conv explicit padding",
        nn.Conv(2, (3, 2), padding=((2, 0), (1, 3))),
        (4, 3, 2),
        (4, 6, 2),
        o.conv([(2, 0), (1, 3)]),
        *_x("Conv", "*, *, 2", (2, 4, 3, 3)),
    ),
]

CONV_TRANSPOSE = [
    Case(
        "conv transpose 1d",
        nn.ConvTranspose(3, (4,), stride=2),
        (4, 2),
        (8, 3),
        o.conv_transpose([(1, 1)], stride=(2,)),
        *_x("ConvTranspose", "*, 2", (2, 4, 3)),
    ),
    Case(
        "conv transpose gaps",
        nn.ConvTranspose(3, (2,), stride=3),
        (4, 2),
        (12, 3),
        o.conv_transpose([(0, -1)], stride=(3,)),
        *_x("ConvTranspose", "*, 2", (2, 4)),
    ),
    Case(
        "conv transpose 2d valid",
        nn.ConvTranspose(2, (3, 2), stride=(2, 1), padding="valid"),
        (3, 4, 2),
        (7, 5, 2),
        o.conv_transpose([(0, 0), (0, 0)], stride=(2, 1)),
        *_x("ConvTranspose", "*, *, 2", (3, 4, 2), "Add the batch axis: x[None]."),
    ),
    Case(
        "conv transpose dilation",
        nn.ConvTranspose(2, (3, 2), stride=2, dilation=(2, 1), padding=((1, 2), (0, 1)), bias=False),
        (3, 3, 2),
        (6, 5, 2),
        o.conv_transpose([(1, 2), (0, 1)], stride=(2, 2), dilation=(2, 1)),
        *_x("ConvTranspose", "*, *, 2", (2, 3, 3, 1)),
    ),
    Case(
        "conv transpose 3d",
        nn.ConvTranspose(2, (2, 2, 2), stride=2),
        (2, 1, 2, 3),
        (4, 2, 4, 2),
        o.conv_transpose([(0, 0)] * 3, stride=(2, 2, 2)),
        *_x("ConvTranspose", "*, *, *, 3", (2, 2, 1, 2, 2)),
    ),
]

POOL = [
    Case(
        "max pool",
        nn.MaxPool((2, 2)),
        (5, 4, 2),
        (2, 2, 2),
        o.pool(np.max, (2, 2), (2, 2), [(0, 0), (0, 0)]),
        *_x("MaxPool", "*, *, 2", (5, 4, 2), "Add the batch axis: x[None]."),
    ),
    Case(
        "max pool overlapping same",
        nn.MaxPool((3,), stride=2, padding="same"),
        (6, 2),
        (3, 2),
        o.pool(np.max, (3,), (2,), [(0, 1)]),
        *_x("MaxPool", "*, 2", (6, 2), "Add the batch axis: x[None]."),
    ),
    Case(
        "max pool 3d",
        nn.MaxPool((2, 1, 3), stride=(1, 1, 3)),
        (3, 2, 4, 2),
        (2, 2, 1, 2),
        o.pool(np.max, (2, 1, 3), (1, 1, 3), [(0, 0)] * 3),
        *_x("MaxPool", "*, *, *, 2", (3, 4, 2)),
    ),
    Case(
        "avg pool",
        nn.AvgPool((2,)),
        (5, 2),
        (2, 2),
        o.pool(np.mean, (2,), (2,), [(0, 0)]),
        (2, 1, 2),
        _refused(
            "AvgPool",
            "positions of at least (2,), the reach of its window",
            "(1,) with padding 'valid'",
            'Use padding="same", a smaller window, or fewer layers that shrink the signal before it.',
        ),
    ),
    Case(
        "avg pool same",
        nn.AvgPool((2, 3), padding="same"),
        (5, 4, 2),
        (3, 2, 2),
        o.pool(np.mean, (2, 3), (2, 3), [(0, 1), (1, 1)]),
        *_x("AvgPool", "*, *, 2", (5, 2)),
    ),
    Case(
        "avg pool overlapping explicit",
        nn.AvgPool((3, 2), stride=(2, 1), padding=((1, 2), (0, 1))),
        (4, 3, 2),
        (3, 3, 2),
        o.pool(np.mean, (3, 2), (2, 1), [(1, 2), (0, 1)]),
        *_x("AvgPool", "*, *, 2", (4, 3, 2), "Add the batch axis: x[None]."),
    ),
    Case(
        "global max pool",
        nn.GlobalMaxPool(),
        (3, 4, 2),
        (2,),
        o.global_pool(np.max),
        (2, 3),
        _refused("GlobalMaxPool", "examples of shape (positions, channels)", "(3,)", RANK),
    ),
    Case(
        "global avg pool",
        nn.GlobalAvgPool(),
        (5, 2),
        (2,),
        o.global_pool(np.mean),
        (2, 3),
        _refused("GlobalAvgPool", "examples of shape (positions, channels)", "(3,)", RANK),
    ),
]

SHAPE = [
    Case("flatten", nn.Flatten(), (2, 3, 2), (12,), o.reshape(12)),
    Case("flatten scalars", nn.Flatten(), (), (1,), o.reshape(1)),
    Case(
        "reshape",
        nn.Reshape((2, -1, 2)),
        (12,),
        (2, 3, 2),
        o.reshape(2, 3, 2),
        (2, 13),
        _refused(
            "Reshape", "examples that fill shape (2, -1, 2)", "(13,), 13 numbers", "Change one of the two shapes."
        ),
    ),
    Case("embedding", nn.Embedding(5, 3), (4,), (4, 3), o.embedding, symbols=5),
]

ACTIVATION = [
    Case("activation", nn.Activation("tanh"), (4,), (4,), o.elementwise(np.tanh)),
    Case(
        "activation with an option",
        nn.Activation("leaky_relu", negative_slope=0.2),
        (2, 3),
        (2, 3),
        o.elementwise(lambda x: np.where(x > 0, x, 0.2 * x)),
    ),
    Case("prelu", nn.PReLU(), (2, 3), (2, 3), o.prelu, *_x("PReLU", "..., 3", (2, 4))),
    Case("prelu start", nn.PReLU(start=-0.5), (3,), (3,), o.prelu, *_x("PReLU", "..., 3", (2, 2))),
    Case("swish", nn.Swish(start=2.0), (3,), (3,), o.swish, *_x("Swish", "..., 3", (2, 4))),
    Case(
        "shaped",
        nn.Shaped("sigmoid", alpha=0.5, beta=-1.25, gamma=3.5, delta=-0.25),
        (2, 3),
        (2, 3),
        o.shaped(o.elementwise(lambda x: 1 / (1 + np.exp(-x))), 0.5, -1.25, 3.5, -0.25),
    ),
    Case(
        "shaped with a parameter",
        nn.Shaped(nn.PReLU(start=0.5), beta=0.75, gamma=1.5),
        (2, 3),
        (2, 3),
        o.shaped(o.prelu, 1.0, 0.75, 1.5, 0.0),
        *_x("PReLU", "..., 3", (2, 4)),
    ),
    Case(
        "softmax",
        nn.Softmax(),
        (2, 4),
        (2, 4),
        o.softmax,
        *_x("Softmax", "..., 4", (4,), "Add the batch axis: x[None]."),
    ),
    Case(
        "log softmax",
        nn.LogSoftmax(),
        (4,),
        (4,),
        o.log_softmax,
        *_x("LogSoftmax", "..., 4", (4,), "Add the batch axis: x[None]."),
    ),
    Case("dropout", nn.Dropout(0.5), (4,), (4,), o.identity),
]

NORMALIZATION = [
    Case("batch norm", nn.BatchNorm(), (4,), (4,), o.batch_norm(), *_x("BatchNorm", "..., 4", (2, 3))),
    Case(
        "batch norm at positions",
        nn.BatchNorm(momentum=0.5, epsilon=0.1, scale=False),
        (3, 2, 4),
        (3, 2, 4),
        o.batch_norm(0.1),
        *_x("BatchNorm", "..., 4", (2, 3, 2, 5)),
    ),
    Case("layer norm", nn.LayerNorm(), (2, 4), (2, 4), o.layer_norm(), *_x("LayerNorm", "..., 4", (2, 2, 3))),
    Case(
        "layer norm plain",
        nn.LayerNorm(epsilon=0.1, scale=False, bias=False),
        (4,),
        (4,),
        o.layer_norm(0.1),
        *_x("LayerNorm", "..., 4", (4,), "Add the batch axis: x[None]."),
    ),
    Case("rms norm", nn.RMSNorm(), (2, 4), (2, 4), o.rms_norm(), *_x("RMSNorm", "..., 4", (2, 5))),
    Case(
        "rms norm plain",
        nn.RMSNorm(epsilon=0.1, scale=False),
        (4,),
        (4,),
        o.rms_norm(0.1),
        *_x("RMSNorm", "..., 4", (4,), "Add the batch axis: x[None]."),
    ),
    Case("group norm", nn.GroupNorm(2), (3, 4), (3, 4), o.group_norm(2), *_x("GroupNorm", "..., 4", (2, 3, 6))),
    Case(
        "group norm of features",
        nn.GroupNorm(2, epsilon=0.1, scale=False, bias=False),
        (6,),
        (6,),
        o.group_norm(2, 0.1),
        (2, 3),
        _refused("GroupNorm", "a number of groups that divides the 3 channels", "groups=2", "Choose a divisor of 3."),
    ),
    Case(
        "instance norm",
        nn.InstanceNorm(epsilon=0.01, bias=False),
        (3, 2, 2),
        (3, 2, 2),
        o.instance_norm(2, 0.01),
        (3, 2),
        _refused("InstanceNorm", "examples of shape (positions, channels)", "(2,)", RANK),
    ),
    Case(
        "weight standardized dense",
        nn.WeightStandardized(nn.Dense(3)),
        (4,),
        (3,),
        o.weight_standardized(o.dense),
        *_x("Dense", "..., 4", (2, 5)),
    ),
    Case(
        "weight standardized conv",
        nn.WeightStandardized(nn.Conv(4, (3,), groups=2, bias=False), epsilon=0.01),
        (5, 4),
        (5, 4),
        o.weight_standardized(o.conv([(1, 1)], groups=2), 0.01),
        *_x("Conv", "*, 4", (2, 5, 3)),
    ),
]

_net = o.chain(encoder=o.chain(o.reshape(6), o.dense), act=o.elementwise(np.tanh), norm=o.batch_norm(), head=o.dense)
_unit = o.chain(o.dense, o.batch_norm(), o.elementwise(np.tanh))
_relu = o.elementwise(lambda x: np.maximum(x, 0))

COMPOSE = [
    Case(
        "sequential",
        nn.Sequential(
            encoder=nn.Sequential(nn.Flatten(), nn.Dense(4)),
            act="tanh",
            norm=nn.BatchNorm(),
            head=nn.Dense(2, bias=False),
        ),
        (2, 3),
        (2,),
        _net,
        (5, 2, 4),
        "Dense{}: expected x of shape (batch, ..., 6), got (5, 8). " + AGAIN,
    ),
    Case("sequential of nothing", nn.Sequential(), (3,), (3,), o.identity),
    Case(
        "residual",
        nn.Residual(nn.Sequential("relu", nn.Dense(4))),
        (4,),
        (4,),
        o.residual(o.chain(_relu, o.dense)),
        (2, 3),
        _refused(
            "Residual",
            "a block that gives (3,), the shape on the skip",
            "(4,)",
            "Give it a shortcut that makes the same shape: nn.Dense(n), or nn.Conv(n, (1, 1), stride=...).",
        ),
    ),
    Case(
        "residual with a shortcut",
        nn.Residual(nn.Dense(2), shortcut=nn.Dense(2, bias=False), scale=0.5),
        (4,),
        (2,),
        o.residual(o.dense, o.dense, 0.5),
        (2, 3),
        "Dense{}: expected x of shape (batch, ..., 4), got (2, 3). " + AGAIN,
    ),
    Case(
        "parallel sum",
        nn.Parallel((nn.Dense(3), "tanh", nn.BatchNorm())),
        (3,),
        (3,),
        o.parallel(sum, o.dense, o.elementwise(np.tanh), o.batch_norm()),  # type: ignore[arg-type]
        (2, 4),
        _refused(
            "Parallel",
            "branches of one shape",
            "(3,), (4,), (4,)",
            'Change the last layer of a branch, or use combine="concatenate".',
        ),
    ),
    Case(
        "parallel mean",
        nn.Parallel((nn.Dense(3), nn.Dense(3, bias=False), "identity"), combine="mean"),
        (3,),
        (3,),
        o.parallel(lambda ys: np.mean(ys, axis=0), o.dense, o.dense, o.identity),
        (2, 2),
        _refused(
            "Parallel",
            "branches of one shape",
            "(3,), (3,), (2,)",
            'Change the last layer of a branch, or use combine="concatenate".',
        ),
    ),
    Case(
        "parallel product",
        nn.Parallel((nn.Dense(2), nn.Sequential(nn.Dense(2), "sigmoid")), combine="product"),
        (3,),
        (2,),
        o.parallel(lambda ys: ys[0] * ys[1], o.dense, o.chain(o.dense, o.elementwise(lambda x: 1 / (1 + np.exp(-x))))),
        (2, 4),
        "Dense{}: expected x of shape (batch, ..., 3), got (2, 4). " + AGAIN,
    ),
    Case(
        "parallel concatenate",
        nn.Parallel((nn.Conv(2, (3,)), nn.Conv(3, (1,))), combine="concatenate"),
        (4, 2),
        (4, 5),
        o.parallel(lambda ys: np.concatenate(ys, axis=-1), o.conv([(1, 1)]), o.conv([(0, 0)])),
        (2, 4),
        _refused("Conv", "examples of shape (length, channels)", "(4,)", CHANNEL),
    ),
    Case(
        "repeat",
        nn.Repeat(nn.Sequential(nn.Dense(3), nn.BatchNorm(), "tanh"), 3),
        (3,),
        (3,),
        o.repeat(_unit, 3),
        (2, 4),
        _refused(
            "Repeat",
            "a block that keeps the shape (4,) of its input",
            "(3,)",
            "Change the block's last layer, or put a layer before the Repeat that makes the block's shape.",
        ),
    ),
    Case(
        "repeat in repeat",
        nn.Repeat(nn.Repeat(nn.Residual(nn.Conv(2, (3,), padding="circular"), scale=0.7), 2), 2),
        (4, 2),
        (4, 2),
        o.repeat(o.repeat(o.residual(o.conv([(1, 1)], wrap=True), scale=0.7), 2), 2),
        (2, 4, 3),
        "Residual{}: expected a block that gives (4, 3), the shape on the skip, got (4, 2). "
        "Give it a shortcut that makes the same shape: nn.Dense(n), or nn.Conv(n, (1, 1), stride=...).",
    ),
]

CASES = [*DENSE, *CONV, *CONV_TRANSPOSE, *POOL, *SHAPE, *ACTIVATION, *NORMALIZATION, *COMPOSE]
