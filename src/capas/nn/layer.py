"""The Layer contract: an immutable description that declares its parameters and says what it computes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import MISSING, fields
from typing import Any, Literal, NamedTuple

import jax
from jaxtyping import Array, PRNGKeyArray

from ..errors import located
from .parameter import Sampler, Shape, Tree, lecun, materialize

type_registry: dict[str, type[Layer]] = {}


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
