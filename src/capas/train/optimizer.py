"""The optimizer that is used where none is given."""

from __future__ import annotations

from typing import Any

import jax
import optax

from ..model import Model
from ..nn.walk import leaf_path, paths
from ..weights.powers import Powers
from ..weights.reader import read_kernels
from ..weights.reading import Reading, is_asymmetric, is_centred
from ..weights.streams import Kernel
from .updates import centre_updates, decay_weights, kernel_rate, scale_updates

RATE = 3e-3
"""Peak learning rate of a layer that stands alone."""

STEPS = 3_000
"""So many steps are made at the full rate; a longer training has a lower one."""

MIN_STEPS_TO_WARM_UP = 20
"""Steps from which on there is a warm-up: its first step is at no rate, which a training of one would not survive."""

MIN_INPUTS_TO_CENTRE = 16
"""Inputs from which on updates are centred: of n, one direction in n is lost."""

LEAST_LEFT = 0.25
"""No update is made more than four times larger for what centring takes from it."""

DECAY = 0.01
"""Weight decay of a kernel that stands alone, for every unit of the learning rate."""

LAYERS = 17
WIDTH = 64
"""So many layers in a row, of so many inputs, bear the full rate; more and wider ones share it."""


def default_optimizer(model: Model, steps: int, learning_rate: float | None) -> Any:
    """AdamW made for any depth.

    Gradients clipped at norm 1; kernels decay by `layer_decays` times the rate, biases and what normalization learns do
    not; kernels behind activations that are not odd have centred updates, and hidden ones the rate of `layer_rates`; a
    warm-up to `peak_rate` over a tenth of the steps and a cosine decay to zero.
    """
    return optax.chain(*parts(model, steps, learning_rate).values())


def parts(model: Model, steps: int, learning_rate: float | None) -> dict[str, optax.GradientTransformation]:
    """The transformations of the default optimizer, one after another, by what they are for."""
    peak = peak_rate(steps) if learning_rate is None else learning_rate
    return {
        "clipping": optax.clip_by_global_norm(1.0),
        "adam": optax.scale_by_adam(),
        "centring": centre_updates(asymmetric_kernels(model)),
        "layer rates": scale_updates(layer_rates(model)),
        "weight decay": decay_weights(layer_decays(model)),
        "schedule": optax.scale_by_learning_rate(_schedule(steps, peak)),
    }


def _schedule(steps: int, peak: float) -> optax.Schedule:
    if steps < MIN_STEPS_TO_WARM_UP:
        return optax.cosine_decay_schedule(peak, steps)
    return optax.warmup_cosine_decay_schedule(0.0, peak, steps // 10, steps)


def peak_rate(steps: int) -> float:
    r"""The highest learning rate of a training of so many steps: $0.003 \min(1, \sqrt{3000 / \mathrm{steps}})$.

    What single batches say wrongly adds up as the square of the rate times the number of steps. Saturating networks are
    carried by it from the variance at which their gradients are bounded.

    Source: measured, on rows held out of Fashion-MNIST and of the letters; see "What went wrong on the way" in the page
    on trainability.

    Example:
        >>> from capas.train import peak_rate
        >>> peak_rate(400), peak_rate(12_000)
        (0.003, 0.0015)
    """
    return RATE * min(1.0, (STEPS / max(steps, 1)) ** 0.5)


def asymmetric_kernels(model: Model) -> Any:
    """Which parameters are kernels that read 16 or more activations that are not odd, in a tree for `centre_updates`.

    What centring takes away is never learned: of n inputs, or n at each tap of a window, one direction. Of few that is
    much, and of one, as in a depthwise convolution, all. (Letters, three layers of ReLU of which the middle one has n
    units, ten epochs, rows held out, two seeds: 0.926 with it and 0.913 without for n = 64, 0.878 and 0.876 for 16,
    0.843 and 0.852 for 8, 0.452 and 0.493 for 2.)

    Example:
        >>> import capas
        >>> from capas import nn
        >>> from capas.train import asymmetric_kernels
        >>> model = capas.init(nn.Sequential(nn.Dense(16), "relu", nn.Dense(16), "tanh", nn.Dense(2)), (4,))
        >>> [path for path, tree in asymmetric_kernels(model).items() if tree["weight"]]
        ['2']
    """
    kernels = read_kernels(model.network, model.input_shape)
    return _by_path(model.params, lambda path, _: path in kernels and _has_centred_updates(kernels[path]))


def _has_centred_updates(kernel: Kernel) -> bool:
    return is_asymmetric(kernel) and kernel.parameter.shape[-2] >= MIN_INPUTS_TO_CENTRE


def layer_rates(model: Model) -> Any:
    r"""The rate of every parameter, as a share of that of a layer that stands alone.

    Of the $L$ hidden layers of a network one with n inputs has $r = \min(1, \frac{17}{L} \frac{64}{\max(n, 64)})$, so
    that all together move the output by no more than 17 of width 64 would; the first and the last layer stand alone and
    have 1. Hidden kernels have r times `kernel_rate`; those of which updates are centred also times $1/\sqrt{1 - a}$,
    at most 4, where a is the mean's share of the power: so much of an update is left when it is centred. Layers in
    branches count as $\sqrt L$, since each moves its own share of the signal alone; also where that is the output.

    Source: measured, on rows held out of the training sets of Fashion-MNIST and letter recognition, at 3 to 1000
    layers. The fall as one over the depth is that of plain networks in general, that with the width is Yang et al.
    (2022), "Tensor programs V": entries that all move by one rate add up over the inputs.

    Example:
        >>> import capas
        >>> from capas import nn
        >>> from capas.train import layer_rates
        >>> net = nn.Sequential(nn.Dense(64), nn.Repeat(nn.Sequential("relu", nn.Dense(64)), 100), "relu", nn.Dense(2))
        >>> rates = layer_rates(capas.init(net, (4,)))
        >>> [rates["0"]["weight"], round(rates["1"]["block"]["1"]["weight"], 3), rates["3"]["weight"]]
        [1.0, 0.206, 1.0]
    """
    kernels = read_kernels(model.network, model.input_shape)
    powers = Powers(kernels)
    hidden = {path: kernel for path, kernel in kernels.items() if is_hidden(kernel)}
    damping = {path.rpartition("/")[0]: _damping(kernel, hidden) for path, kernel in hidden.items()}

    def rate(path: str, array: jax.Array) -> float:
        share = damping.get(path.rpartition("/")[0], 1.0)
        if path not in hidden:
            return share
        kernel = hidden[path]
        reading = Reading(kernel.reads.functions, centred=is_centred(kernel), mixed=kernel.reads.mixed)
        left = 1 - reading.asymmetry(powers.before(kernel)) if _has_centred_updates(kernel) else 1.0
        return share * kernel_rate(array, kernel.parameter.fan_in) / max(left**0.5, LEAST_LEFT)

    return _by_path(model.params, rate)


def layer_decays(model: Model) -> Any:
    r"""The weight decay of every parameter: 0.01 for a kernel that stands alone, nothing for what is no kernel.

    L kernels in a row between which nothing normalizes have 0.01/L each. A decay of $\lambda$ over a time T, the
    sum of the rates, makes each smaller by $e^{-\lambda T}$ and the signal behind all of them by $e^{-L \lambda T}$: of
    1000 layers of tanh with the full decay, 1/40 of the variance was left in the middle after 3000 steps, and the
    accuracy on letters fell from 0.971 to 0.838. So all together decay as one would.

    Source: found for this library, by following the variance through a network that failed to train.

    Example:
        >>> import capas
        >>> from capas import nn
        >>> from capas.train import layer_decays
        >>> net = nn.Sequential(nn.Dense(8), nn.Repeat(nn.Sequential("relu", nn.Dense(8)), 98), "relu", nn.Dense(2))
        >>> decays = layer_decays(capas.init(net, (4,)))
        >>> decays["0"]["weight"], decays["1"]["block"]["1"]["weight"], decays["3"]["bias"]
        (0.0001, 0.0001, 0.0)
    """
    kernels = read_kernels(model.network, model.input_shape)
    declared = dict(paths(model.network.parameters(model.input_shape)))

    def decay(path: str, _: jax.Array) -> float:
        if declared[path].role != "kernel":
            return 0.0
        together = sum(k.in_stretch for k in kernels[path].stretch.kernels) if path in kernels else 1
        return DECAY / together

    return _by_path(model.params, decay)


def is_hidden(kernel: Kernel) -> bool:
    """Whether a kernel reads what another one wrote, or functions of it, and does not write the output alone."""
    return kernel.reads.is_written and (kernel.ends is None or kernel.in_branch)


def _damping(kernel: Kernel, hidden: dict[str, Kernel]) -> float:
    depth = sum(other.copies for other in hidden.values() if other.in_branch == kernel.in_branch)
    width = max(kernel.parameter.fan_in / WIDTH, 1.0)
    return min(1.0, LAYERS / (width * (depth**0.5 if kernel.in_branch else depth)))


def _by_path(params: Any, function: Any) -> Any:
    """A tree like the parameters of a function of paths and arrays."""
    return jax.tree_util.tree_map_with_path(lambda path, array: function(leaf_path(path), array), params)
