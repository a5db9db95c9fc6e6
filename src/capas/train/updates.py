"""Optax transformations for deep plain networks: updates without a common mean, and a rate for each kernel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax


def centre_updates(which: Any) -> optax.GradientTransformation:
    r"""Take from the update of a kernel, for every output, its mean over the inputs.

    Behind an activation that is not odd all inputs of a layer have a mean in common, often larger than what depends on
    the example. The first updates of all weights of a unit have one sign, so together they act as a large bias, which
    drowns the signal some layers further on (sigmoid, 300 layers: the input's share falls to 1e-10 in 40 steps).
    Centred updates leave the answer to a constant input as it is.

    Args:
        which: a tree of booleans as the parameters: kernels, of which the last axes are inputs and outputs; those of a
            model that need it are `asymmetric_kernels`.

    Source: found for this library; gradient centralization (Yong et al. 2020) takes the same mean from gradients.

    Example:
        >>> import jax.numpy as jnp, optax
        >>> from capas.train import centre_updates
        >>> optimizer = optax.chain(optax.adam(1e-3), centre_updates({"weight": True, "bias": False}))
        >>> params = {"weight": jnp.ones((4, 2)), "bias": jnp.zeros(2)}
        >>> gradient = {"weight": jnp.arange(8.0).reshape(4, 2), "bias": jnp.ones(2)}
        >>> updates, _ = optimizer.update(gradient, optimizer.init(params), params)
        >>> bool(jnp.abs(updates["weight"].sum(0)).max() < 1e-9)
        True
    """

    def centre(update: Any, chosen: bool) -> Any:
        return update - update.mean(-2, keepdims=True) if chosen else update

    return optax.stateless(lambda updates, params: _each(centre, updates, which))


def scale_updates(rates: Any) -> optax.GradientTransformation:
    """Multiply every update with a rate of its own.

    Args:
        rates: a tree of numbers as the parameters; see `layer_rates`.

    Example:
        >>> import jax.numpy as jnp, optax
        >>> from capas.train import scale_updates
        >>> optimizer = optax.chain(optax.sgd(1.0), scale_updates({"first": 1.0, "second": 0.5}))
        >>> params = {"first": jnp.ones(()), "second": jnp.ones(())}
        >>> updates, _ = optimizer.update(params, optimizer.init(params))
        >>> float(updates["first"]), float(updates["second"])
        (-1.0, -0.5)
    """
    return optax.stateless(lambda updates, params: _each(lambda u, rate: u * rate, updates, rates))


def decay_weights(decays: Any) -> optax.GradientTransformation:
    """Add to every update its parameter times a number of its own; `scale_by_learning_rate` behind it makes it a decay.

    Args:
        decays: a tree of numbers as the parameters; see `layer_decays`.

    Source: Loshchilov and Hutter (2019), "Decoupled weight decay regularization", with one number for all.

    Example:
        >>> import jax.numpy as jnp, optax
        >>> from capas.train import decay_weights
        >>> optimizer = optax.chain(decay_weights({"weight": 0.1, "bias": 0.0}), optax.scale_by_learning_rate(0.5))
        >>> params, gradient = {"weight": jnp.ones(()), "bias": jnp.ones(())}, {"weight": 0.0, "bias": -1.0}
        >>> updates, _ = optimizer.update(gradient, optimizer.init(params), params)
        >>> round(float(updates["weight"]), 4), float(updates["bias"])
        (-0.05, 0.5)
    """
    return optax.stateless(lambda updates, params: _each(lambda u, p, d: u + d * p, updates, params, decays))


def _each(change: Callable[..., Any], updates: Any, *trees: Any) -> Any:
    """Every update changed, with what trees have at its place; those that `optax.masked` takes out stay out."""

    def changed(update: Any, *found: Any) -> Any:
        return update if _is_out(update) else change(update, *found)

    return jax.tree.map(changed, updates, *trees, is_leaf=_is_out)


def _is_out(update: Any) -> bool:
    return isinstance(update, optax.MaskedNode)


def kernel_rate(kernel: jax.Array, fan_in: float) -> float:
    r"""$\sqrt{\mathrm{fan_{in}} / 2}$ times the root mean square of a kernel: 1 for one of He's, and for one of zeros.

    Adam moves every entry by about the rate, whatever its size. In proportion to the entries it turns every layer
    equally far.

    Args:
        kernel: its entries.
        fan_in: how many inputs each output has.

    Source: You et al. (2017), "Large batch training of convolutional networks", for rates in proportion to the weights.

    Example:
        >>> import jax.numpy as jnp
        >>> from capas.train import kernel_rate
        >>> round(kernel_rate(jnp.full((8, 8), 0.5), 8), 6), kernel_rate(jnp.zeros((8, 8)), 8)
        (1.0, 1.0)
    """
    return float(jnp.sqrt(jnp.square(kernel).mean() * fan_in / 2)) or 1.0
