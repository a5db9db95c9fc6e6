"""The Layer contract: an immutable description that declares its parameters and says what it computes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import MISSING, dataclass, fields, replace
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from ..errors import located
from ..randomness import enough

type_registry: dict[str, type[Layer]] = {}

Shape = tuple[int, ...]
Tree = dict[str, Any]
"""A nested dict: of arrays (parameters, state) or of `Parameter` (their declarations)."""

Role = Literal["kernel", "bias", "scale", "statistic"]


@dataclass(frozen=True)
class Parameter:
    """What a layer declares of one of its arrays, before any number exists.

    Attributes:
        shape: shape of one copy; a kernel is `(*window, inputs per group, outputs)`.
        role: kernels are sampled (and decayed in training); all else starts at `start`.
        fan_in: number of inputs that one output sums over, averaged over positions.
        fan_out: number of outputs that one input reaches, averaged over positions.
        groups: number of independent blocks along the outputs (grouped convolution).
        start: the constant that everything but a kernel starts from.
        copies: leading axes of stacked copies (`Repeat`).
    """

    shape: Shape
    role: Role
    fan_in: float = 1
    fan_out: float = 1
    groups: int = 1
    start: float = 0.0
    copies: Shape = ()

    @property
    def size(self) -> int:
        """Number of scalars, all copies together."""
        size = 1
        for n in (*self.copies, *self.shape):
            size *= n
        return size


Sampler = Callable[[PRNGKeyArray, Parameter], Array]


def lecun(key: PRNGKeyArray, kernel: Parameter) -> Array:
    """N(0, 1/fan_in): the lecture's answer for the combination layer alone, and what a bare `init` uses."""
    return jax.random.normal(key, kernel.shape) * kernel.fan_in**-0.5


class Child(NamedTuple):
    """A layer inside another: its name, itself, and the shape of the example that reaches it."""

    name: str
    layer: Layer
    shape: Shape


class Layer(ABC):
    """An immutable description of a function with parameters. It holds no array.

    A layer takes `x` of shape `(batch, *shape)`, channels last, and gives `(batch, *output_shape(shape))`.
    Concrete layers are frozen dataclasses: hashable, equal when their fields are, and printed as the call that
    makes them.

    Example:
        >>> import jax
        >>> from capas import nn
        >>> layer = nn.Dense(3)
        >>> params, state = layer.init(jax.random.key(0), (4,))
        >>> jax.tree.map(lambda a: a.shape, params)
        {'bias': (3,), 'weight': (4, 3)}
        >>> y, state = layer.apply(params, state, jax.numpy.ones((2, 4)))
        >>> y.shape
        (2, 3)
    """

    def __init_subclass__(cls) -> None:
        type_registry[cls.__name__] = cls

    @abstractmethod
    def output_shape(self, shape: Shape) -> Shape:
        """Shape of one output example, given that of one input example. Raises `ShapeError`."""

    @abstractmethod
    def apply(
        self, params: Tree, state: Tree, x: Array, *, key: PRNGKeyArray | None = None, training: bool = False
    ) -> tuple[Array, Tree]:
        """Compute `(y, new state)` for a batch."""

    def parameters(self, shape: Shape) -> Tree:
        """Declarations of the trained arrays."""
        return _gather(self, shape, "parameters")

    def statistics(self, shape: Shape) -> Tree:
        """Declarations of the arrays that follow the data instead of a gradient."""
        return _gather(self, shape, "statistics")

    def children(self, shape: Shape) -> tuple[Child, ...]:
        """The layers inside, in the order of their computation."""
        return ()

    def init(self, key: PRNGKeyArray, shape: Shape, sample: Sampler = lecun) -> tuple[Tree, Tree]:
        """Parameters and state for examples of `shape`; `sample` draws the kernels."""
        self.output_shape(shape)
        return materialize(self.parameters(shape), key, sample), materialize(self.statistics(shape), key, sample)

    def call(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments that make this layer, defaults left out: `type(layer)(*args, **kwargs) == layer`."""
        values = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}  # type: ignore[arg-type]
        return (), values

    def __repr__(self) -> str:
        args, kwargs = self.call()
        required = {f.name for f in fields(self) if f.default is MISSING}  # type: ignore[arg-type]
        shown = [repr(a) for a in args] + [repr(v) if k in required else f"{k}={v!r}" for k, v in kwargs.items()]
        return f"nn.{type(self).__name__}({', '.join(shown)})"


def _gather(layer: Layer, shape: Shape, what: Literal["parameters", "statistics"]) -> Tree:
    tree = {}
    for name, child, child_shape in layer.children(shape):
        with located(name):
            tree[name] = getattr(child, what)(child_shape)
    return {name: inner for name, inner in tree.items() if inner}


def materialize(declared: Tree, key: PRNGKeyArray, sample: Sampler) -> Tree:
    """Arrays for a tree of declarations: kernels sampled, each with a key of its own, the rest constant."""
    leaves, treedef = jax.tree.flatten(declared)
    keys = split(key, len(leaves))
    return jax.tree.unflatten(treedef, [draw(p, k, sample) for p, k in zip(leaves, keys, strict=True)])


def split(key: PRNGKeyArray, count: int) -> list[PRNGKeyArray]:
    """Keys, taken out one by one on the host, where nothing is compiled for it."""
    if not count:
        return []
    keys = jax.random.split(key, enough(count, base=16, least=16))
    if isinstance(keys, jax.core.Tracer):
        return [keys[i] for i in range(count)]
    numbers, kind = np.asarray(jax.random.key_data(keys)), jax.random.key_impl(keys)
    return [jax.random.wrap_key_data(n, impl=kind) for n in numbers[:count]]


def draw(parameter: Parameter, key: PRNGKeyArray, sample: Sampler) -> Array:
    """One array for a declaration, all copies included."""
    if parameter.role != "kernel":
        full = np.full((*parameter.copies, *parameter.shape), parameter.start, jax.dtypes.canonicalize_dtype(float))
        return jax.device_put(full)
    if not parameter.copies:
        return sample(key, parameter)
    one = replace(parameter, copies=())
    count = parameter.size // one.size
    return _stacked([sample(k, one) for k in split(key, count)]).reshape(*parameter.copies, *parameter.shape)


def _stacked(arrays: list[Array]) -> Array:
    """Along a new first axis; on the host, where they have values: a program for a thousand takes long to make."""
    if any(isinstance(array, jax.core.Tracer) for array in arrays):
        return jnp.stack(arrays)
    return jax.device_put(np.stack(arrays))


def run(
    name: str, layer: Layer, params: Tree, state: Tree, x: Array, *, key: PRNGKeyArray | None, training: bool
) -> tuple[Array, Tree]:
    """Apply the child `name`: the one place where a path is added to the program and to its errors."""
    with jax.named_scope(name), located(name):
        y, new_state = layer.apply(params.get(name, {}), state.get(name, {}), x, key=key, training=training)
        if observer := _observer.get():
            observer(layer, y)
        return y, new_state


Observer = Callable[[Layer, Array], None]
_observer: ContextVar[Observer | None] = ContextVar("observer", default=None)


@contextmanager
def observing(observer: Observer) -> Iterator[None]:
    """Call `observer(layer, output)` after every layer inside another, innermost first, while the block runs.

    Outside `jax.jit` it is given arrays, also inside `Repeat`, which then runs its copies one by one. An error that
    it raises gets the layer's path.
    """
    token = _observer.set(observer)
    try:
        yield
    finally:
        _observer.reset(token)


def is_observed() -> bool:
    """Whether someone looks at every layer's output."""
    return _observer.get() is not None


def child_key(key: PRNGKeyArray | None, index: int) -> PRNGKeyArray | None:
    """The key of the child at `index`, or None where there is none to share."""
    return None if key is None else jax.random.fold_in(key, index)


class Row(NamedTuple):
    """One layer of a network that has no layers inside, where it stands, and what flows through it."""

    path: str
    layer: Layer
    shape: Shape
    output_shape: Shape
    copies: int


def walk(layer: Layer, shape: Shape, path: str = "", copies: int = 1) -> Iterator[Row]:
    """All innermost layers, in the order of their computation."""
    children = layer.children(shape)
    if not children:
        yield Row(path, layer, shape, layer.output_shape(shape), copies)
    for name, child, child_shape in children:
        with located(name):
            yield from walk(child, child_shape, joined(path, name), copies * getattr(layer, "copies", 1))


def joined(path: str, name: str) -> str:
    """A path and a name inside."""
    return f"{path}/{name}" if path else name


def leaf_path(keys: tuple[jax.tree_util.DictKey, ...]) -> str:
    """The path of a leaf of a nested dict, `encoder/2/weight`, from what `jax.tree_util` calls it."""
    return "/".join(step.key for step in keys)


def paths(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of a nested dict with their paths."""
    for name in sorted(tree):
        path = joined(prefix, name)
        if isinstance(tree[name], Mapping):
            yield from paths(tree[name], path)
        else:
            yield path, tree[name]


def ends_in_kernel(layer: Layer, shape: Shape) -> bool:
    """Whether the last layer inside has weights that are multiplied with the signal."""
    *_, last = walk(layer, shape)
    return has_kernels(last.layer, last.shape)


def has_kernels(layer: Layer, shape: Shape) -> bool:
    """Whether there are weights inside that are multiplied with the signal."""
    return any(parameter.role == "kernel" for _, parameter in paths(layer.parameters(shape)))


def has_windows(layer: Layer, shape: Shape) -> bool:
    """Whether there are convolutions inside."""
    return any(len(parameter.shape) > 2 for _, parameter in paths(layer.parameters(shape)))
