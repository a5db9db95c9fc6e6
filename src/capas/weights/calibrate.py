"""Set the scale of every weight from the signal that arrives, without data, for any JAX function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike

from ..errors import ArgumentError
from ..signal.interpret import Walk
from ..signal.parameter import of_leaf
from ..signal.propagate import read, traced
from ..signal.signal import Signal, given

ROUNDS, BRACKET = 40, (2.0**-6, 2.0**6)


def calibrate(
    function: Callable[[Any, Array], Array],
    params: Any,
    example: ArrayLike | jax.ShapeDtypeStruct,
    *,
    signal: Signal | None = None,
    after_activation: bool = False,
) -> Any:
    """Scale every weight so that the signal it produces has second moment 1, in one pass and without data.

    A weight is a parameter that the signal is multiplied with, as a matrix or a kernel; all of its numbers get one
    factor (in a loop, those of each step). Parameters of which a scale has no effect, such as standardized weights,
    stay as they are.

    Args:
        function: `function(params, x) -> outputs`, of any JAX library; x has a leading batch axis.
        params: its parameters, a tree of arrays.
        example: one example or its shape and dtype, without the batch axis.
        signal: what is known of the input; standard normal by default.
        after_activation: instead, second moment 1 where the next weight of the program (or the output) takes a signal
            up, after activations. Where no scale reaches that, as for a sigmoid or a weight beside others that read the
            same signal, the weight is set as without. Up to 42 walks a weight instead of one for all.

    Returns the parameters, scaled.

    Raises `UnknownPrimitive` for operations that cannot be read, and `ArgumentError` where a signal is zero.

    Source: Mishkin and Matas (2016), "All you need is a good init", measures and rescales batch by batch; here the
    variance is computed instead.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import capas
        >>> def network(params, x):
        ...     for w in params:
        ...         x = jnp.tanh(x @ w)
        ...     return x
        >>> params = [jax.random.normal(jax.random.key(i), (400, 400)) for i in range(3)]
        >>> scaled = capas.calibrate(network, params, jnp.zeros(400))
        >>> flow = capas.propagate(network, scaled, jnp.zeros(400))
        >>> [round(row.second, 6) for row in flow.rows if row.operation == "dot_general"]
        [1.0, 1.0, 1.0]
    """
    calibration = _Calibration(function, params, example, given(signal))
    calibration.run()
    if after_activation:
        for root in list(calibration.factors):
            calibration.reach(root)
    return calibration.scaled(params)


class _Calibration:
    """The factors of all weights, by their roots, and walks in which they are put on."""

    def __init__(self, function: Any, params: Any, example: Any, signal: Signal) -> None:
        self.program, self.signal = traced(function, params, example), signal
        self.leaves = [of_leaf(leaf) for leaf in jax.tree.leaves(params)]
        paths = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(params)]
        self.roots = {leaf.root: path for leaf, path in zip(self.leaves, paths, strict=True) if hasattr(leaf, "root")}
        self.factors: dict[Any, float] = {}

    def run(self) -> dict[Any, float]:
        """Walk, with factors that are known already; those of other weights are set.

        Returns, by weight, the second moment of what the next weight takes up; of the last one, that of the output.
        """
        order: list[Any] = []
        taken: dict[Any, float] = {}

        def factor(root: Any, law: Any, arriving: float) -> float:
            if self._path(root) is None:
                return 1.0
            if order and order[-1] not in taken:
                taken[order[-1]] = arriving
            order.append(root)
            if root not in self.factors:
                self.factors[root] = self._unit(root, float(law.second.mean()))
            return self.factors[root]

        walk = Walk(rescale=factor)
        out = read(walk, self.program, self.leaves, self.signal)[0]
        if order and order[-1] not in taken:
            taken[order[-1]] = out.moment("second")
        return taken

    def reach(self, root: Any) -> None:
        """Set one factor such that what is taken up has second moment 1, if there is one."""
        start = self.factors[root]

        def excess(scale: float) -> float:
            self.factors[root] = start * scale
            return self.run()[root] - 1

        low, high = BRACKET
        if not excess(low) < 0 < excess(high):
            self.factors[root] = start
            return
        for _ in range(ROUNDS):
            middle = (low * high) ** 0.5
            low, high = (low, middle) if excess(middle) > 0 else (middle, high)

    def _path(self, root: Any) -> str | None:
        """Where in the parameters a weight is; None for what is none of them."""
        step = root[0] if isinstance(root, tuple) else None
        return self.roots.get(root, self.roots.get(step))

    def _unit(self, root: Any, second: float) -> float:
        if second > 0:
            return float(second**-0.5)
        raise ArgumentError(
            "calibrate",
            expected="weights that give a signal",
            got=f"zero behind params{self._path(root)}",
            remedy="Draw random weights first; a layer of zeros has no scale to set.",
        )

    def scaled(self, params: Any) -> Any:
        """The parameters with their factors."""
        leaves, tree = jax.tree.flatten(params)
        return jax.tree.unflatten(
            tree, [self._one(leaf, field) for leaf, field in zip(leaves, self.leaves, strict=True)]
        )

    def _one(self, leaf: Any, field: Any) -> Any:
        root = getattr(field, "root", None)
        steps = [self.factors[root, i] for i in range(len(leaf)) if (root, i) in self.factors] if np.ndim(leaf) else []
        if root in self.factors:
            return leaf * jnp.asarray(self.factors[root], leaf.dtype)
        if steps:
            return leaf * jnp.asarray(steps, leaf.dtype).reshape(-1, *(1,) * (leaf.ndim - 1))
        return leaf
