"""Models with fresh weights."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Mapping
from typing import Any

from jaxtyping import ArrayLike

from .errors import ArgumentError
from .model import Model
from .nn import Layer, require
from .nn.parameter import Shape
from .randomness import Purpose, derive
from .weights.data import InputData
from .weights.initialize import Choice, drawn
from .weights.inputs import read_inputs
from .weights.plan import Planned

WARNED_GROWTH = 1e3
"""By how much gradients may grow over a network without a warning."""


def init(
    network: Layer,
    input_shape: Shape,
    *,
    seed: int = 0,
    scheme: Choice | Mapping[str, Choice] = "auto",
    data: ArrayLike | None = None,
    standardize: bool = False,
    metadata: Mapping[str, Any] | None = None,
) -> Model:
    """A model with fresh weights.

    Args:
        network: the description.
        input_shape: shape of one example, without the batch axis.
        seed: the same seed gives the same weights.
        scheme: "auto", a scheme out of `capas.weights`, or a mapping from patterns of paths to schemes.
        data: examples, `(n, *input_shape)`, whose power the first layer is made for, and in whose units `fit` trains
            it, see `capas.train.standardize_inputs`; without them the input counts as standard, with mean 0 and
            variance 1. Columns that are not finite are refused, by name; constant ones warned of.
        standardize: whether their mean and standard deviation, feature by feature, are folded into the first layer,
            so that the model takes raw data: it starts, and is trained, as that of standardized data would be. For
            features of very different sizes; where most numbers are zero, leave it out.
        metadata: plain JSON values to travel with the model.

    Raises `ShapeError` with the path of the first layer that does not fit, `DataError` for data that do not, and
    `ArgumentError` for schemes, metadata and seeds that are none. Warns
    of layers in which gradients grow by more than a thousand with any weights that it could choose.

    Example:
        >>> import capas
        >>> from capas import nn, weights
        >>> net = nn.Sequential(nn.Dense(256), "relu", nn.Dense(10))
        >>> model = capas.init(net, input_shape=(784,), seed=0, scheme=weights.He())
        >>> model.params["0"]["weight"].shape
        (784, 256)
        >>> import numpy as np
        >>> ages = np.random.default_rng(0).normal(50, 20, (1000, 4))
        >>> model = capas.init(net, (4,), data=ages, standardize=True)
        >>> bool(0.05 < model(ages).var() < 0.2)
        True
    """
    shape = require.network("init", network, input_shape)
    require.seed("init", seed)
    _require_json(metadata)
    seen = _seen(data, shape, standardize)
    key = derive(seed, Purpose.WEIGHTS)
    params, state, chosen = drawn(network, key, shape, scheme, data=seen, standardized=standardize)
    _warn_of_growth(chosen)
    why = {path: planned.why for path, planned in chosen.items()}
    inputs = {} if seen is None else read_inputs(network, shape, seen, standardized=standardize)
    return Model(network, shape, params, state, dict(metadata or {}), why, inputs)


def _require_json(metadata: Mapping[str, Any] | None) -> None:
    """Refuse what could not be saved, before it is trained."""
    try:
        json.dumps(dict(metadata or {}))
    except (TypeError, ValueError) as error:
        remedy = "Make arrays lists, and numbers of NumPy those of Python."
        raise ArgumentError("init", expected="metadata of plain JSON values", got=str(error), remedy=remedy) from error


def _warn_of_growth(chosen: Mapping[str, Planned]) -> None:
    path, worst = max(chosen.items(), key=lambda item: item[1].growth, default=("", None))
    if worst is not None and worst.growth > math.log(WARNED_GROWTH):
        warnings.warn(
            f"init: in the layers around {path!r} gradients, deviations of the signal, or the part of it that all "
            f"inputs share, grow by 1e{worst.growth / math.log(10):.1f}, whatever the weights. They do not where units "
            "can be pairs, which takes no groups or layers side by side, and less with capas.tailor or nn.Residual.",
            stacklevel=3,
        )


def _seen(data: ArrayLike | None, shape: Shape, standardize: bool) -> InputData | None:
    if isinstance(data, tuple):
        raise ArgumentError("init", expected="data of inputs alone", got="a tuple", remedy="Leave the targets out.")
    if data is not None:
        return InputData(data, shape)
    if standardize:
        raise ArgumentError(
            "init", expected="data to standardize by", got="standardize=True alone", remedy="Give data=x as well."
        )
    return None
