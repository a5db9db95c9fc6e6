"""The default weights and the default optimizer, each with one part taken away or put back to what is usual."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import jax
import optax

import capas
from capas import nn, weights
from capas.train import optimizer as defaults
from capas.weights.operating import Setting
from capas.weights.plan import Planner
from capas.weights.powers import Powers
from capas.weights.reader import read_kernels

from .cells import Cell

Parts = dict[str, optax.GradientTransformation]

NO_PAIRS, INDEPENDENT, UNIT_VARIANCE = "no pairs, not centred", "independent entries", "variance 1"
WEIGHTS = (NO_PAIRS, INDEPENDENT, UNIT_VARIANCE)


def scheme(name: str, network: nn.Layer, shape: tuple[int, ...]) -> dict[str, weights.Scheme]:
    """The schemes of the plan without one of its parts."""
    kernels = read_kernels(network, shape)
    if name == NO_PAIRS:
        for kernel in kernels.values():
            kernel.reads.stream.root.blocked, kernel.given = "an ablation", True
    powers = Powers(kernels)
    if name == UNIT_VARIANCE:
        powers.settings = dict.fromkeys(powers.settings, Setting())
    planner = Planner(powers)
    schemes = {path: planner.planned(kernel).scheme for path, kernel in kernels.items()}
    if name == INDEPENDENT:
        return {path: independent(chosen, kernels[path].parameter) for path, chosen in schemes.items()}
    return schemes


def independent(scheme: weights.Scheme, kernel: nn.Parameter) -> weights.Scheme:
    """Independent normal entries of the same variance."""
    if isinstance(scheme, (weights.Mirrored, weights.Centred)):
        return replace(scheme, base=independent(scheme.base, scheme.inner(kernel)))
    return weights.LeCun(gain=(scheme.law(kernel).variance * kernel.fan_in) ** 0.5)


def _without(taken: str) -> Callable[[Parts, capas.Model, Cell, int], Parts]:
    return lambda parts, model, cell, steps: {name: part for name, part in parts.items() if name != taken}


def _one_rate(parts: Parts, model: capas.Model, cell: Cell, steps: int) -> Parts:
    """The law of the sketch: one rate for all layers, 0.05 over the depth."""
    peak = min(defaults.RATE, 0.05 / max(cell.depth, 1))
    schedule = optax.scale_by_learning_rate(optax.warmup_cosine_decay_schedule(0.0, peak, steps // 10, steps))
    return {**_without("layer rates")(parts, model, cell, steps), "schedule": schedule}


def _no_warm_up(parts: Parts, model: capas.Model, cell: Cell, steps: int) -> Parts:
    return {**parts, "schedule": optax.scale_by_learning_rate(optax.cosine_decay_schedule(defaults.RATE, steps))}


def _full_decay(parts: Parts, model: capas.Model, cell: Cell, steps: int) -> Parts:
    kernels = jax.tree.map(bool, defaults.layer_decays(model))
    return {**parts, "weight decay": optax.add_decayed_weights(defaults.DECAY, mask=kernels)}


TRAINING: dict[str, Callable[[Parts, capas.Model, Cell, int], Parts]] = {
    "one rate 0.003": _without("layer rates"),
    "one rate 0.05 / L": _one_rate,
    "no centring": _without("centring"),
    "full weight decay": _full_decay,
    "no weight decay": _without("weight decay"),
    "no clipping": _without("clipping"),
    "no warm-up": _no_warm_up,
}

ABLATIONS = (*WEIGHTS, *TRAINING)


def optimizer(cell: Cell, model: capas.Model, steps: int) -> optax.GradientTransformation | None:
    """The default optimizer without one of its parts; None where it is whole."""
    if cell.weights not in TRAINING:
        return None
    parts = defaults.parts(model, steps, cell.rate)
    return optax.chain(*TRAINING[cell.weights](parts, model, cell, steps).values())
