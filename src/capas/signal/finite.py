"""How far one network of finite width is from what is predicted of all: sums of 1/n."""

from __future__ import annotations

import numpy as np

from .function import as_function
from .law import Law


def note_width(product: Law, x: Law, count: int) -> Law:
    r"""Keep, with the law of a product with weights, the variance of the log of its power between networks.

    $V = \mathrm{Var}(f^2) / (n\,(E f^2)^2) + \kappa^2 V_0$ for n inputs f(z): the n squares that one unit sums, and
    what the power of z brings along, with $\kappa = d \log E f^2 / d \log \mathrm{Var}\,z$, which is
    $E[(z^2 - 1) f^2] / (2 E f^2)$. For ReLU with He weights 5/n a layer. Convolutions count their taps as independent;
    what a normalization evens out is not taken off.

    Source: Hanin and Rolnick (2018) for ReLU; the general form is computed here.
    """
    for atom in product.terms:
        atom.latent.log_variance = _own(x) / count + _inherited(x)
    return product


def _own(x: Law) -> float:
    """Var x² / (E x²)²."""
    function, latent = as_function(x)
    if latent is None:
        return 0.0
    z, weight = latent.nodes
    square = np.square(np.asarray(function(z), np.float64))
    second, fourth = ((power * weight).sum(-1).mean() for power in (square, square**2))
    return float(max(fourth / second**2 - 1, 0.0)) if second > 0 else 0.0


def _inherited(x: Law) -> float:
    """kappa² V of what x is a function of."""
    if x.is_normal:
        power = float(x.second.mean()) or 1.0
        shares = [(float(np.square(f).mean()) / power, atom.latent.log_variance) for atom, f in x.terms.items()]
        return sum(share**2 * variance for share, variance in shares)
    function, latent = as_function(x)
    if latent is None or not latent.log_variance:
        return 0.0
    z, weight = latent.nodes
    square = np.square(np.asarray(function(z), np.float64))
    kappa = ((z * z - 1) * square * weight).sum(-1).mean() / (2 * (square * weight).sum(-1).mean())
    return float(kappa**2 * latent.log_variance)
