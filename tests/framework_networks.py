"""Small networks, described once, and numbers for their parameters: the same for every framework that builds them."""

import math
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


@dataclass(frozen=True)
class Dense:
    name: str
    inputs: int
    features: int
    image: tuple[int, ...] = ()
    """Positions and channels of the image that was flattened before it: libraries flatten in different orders."""


@dataclass(frozen=True)
class Conv:
    """Square window, zero padding that keeps the size (divided by the stride)."""

    name: str
    inputs: int
    features: int
    stride: int = 1
    window: int = 3


@dataclass(frozen=True)
class Norm:
    """Kinds: "layer", "group" (four groups), "batch" (running statistics)."""

    name: str
    kind: str
    features: int


@dataclass(frozen=True)
class Pool:
    """Kinds: "max", "average"; windows of 2 by 2, side by side."""

    kind: str


@dataclass(frozen=True)
class Residual:
    """shortcut(x) + block(x)."""

    block: tuple[Any, ...]
    shortcut: tuple[Any, ...] = ()


Operation = Dense | Conv | Norm | Pool | Residual | str
"""A string is "relu", "tanh" or "flatten"."""
Network = tuple[Operation, ...]
EPSILON, GROUPS = 1e-5, 4


def walk(network: Network, apply: Callable[[Any, Any], Any], x: Any) -> Any:
    """Run a network, given how one operation is applied."""
    for operation in network:
        if isinstance(operation, Residual):
            x = walk(operation.shortcut, apply, x) + walk(operation.block, apply, x)
        else:
            x = apply(operation, x)
    return x


def layers(network: Network) -> Iterator[Dense | Conv | Norm]:
    """Those that have parameters, in order."""
    for operation in network:
        if isinstance(operation, Residual):
            yield from layers(operation.block + operation.shortcut)
        elif isinstance(operation, Dense | Conv | Norm):
            yield operation


def plain(operation: str, x: jax.Array) -> jax.Array:
    """An activation or a flattening."""
    functions = {"relu": jax.nn.relu, "tanh": jnp.tanh, "flatten": lambda x: x.reshape(len(x), -1)}
    return functions[operation](x)


def numbers(network: Network) -> dict[str, np.ndarray]:
    """By `layer/weight`, `layer/bias`, `layer/scale`, `layer/mean`, `layer/variance`: (inputs, outputs), HWIO."""
    return {f"{layer.name}/{key}": value for layer in layers(network) for key, value in _of_layer(layer).items()}


def _of_layer(layer: Dense | Conv | Norm) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(zlib.crc32(layer.name.encode())).standard_normal
    n = layer.features
    if isinstance(layer, Norm):
        found = {"scale": 1 + 0.1 * draw(n), "bias": 0.2 + 0.1 * draw(n)}
        running = {"mean": 0.3 * draw(n), "variance": 1 + 0.1 * draw(n)}
        found |= running if layer.kind == "batch" else {}
    else:
        shape = (layer.inputs, n) if isinstance(layer, Dense) else (layer.window, layer.window, layer.inputs, n)
        found = {"weight": draw(shape) * math.sqrt(2 / math.prod(shape[:-1])), "bias": 0.4 + 0.2 * draw(n)}
    return {key: value.astype(np.float32) for key, value in found.items()}


SYNONYMS = {"kernel": "weight", "w": "weight", "b": "bias", "offset": "bias", "var": "variance"}


def role(path: str) -> str:
    """`layer/weight` from what a framework calls it: `params/dense_0/kernel`, `norm_0/~/var_ema/average`."""
    parts = [part for part in path.split("/") if part not in {"~", "value", "average"}]
    layer, key = parts[-2:]
    key = SYNONYMS.get(key.removesuffix("_ema"), key.removesuffix("_ema"))
    return f"{layer}/scale" if layer.startswith("norm") and key == "weight" else f"{layer}/{key}"


def filled(
    tree: Any, known: dict[str, np.ndarray], store: Callable[[str, np.ndarray], np.ndarray] | None = None
) -> Any:
    """The tree with known numbers for its arrays, as stored there; what is not known, such as counters, is kept."""

    def fill(path: Any, leaf: Any) -> Any:
        name = role(jax.tree_util.keystr(path, simple=True, separator="/"))
        if name not in known:
            return np.zeros(leaf.shape, leaf.dtype)
        array = store(name, known[name]) if store else known[name]
        return array.reshape(leaf.shape)

    return jax.tree_util.tree_map_with_path(fill, tree)


def _block(first: int, kind: str, layer: Callable[..., Any], *sizes: Any) -> Network:
    """Pre-activation: normalization, activation, layer, twice."""
    inputs, middle, outputs = sizes
    return (
        Norm(f"norm_{first}", kind, inputs),
        "relu",
        layer(f"layer_{first}", inputs, middle),
        Norm(f"norm_{first + 1}", kind, middle),
        "tanh",
        layer(f"layer_{first + 1}", middle, outputs),
    )


MLP = (Dense("layer_0", 96, 256), "relu", Dense("layer_1", 256, 128), "tanh", Dense("layer_2", 128, 64))
RESNET_OF_DENSE = (
    Dense("layer_0", 96, 128),
    Residual(_block(1, "layer", Dense, 128, 192, 128)),
    Residual(_block(3, "layer", Dense, 128, 96, 128)),
    "relu",
    Dense("head", 128, 32),
)


def cnn(pool: str) -> Network:
    return (
        Conv("layer_0", 16, 32),
        "relu",
        Conv("layer_1", 32, 48, stride=2),
        "relu",
        Pool(pool),
        "flatten",
        Dense("head", 2 * 2 * 48, 32, image=(2, 2, 48)),
    )


def resnet_of_convolutions(kind: str) -> Network:
    """A block before whose layers activations stand, and one after whose sum they do, on half as many positions."""
    return (
        Conv("layer_0", 16, 32),
        Residual(_block(1, kind, Conv, 32, 48, 32)),
        Residual(
            (Conv("layer_3", 32, 64, stride=2), Norm("norm_3", kind, 64), "relu", Conv("layer_4", 64, 64)),
            shortcut=(Conv("shortcut", 32, 64, stride=2, window=1),),
        ),
        "relu",
        Pool("average"),
        "flatten",
        Dense("head", 64, 32),
    )


IMAGE, SMALL_IMAGE, VECTOR = (8, 8, 16), (4, 4, 16), (96,)
NETWORKS: dict[str, tuple[Network, tuple[int, ...]]] = {
    "mlp": (MLP, VECTOR),
    "cnn, max pool": (cnn("max"), IMAGE),
    "cnn, average pool": (cnn("average"), IMAGE),
    "resnet, layer norm": (RESNET_OF_DENSE, VECTOR),
    "resnet, group norm": (resnet_of_convolutions("group"), SMALL_IMAGE),
    "resnet, batch norm": (resnet_of_convolutions("batch"), SMALL_IMAGE),
}
"""By name, with the shape of an example."""
