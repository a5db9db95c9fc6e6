"""The one table of networks on which what `capas.propagate` predicts is held against what many draws measure.

Widths are 256 or more, since the theory is that of wide layers. Where statistics of a batch or of positions are taken,
there are enough of them: a variance over n numbers is off by a few 1/n, and so is what is divided by it. Logits before a
softmax are small, since a sum of exponentials of large ones is that of a few of them, however wide the layer.

Batches have a size that no other axis has: the oracle knows the batch by it.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp

from capas import nn, weights
from capas.signal import Entries

WIDTH = 256
Function = Callable[[Any, jax.Array], jax.Array]
Draw = Callable[[int], Any]


@dataclass(frozen=True)
class Architecture:
    """A network of layers.

    Attributes:
        network: the description.
        shape: of one example.
        mean: of the input; its standard deviation is 1.
        scheme: of the kernels.
        bias_std: of the biases, which are normal with mean 0.
        training: whether it runs as in training, with random numbers and the statistics of the batch.
        batch: examples in a draw; fewer for convolutions, which average over positions too.
        draws: of the weights.
        narrow: whether gradients at signals of a few units, such as the variance of an example, are held against the
            prediction too. Not where a normalization follows a normalization: what the second one removes from a
            gradient is a negligible part of each unit's, and most or all of their sum, which is what reaches the first
            one's statistics.
        tolerance: the share of a moment that is allowed, where it is not the 2 % that hold elsewhere: for what softmax
            sums before it divides, and for the gradients of what normalization learns between skips that end in
            activations, where two signals are read as one.
        gap: what is known not to hold, where the prediction is off by more than that.
    """

    network: nn.Layer
    shape: tuple[int, ...] = (WIDTH,)
    mean: float = 0.0
    scheme: weights.Scheme | str = weights.LeCun()  # noqa: RUF009  (frozen)
    bias_std: float = 0.0
    training: bool = False
    batch: int = 64
    draws: int = 30
    narrow: bool = True
    tolerance: float = 0.02
    gap: str = ""


@dataclass(frozen=True)
class Program:
    """A plain function `function(params, x)` of square matrices, named by the keys of the params.

    Attributes:
        function: the program.
        kernels: the names of its matrices.
        gain: of their entries, which are N(0, gain² / width).
        shape, mean, batch, draws, narrow, tolerance: as for an `Architecture`.
    """

    function: Function
    kernels: tuple[str, ...]
    gain: float = 1.0
    shape: tuple[int, ...] = (WIDTH,)
    mean: float = 0.0
    batch: int = 64
    draws: int = 30
    narrow: bool = True
    tolerance: float = 0.02
    gap: str = ""


def build(row: Architecture | Program) -> tuple[Function, Draw]:
    """`function(params, x)`, and `draw(seed)`, which gives params in float32."""
    return _of_matrices(row) if isinstance(row, Program) else _of_layers(row)


def law(row: Architecture | Program) -> Any:
    """What the params are draws of: a tree of the same form."""
    if isinstance(row, Program):
        return {name: Entries((WIDTH, WIDTH), std=row.gain * WIDTH**-0.5) for name in row.kernels}
    declared = row.network.parameters(row.shape)
    known = weights.laws(row.network, row.shape, row.scheme)
    return jax.tree.map(lambda p, entries: _with_bias(p, entries, row.bias_std), declared, known)


def _with_bias(parameter: nn.Parameter, entries: Entries, std: float) -> Entries:
    return replace(entries, std=std) if parameter.role == "bias" else entries


def _key(name: str, seed: int) -> jax.Array:
    """Every network has draws of its own, so that what is rare in some of them is not in all."""
    return jax.random.fold_in(jax.random.key(zlib.crc32(name.encode())), seed)


def _of_matrices(row: Program) -> tuple[Function, Draw]:
    def draw(seed: int) -> dict[str, jax.Array]:
        key = _key(row.function.__name__, seed)
        drawn = row.gain * WIDTH**-0.5 * jax.random.normal(key, (len(row.kernels), WIDTH, WIDTH))
        return dict(zip(row.kernels, drawn, strict=True))

    return row.function, draw


def _of_layers(row: Architecture) -> tuple[Function, Draw]:
    _, state = weights.initialize(row.network, jax.random.key(0), row.shape, row.scheme)
    declared = row.network.parameters(row.shape)

    def function(params: Any, x: jax.Array) -> jax.Array:
        key = jax.random.key(1) if row.training else None
        return row.network.apply(params, state, x, key=key, training=row.training)[0]

    def draw(seed: int) -> Any:
        for_kernels, for_biases = jax.random.split(_key(repr(row.network), seed))
        params, _ = weights.initialize(row.network, for_kernels, row.shape, row.scheme)
        return _with_biases(declared, params, for_biases, row.bias_std) if row.bias_std else params

    return function, draw


def _with_biases(declared: Any, params: Any, key: jax.Array, std: float) -> Any:
    leaves, tree = jax.tree.flatten(params)
    keys = jax.random.split(key, len(leaves))
    roles = [parameter.role for parameter in jax.tree.leaves(declared)]
    drawn = [
        std * jax.random.normal(k, leaf.shape) if role == "bias" else leaf
        for k, leaf, role in zip(keys, leaves, roles, strict=True)
    ]
    return jax.tree.unflatten(tree, drawn)


def _dense(features: int = WIDTH) -> nn.Dense:
    return nn.Dense(features)


def _chain(*between: object, width: int = WIDTH) -> nn.Sequential:
    """Dense layers with something between each two."""
    layers: list[object] = [_dense(width)]
    for layer in between:
        layers += [layer, _dense(width)]
    return nn.Sequential(*layers)


def _normalized(norm: nn.Layer, activation: str, depth: int) -> nn.Sequential:
    """A deep chain of dense layers, a normalization and an activation between each two."""
    block = nn.Sequential(norm, activation, _dense(2 * WIDTH))
    return nn.Sequential(_dense(2 * WIDTH), nn.Repeat(block, depth), norm, activation, _dense(2 * WIDTH))


def _conv(**options: Any) -> nn.Conv:
    return nn.Conv(**{"features": WIDTH, "window": (3, 3), **options})


def _cnn(*between: object, **options: Any) -> nn.Sequential:
    """Convolutions with something between each two."""
    layers: list[object] = [_conv(**options)]
    for layer in between:
        layers += [layer, _conv(**options)]
    return nn.Sequential(*layers)


def _images(network: nn.Layer, size: int = 6, **options: Any) -> Architecture:
    """Small images with many channels, weights for ReLU."""
    return Architecture(network, (size, size, WIDTH), **{"batch": 8, "scheme": weights.He(), **options})


def _sequences(network: nn.Layer, **options: Any) -> Architecture:
    return Architecture(network, (12, WIDTH), **{"batch": 16, "scheme": weights.He(), **options})


def _auto(network: nn.Layer, **options: Any) -> Architecture:
    """Weights as they are by default, and an input off its centre."""
    return Architecture(network, **{"mean": 0.7, "scheme": "auto", **options})


def _auto_images(network: nn.Layer, size: int = 6, **options: Any) -> Architecture:
    return _auto(network, shape=(size, size, WIDTH), **{"batch": 8, **options})


def _shared(params: Any, x: jax.Array) -> jax.Array:
    """The same matrix in two layers, one after the other."""
    x = jax.nn.relu(x @ params["w"])
    x = jax.nn.relu(x @ params["w"])
    return x @ params["head"]


def _shared_sum(params: Any, x: jax.Array) -> jax.Array:
    """The same matrix in two terms of a sum, which are then not independent: their inputs have a product."""
    x = x @ params["w"] + jax.nn.relu(x @ params["v"]) @ params["w"]
    return jnp.tanh(x) @ params["head"]


RELU, LECUN = weights.He(), weights.LeCun
CHAINS = {
    "relu": Architecture(_chain("relu", "relu", "relu"), scheme=RELU),
    "leaky relu, relu6": Architecture(_chain("leaky_relu", "relu6"), scheme=RELU),
    "relu squared, identity": Architecture(_chain("identity", "relu_squared"), scheme=LECUN(0.8)),
    "elu, celu": Architecture(_chain("elu", "celu"), scheme=LECUN(1.2)),
    "selu, lecun tanh": Architecture(_chain("selu", "lecun_tanh")),
    "gelu, exact gelu": Architecture(_chain("gelu", "gelu_exact"), scheme=LECUN(1.5)),
    "quick gelu, silu": Architecture(_chain("quick_gelu", "silu"), scheme=LECUN(1.5)),
    "mish, softplus": Architecture(_chain("mish", "softplus"), scheme=LECUN(1.2)),
    "squareplus, sparse plus": Architecture(_chain("squareplus", "sparse_plus")),
    "sigmoid, log sigmoid": Architecture(_chain("sigmoid", "log_sigmoid"), scheme=LECUN(1.5)),
    "hard sigmoid, sparse sigmoid": Architecture(_chain("hard_sigmoid", "sparse_sigmoid"), scheme=LECUN(2.0)),
    "hard silu, hard tanh": Architecture(_chain("hard_silu", "hard_tanh"), scheme=LECUN(1.5)),
    "tanh, erf": Architecture(_chain("tanh", "erf", "tanh"), scheme=LECUN(1.5)),
    "tanh shrink, soft shrink": Architecture(_chain("tanh_shrink", "soft_shrink"), scheme=LECUN(2.0)),
    "soft sign, arctan": Architecture(_chain("soft_sign", "arctan"), scheme=LECUN(1.5)),
    "hard shrink, abs": Architecture(_chain("hard_shrink", "abs")),
    "sin, exp": Architecture(_chain("sin", "exp"), scheme=LECUN(0.8)),
}
INPUTS_AND_WEIGHTS = {
    "linear": Architecture(_chain("identity", "identity"), mean=0.7, bias_std=0.3),
    "off-centre relu": Architecture(_chain("relu", "relu"), mean=0.7, scheme=RELU),
    "off-centre tanh, biases": Architecture(_chain("tanh", "tanh"), mean=0.7, scheme=LECUN(1.3), bias_std=0.3),
    "off-centre gelu, silu": Architecture(_chain("gelu", "silu"), mean=0.7, scheme=LECUN(1.3)),
    "off-centre, activation first": Architecture(
        nn.Sequential("tanh", nn.Dense(WIDTH), "softplus", nn.Dense(WIDTH)), mean=0.7
    ),
    "relu, biases": Architecture(_chain("relu", "relu"), scheme=RELU, bias_std=0.3),
    "sigmoid, sin, biases": Architecture(_chain("sigmoid", "sin"), scheme=LECUN(2.0), bias_std=0.3),
    "tanh, large weights": Architecture(_chain("tanh", "tanh", "tanh"), scheme=LECUN(3.0)),
    "silu, small weights": Architecture(_chain("silu", "silu", "silu"), scheme=LECUN(0.5)),
    "relu, large weights": Architecture(_chain("relu", "relu"), mean=0.7, scheme=LECUN(4.0)),
    "orthogonal tanh": Architecture(_chain("tanh", "tanh"), scheme=weights.Orthogonal(1.5)),
    "uniform weights, widths": Architecture(
        nn.Sequential(nn.Dense(512), "elu", nn.Dense(256), "tanh", nn.Dense(384)), scheme=weights.Glorot(1.5)
    ),
    "truncated weights by fan-out": Architecture(
        nn.Sequential(nn.Dense(384), "relu", nn.Dense(512), "relu", nn.Dense(256)),
        scheme=weights.He(mode="fan_out", distribution="truncated_normal"),
    ),
    "relu twice": Architecture(nn.Sequential(nn.Dense(WIDTH), "relu", "relu", nn.Dense(WIDTH)), scheme=RELU),
    "abs, then sin": Architecture(nn.Sequential(nn.Dense(WIDTH), "abs", "sin", nn.Dense(WIDTH)), bias_std=0.3),
    "prelu, swish": Architecture(_chain(nn.PReLU(), nn.Swish()), scheme=LECUN(1.3)),
    "softmax at the end": Architecture(
        nn.Sequential(_chain("relu"), nn.Softmax()), scheme=LECUN(0.7), narrow=False, tolerance=0.07
    ),
    "log softmax at the end": Architecture(
        nn.Sequential(_chain("tanh"), nn.LogSoftmax()), scheme=LECUN(0.8), narrow=False, tolerance=0.07
    ),
    "dense on sequences": _sequences(_chain("relu", "gelu"), mean=0.7),
}
BRANCHES = {
    "residual activation": Architecture(_chain(nn.Residual("relu"), nn.Residual("tanh"))),
    "residual identity": Architecture(_chain(nn.Residual("identity"), "relu")),
    "residual ending in dense": Architecture(
        nn.Sequential(nn.Dense(WIDTH), *[nn.Residual(nn.Sequential("relu", nn.Dense(WIDTH)))] * 2), scheme=RELU
    ),
    "residual ending in activation": Architecture(
        nn.Sequential(*[nn.Residual(nn.Sequential(nn.Dense(WIDTH), "relu"))] * 2, nn.Dense(WIDTH)), mean=0.7
    ),
    "scaled residual": Architecture(
        nn.Sequential(nn.Dense(WIDTH), *[nn.Residual(nn.Sequential("gelu", nn.Dense(WIDTH)), scale=0.5)] * 3)
    ),
    "post-activation residual": Architecture(
        nn.Sequential(*[nn.Residual(_chain("relu")), "relu"] * 2, nn.Dense(WIDTH)), scheme=RELU
    ),
    "post-activation residual, 3 of batch norm": Architecture(
        nn.Sequential(
            _dense(2 * WIDTH),
            *["relu", nn.Residual(nn.Sequential(_dense(2 * WIDTH), nn.BatchNorm()))] * 3,
            _dense(2 * WIDTH),
        ),
        scheme=RELU,
        training=True,
        batch=700,
        narrow=False,
        tolerance=0.08,
    ),
    "pre-activation residual, 6": Architecture(
        nn.Sequential(*[nn.Residual(nn.Sequential("relu", nn.Dense(WIDTH)))] * 6), mean=0.7
    ),
    "residual with shortcut": Architecture(
        nn.Sequential(nn.Residual(_chain("tanh"), shortcut=nn.Dense(WIDTH)), "tanh", nn.Dense(WIDTH)), bias_std=0.3
    ),
    "residual of layer norm": Architecture(
        nn.Sequential(*[nn.Residual(nn.Sequential(nn.LayerNorm(), "relu", nn.Dense(WIDTH)))] * 3),
        scheme=RELU,
        narrow=False,
    ),
    "gating": Architecture(
        _chain(nn.Parallel((nn.Dense(WIDTH), nn.Sequential(nn.Dense(WIDTH), "sigmoid")), "product")), scheme=LECUN(1.5)
    ),
    "self-gating": Architecture(_chain(nn.Parallel(("identity", "tanh"), "product")), scheme=LECUN(1.2), bias_std=0.3),
    "concatenation of laws": Architecture(
        _chain(nn.Sequential(nn.Parallel((nn.Dense(WIDTH), "relu", "sin"), "concatenate"), "tanh")), scheme=LECUN(1.5)
    ),
    "parallel sum": Architecture(_chain(nn.Sequential(nn.Parallel((nn.Dense(WIDTH), "relu")), "tanh"))),
    "parallel mean": Architecture(_chain(nn.Parallel((nn.Dense(WIDTH), "abs", "identity"), "mean")), mean=0.7),
    "repeat, 10": Architecture(nn.Repeat(nn.Sequential(nn.Dense(WIDTH), "tanh"), 10), scheme=LECUN(1.3), bias_std=0.1),
    "repeat of residual, 10": Architecture(
        nn.Repeat(nn.Residual(nn.Sequential("relu", nn.Dense(WIDTH)), scale=0.5), 10), mean=0.7
    ),
    "shared weights": Program(_shared, ("head", "w"), gain=1.4),
    "shared weights, summed": Program(_shared_sum, ("head", "v", "w"), gain=0.8, mean=0.7),
}
NORMS = {
    "layer norm": Architecture(
        _chain(*[nn.Sequential(nn.LayerNorm(), "relu")] * 2), scheme=LECUN(2.0), mean=0.7, narrow=False
    ),
    "layer norm of relu": Architecture(_chain(nn.Sequential("relu", nn.LayerNorm())), scheme=LECUN(2.0)),
    "rms norm": Architecture(
        _chain(*[nn.Sequential(nn.RMSNorm(), "gelu")] * 2, width=768),
        (768,),
        scheme=LECUN(2.0),
        bias_std=0.3,
        narrow=False,
    ),
    "rms norm of relu": Architecture(_chain(nn.Sequential("relu", nn.RMSNorm()), width=512), (512,), scheme=LECUN(2.0)),
    "batch norm": Architecture(
        nn.Sequential(*[_dense(2 * WIDTH), nn.BatchNorm(), "relu"] * 2, _dense(2 * WIDTH)),
        scheme=LECUN(2.0),
        mean=0.7,
        training=True,
        batch=700,
    ),
    "batch norm of relu": Architecture(
        nn.Sequential(_dense(2 * WIDTH), "relu", nn.BatchNorm(), _dense(2 * WIDTH)),
        scheme=LECUN(2.0),
        training=True,
        batch=700,
    ),
    "batch norm, inference": Architecture(_chain(nn.Sequential(nn.BatchNorm(), "tanh")), bias_std=0.3),
    "batch norm on sequences": _sequences(
        _cnn(nn.Sequential(nn.BatchNorm(), "relu"), window=(3,)), training=True, batch=60
    ),
    "group norm": _images(
        _cnn(nn.Sequential(nn.GroupNorm(8), "relu"), nn.Sequential(nn.GroupNorm(4), "tanh")), narrow=False, draws=60
    ),
    "group norm of relu": _sequences(_cnn(nn.Sequential("relu", nn.GroupNorm(4)), window=(3,)), mean=0.7),
    "instance norm": Architecture(
        _cnn(nn.Sequential(nn.InstanceNorm(), "relu"), window=(3,)), (300, WIDTH), scheme=RELU, batch=4
    ),
    "standardized weights": Architecture(
        nn.Sequential(*[nn.WeightStandardized(nn.Dense(WIDTH)), "relu"] * 2, nn.Dense(WIDTH)), mean=0.7
    ),
    "standardized convolution": _images(
        nn.Sequential(nn.WeightStandardized(_conv(padding="circular")), "relu", nn.WeightStandardized(_conv()))
    ),
}
CNNS = {
    "cnn, same": _images(_cnn("relu", "relu"), mean=0.7),
    "cnn, circular": _images(_cnn("relu", "relu", padding="circular"), mean=0.7),
    "cnn, valid": _images(_cnn("tanh", padding="valid"), mean=0.7, bias_std=0.3),
    "cnn, explicit padding": _images(_cnn("relu", padding=((2, 0), (0, 1))), size=4),
    "cnn, stride 2": _images(nn.Sequential(_conv(stride=2), "relu", _conv(stride=2), "relu", _conv()), size=7),
    "cnn, dilation 2": _images(_cnn("relu", dilation=2), mean=0.7),
    "cnn, groups": _images(_cnn("relu", "relu", groups=4)),
    "cnn, depthwise": _images(
        nn.Sequential(*[_conv(groups=WIDTH), nn.Conv(WIDTH, (1, 1)), "relu"] * 2, nn.Conv(WIDTH, (1, 1)))
    ),
    "cnn, transposed": _images(
        nn.Sequential(nn.ConvTranspose(WIDTH, (4, 4), stride=2), "relu", nn.ConvTranspose(WIDTH, (3, 3))), size=4
    ),
    "cnn, delta-orthogonal": _images(_cnn("relu", "relu"), scheme=weights.DeltaOrthogonal(1.4)),
    "cnn, 1-D": _sequences(_cnn("relu", "silu", window=(5,)), mean=0.7),
    "cnn, 3-D": Architecture(_cnn("relu", window=(2, 2, 2)), (3, 3, 3, WIDTH), scheme=RELU, batch=8),
    "cnn, 8 layers": _images(_cnn(*["relu"] * 7), size=7, batch=4),
    "cnn, 8 layers of tanh": _images(_cnn(*["tanh"] * 7), size=7, batch=4, scheme=LECUN(1.5)),
    "cnn, residual": _images(nn.Sequential(*[nn.Residual(nn.Sequential("relu", _conv()))] * 3), mean=0.7),
    "max pool of convolution": _images(nn.Sequential(_cnn("relu"), nn.MaxPool((2, 2)), "relu", _conv())),
    "max pool of relu": _images(nn.Sequential(_cnn("relu"), "relu", nn.MaxPool((2, 2)), _conv()), draws=60),
    "max pool, overlapping": _images(
        nn.Sequential(_conv(), nn.MaxPool((3, 3), stride=2), "relu", _conv(), "relu", nn.MaxPool((2, 2), 1), _conv())
    ),
    "max pool, same": _images(nn.Sequential(_conv(), nn.MaxPool((3, 3), 2, "same"), "relu", _conv())),
    "average pool": _images(nn.Sequential(_cnn("relu"), "relu", nn.AvgPool((2, 2)), _conv())),
    "average pool, overlapping": _images(
        nn.Sequential(_conv(), "relu", nn.AvgPool((3, 3), stride=2, padding="same"), _conv())
    ),
    "global average pool": _images(nn.Sequential(_cnn("relu"), "relu", nn.GlobalAvgPool(), _dense())),
    "global max pool": _images(nn.Sequential(_cnn("relu", padding="circular"), nn.GlobalMaxPool(), _dense())),
    "flatten": _images(nn.Sequential(_cnn("relu", window=(3, 3)), "relu", nn.Flatten(), _dense()), size=4, mean=0.7),
    "dropout": Architecture(
        _chain(*[nn.Sequential("relu", nn.Dropout(0.3))] * 2), scheme=RELU, mean=0.7, training=True, batch=255
    ),
    "dropout, then relu": Architecture(
        _chain(nn.Sequential("tanh", nn.Dropout(0.5), "relu")), scheme=LECUN(1.5), training=True, batch=255
    ),
}
MAXIMA_OF_PAIRS = "the largest and the smallest of a window know less of each other than is predicted: 10 %"
DEFAULTS = {
    "default gelu": Architecture(_chain("gelu", "gelu", width=512), (512,), scheme="auto"),
    "default relu, mirrored": _auto(_chain("relu", "relu", "relu")),
    "default gelu, mirrored": _auto(_chain("gelu", "gelu", "gelu")),
    "default sigmoid": _auto(_chain("sigmoid", "sigmoid", "sigmoid")),
    "default elu": _auto(_chain("elu", "elu", "elu")),
    "default softplus, mish, mirrored": _auto(_chain("softplus", "mish", "softplus")),
    "default relu, biases": _auto(_chain("relu", "relu", "relu"), bias_std=0.3),
    "default sigmoid, biases": _auto(_chain("sigmoid", "sigmoid"), bias_std=0.3),
    "default mixed": _auto(_chain("relu", "tanh", "sigmoid", "elu")),
    "default two functions": _auto(_chain(nn.Sequential("relu", "tanh"), nn.Sequential("elu", "sin"))),
    "default tanh": _auto(_chain("tanh", "tanh", "tanh")),
    "default one odd width": _auto(
        nn.Sequential(_dense(), "relu", _dense(), "relu", _dense(257), "relu", _dense(), "relu", _dense())
    ),
    "default odd widths": _auto(_chain("relu", "gelu", "sigmoid", width=257), bias_std=0.3),
    "default odd widths, repeat": _auto(
        nn.Sequential(_dense(257), nn.Repeat(nn.Sequential("gelu", _dense(257)), 8), "gelu", _dense())
    ),
    "default odd widths, residual, layer norm": _auto(
        nn.Sequential(
            _dense(513),
            nn.Repeat(nn.Residual(nn.Sequential("relu", _dense(513), nn.LayerNorm(), "relu", _dense(513))), 3),
        ),
        narrow=False,
    ),
    "default odd widths, cnn, average pool, flatten": _auto_images(
        nn.Sequential(
            *[_conv(features=257), "relu", nn.AvgPool((2, 2)), _conv(features=257, padding="circular"), "gelu"],
            *[nn.Flatten(), _dense(257), "relu", _dense()],
        ),
    ),
    "default odd widths, cnn, 5 layers": _auto_images(
        nn.Sequential(_conv(features=257), *["relu", _conv(features=257)] * 4, "relu", nn.GlobalAvgPool(), _dense())
    ),
    "default widths": _auto(
        nn.Sequential(_dense(384), "relu", _dense(512), "gelu", _dense(), "relu", _dense(320), "relu", _dense())
    ),
    "default repeat": _auto(nn.Sequential(_dense(), nn.Repeat(nn.Sequential("gelu", _dense()), 8), "gelu", _dense())),
    "default repeat, sigmoid": _auto(
        nn.Sequential(_dense(), nn.Repeat(nn.Sequential("sigmoid", _dense()), 20), "sigmoid", _dense())
    ),
    "default residual": _auto(
        nn.Sequential(_dense(), *[nn.Residual(nn.Sequential("relu", _dense(), "relu", _dense()))] * 3, "relu", _dense())
    ),
    "default residual, one activation": _auto(
        nn.Sequential(_dense(), *[nn.Residual(nn.Sequential("relu", _dense()))] * 4, "relu", _dense())
    ),
    "default residual repeat": _auto(
        nn.Sequential(
            _dense(), nn.Repeat(nn.Residual(nn.Sequential("gelu", _dense(), "gelu", _dense())), 5), "gelu", _dense()
        )
    ),
    "default layer norm": _auto(
        nn.Sequential(
            *[_dense(2 * WIDTH), "relu", _dense(2 * WIDTH), nn.LayerNorm(), "relu"],
            *[_dense(2 * WIDTH), "relu", _dense(2 * WIDTH)],
        ),
        shape=(2 * WIDTH,),
        narrow=False,
    ),
    "default repeat, layer norm": _auto(_normalized(nn.LayerNorm(), "relu", 20), shape=(2 * WIDTH,), narrow=False),
    "default repeat, rms norm": _auto(_normalized(nn.RMSNorm(), "sigmoid", 20), shape=(2 * WIDTH,), narrow=False),
    "default layer norm of relu": _auto(
        nn.Sequential(_dense(), "relu", _dense(), "relu", nn.LayerNorm(), _dense()), narrow=False
    ),
    "default batch norm": _auto(
        nn.Sequential(
            *[_dense(2 * WIDTH), "relu", _dense(2 * WIDTH), nn.BatchNorm(), "relu"],
            *[_dense(2 * WIDTH), "relu", _dense(2 * WIDTH)],
        ),
        training=True,
        batch=700,
        gap="gradients of the first layer, 9 %, its bias 53 %: with any weights, where a layer stands between it and the norm",
    ),
    "default dropout": _auto(
        _chain(*[nn.Sequential("relu", nn.Dropout(0.3))] * 3),
        training=True,
        batch=255,
        gap="second moment of the output, 3 %, 5 standard errors",
    ),
    "default prelu, swish": _auto(_chain(nn.PReLU(), nn.Swish(), nn.PReLU())),
    "default cnn, circular": _auto_images(_cnn("relu", "relu", padding="circular")),
    "default cnn, zero padding": _auto_images(_cnn("relu", "gelu")),
    "default cnn, 6 layers": _auto_images(_cnn(*["relu"] * 5), size=7, batch=4),
    "default cnn, 5 layers, circular": _auto_images(_cnn(*["sigmoid"] * 4, padding="circular")),
    "default cnn, max pool": _auto_images(
        nn.Sequential(_cnn("relu"), "relu", nn.MaxPool((2, 2)), _conv()), draws=60, gap=MAXIMA_OF_PAIRS
    ),
    "default cnn, max pool before relu": _auto_images(
        nn.Sequential(_cnn("relu"), nn.MaxPool((2, 2)), "relu", _conv()), draws=60, gap=MAXIMA_OF_PAIRS
    ),
    "default cnn, average pool": _auto_images(nn.Sequential(_cnn("relu"), "relu", nn.AvgPool((2, 2)), _conv())),
    "default cnn, flatten": _auto_images(
        nn.Sequential(_cnn("relu"), "relu", nn.Flatten(), _dense(), "relu", _dense()), size=4
    ),
    "default cnn, global average": _auto_images(
        nn.Sequential(_cnn("relu"), "relu", nn.GlobalAvgPool(), _dense(), "relu", _dense())
    ),
}
ARCHITECTURES: dict[str, Architecture | Program] = {
    **CHAINS,
    **INPUTS_AND_WEIGHTS,
    **BRANCHES,
    **NORMS,
    **CNNS,
    **DEFAULTS,
}
