"""How far one network of finite width is from what is predicted of all: sums of 1/n."""

from __future__ import annotations

import numpy as np

from .function import as_function
from .latent import correlation, correlation_matrix
from .law import Law
from .quadrature import Numbers


def note_width(product: Law, x: Law, count: int, orthogonal_units: int = 0) -> None:
    r"""Keep, with the law of a product with weights, the variance of the log of its power between networks.

    $V = \mathrm{Var}(f^2) / (n\,(E f^2)^2) + \kappa^2 V_0$ for n inputs f(z): the n squares that one unit sums, and
    what the power of z brings along, with $\kappa = d \log E f^2 / d \log \mathrm{Var}\,z$, which is
    $E[(z^2 - 1) f^2] / (2 E f^2)$. For ReLU with He weights 5/n a layer. An orthogonal matrix keeps the power of z, so
    that only what f makes beside it counts, $2 \kappa^2 / n$ less: nothing if f is linear. Convolutions count their
    taps as independent; what a normalization evens out is not taken off; sums of several functions count as normal.

    Source: Hanin and Rolnick (2018) for ReLU; the general form is computed here.

    Args:
        product: the law.
        x: that of what the weights met.
        count: n.
        orthogonal_units: of how many units, if the weights are an orthogonal matrix: their squares sum to what those
            of the inputs sum to.
    """
    own, kappa, before = _spread(x)
    own = max(own - 2 * kappa**2, 0.0) if orthogonal_units else own
    for atom in product.terms:
        atom.latent.log_variance = own / count + kappa**2 * before
        atom.latent.sphere = orthogonal_units


def fixed_by_squares(law: Law, count: float, across: bool, sites: int = 0) -> Numbers:
    r"""What a sum of f(z) over units varies less, by unit, because the squares of all n of them have a fixed sum.

    $a_2^2\,\rho^2\,k/n$ for k units, with the second Hermite coefficient of f and the correlation $\rho$ of two
    examples or sites: z² is larger in one unit at the cost of the others. Nothing where z are independent.

    Args:
        law: f(z).
        count: k.
        across: in one example the one, in another one the other.
        sites: between all of so many, shape `(sites, sites)`; if 0, at each, shape `(sites or 1,)`.
    """
    latent = law.latents[0] if len(law.latents) == 1 else None
    if latent is None or not latent.sphere:
        return np.zeros(1)
    a = np.asarray(sum(factor[:, 0] * atom.coefficients[2] for atom, factor in law.terms.items()))
    share = min(count / latent.sphere, 1.0)
    if not sites:
        return share * np.square(a * correlation(latent, latent, across))
    return share * np.outer(a, a) * np.square(correlation_matrix(latent, latent, across, sites))


def _spread(x: Law) -> tuple[float, float, float]:
    """Var x² / (E x²)², kappa, and V of what x is a function of."""
    if x.is_normal or len(x.latents) > 1:
        power = float(x.second.mean()) or 1.0
        shares = [(float((f[:, 0] ** 2 * a.second).mean()) / power, a.latent.log_variance) for a, f in x.terms.items()]
        moving = float(x.variance.mean()) / power
        return moving * (4 - 2 * moving), moving, sum(share**2 * variance for share, variance in shares)
    function, latent = as_function(x)
    assert latent is not None
    z, weight = latent.nodes
    square = np.square(np.asarray(function(z), np.float64))
    second, fourth = ((power * weight).sum(-1).mean() for power in (square, square**2))
    if second <= 0:
        return 0.0, 0.0, 0.0
    kappa = ((z * z - 1) * square * weight).sum(-1).mean() / (2 * second)
    return float(max(fourth / second**2 - 1, 0.0)), float(kappa), latent.log_variance
