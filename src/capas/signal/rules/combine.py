"""Products with random weights: a new normal number, by the central limit theorem."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..atom import normal
from ..field import Content, Field, Role
from ..finite import note_width
from ..function import closed, product_of
from ..interpret import Value, Walk, refuse, rule
from ..latent import Latent
from ..law import Law, add, constant
from ..linear import of_weights, outer_power, through_weights
from ..mirror import read_by, written_by
from ..normal import fresh
from ..parameter import of_array


def as_field(equation: Any, value: Value) -> Field:
    """A field; known numbers as a parameter of which they are a draw."""
    if isinstance(value, Field):
        return value
    if isinstance(value, np.ndarray):
        return of_array(value)
    raise refuse(equation, "what a loop gave, whole")


@rule("dot_general")
def dot_general(walk: Walk, equation: Any, left: Value, right: Value) -> Sequence[Value]:
    """A signal times a matrix of weights; or, for the gradient of a matrix, a signal times a gradient."""
    one, other = as_field(equation, left), as_field(equation, right)
    contracted, together = equation.params["dimension_numbers"]
    if together != ((), ()):
        raise refuse(equation, "a product of two signals, example by example, as in attention")
    shape = equation.outvars[0].aval.shape
    free = [[i for i in range(len(x.shape)) if i not in axes] for x, axes in zip((one, other), contracted, strict=True)]
    if one.is_weight == other.is_weight:
        return [_weight_gradient(equation, shape, one, other, contracted)]
    x, w, axes = (one, other, contracted[0]) if other.is_weight else (other, one, contracted[1])
    x_free, w_free = free if other.is_weight else reversed(free)
    if {x.roles[i] for i in axes} - {"feature", "weight", "one"}:
        raise refuse(equation, "weights that stand for examples or positions")
    w_axes = contracted[1] if other.is_weight else contracted[0]
    x, count = read_by(x, w, w_axes, math.prod(x.shape[i] for i in axes))
    kept: tuple[Role, ...] = tuple(x.roles[i] for i in x_free)
    new: tuple[Role, ...] = tuple("feature" for _ in w_free)
    width = math.prod(w.shape[i] for i in w_free)
    law = weighted_sum(heard(x, w, w_axes), w, count)
    if isinstance(law, Law):
        law = walk.rescaled(x, w, reused(walk, equation, x, w, w.rooted(w_axes), count, law))
    blocks = written_by(w, w_free, width, law)
    if isinstance(law, Law):
        note_width(law, x.blocks[0][1], count, blocks[0][0] if w.orthogonal else 0)
    return [Field(shape, kept + new if other.is_weight else new + kept, blocks)]


def heard(x: Field, w: Field, axes: Sequence[int]) -> Field:
    """A signal with as much of its mean as weights of such sums hear: nothing where they sum to zero."""
    share = w.heard.get(axes[0], 1.0) if len(axes) == 1 else 1.0
    share = 0.0 if set(axes) <= w.centred else share
    if x.is_gradient or share == 1:
        return x
    return x.map(lambda law: add(law, constant((share**0.5 - 1) * law.mean)))


def weighted_sum(x: Field, w: Field, count: int) -> Content:
    r"""$\sum_{k=1}^n x_k w_k$ of entries that are independent of each other, the weights of the signal.

    Mean $n\,E x\,E w$, second moment $n\,E x^2\,\mathrm{Var}\,w + (n\,E x\,E w)^2 + n\,\mathrm{Var}\,x\,(E w)^2$,
    and the same for the product of two examples, or of two sites, with the moments of x there.
    """
    mean_w, variance_w = float(w.law.mean[0]), float(w.law.variance[0])
    sites = x.sites
    shares = shares_of(x)

    def total(name: str) -> Any:
        return count * sum(share * per_site(getattr(content, name), sites) for share, content in shares)

    if x.is_gradient:
        power = variance_w + mean_w**2
        parts = [(count * power * share, content) for share, content in shares]
        kept = count if w.orthogonal else 0
        return through_weights(parts, lambda g: per_site(g.second, sites), lambda g: g.matrix(sites), sites, kept)
    mean = mean_w * total("mean")
    own = mean_w**2 * sum(share * count * per_site(np.square(content.mean), sites) for share, content in shares)
    moments = [(variance_w + mean_w**2) * total(name) + mean**2 - own for name in ("second", "cross")]

    def kernel(across: bool) -> Any:
        between = (variance_w + mean_w**2) * count * _matrix(shares, across, sites)
        means = [np.broadcast_to(per_site(c.mean, sites), (sites,)) for _, c in shares]
        fixed = sum(share * count * np.outer(m, m) for (share, _), m in zip(shares, means, strict=True))
        wide = np.broadcast_to(mean, (sites,))
        return between - mean_w**2 * fixed + np.outer(wide, wide)

    return fresh(mean, moments[0], moments[1], kernel if sites > 1 else None)


def shares_of(x: Field) -> list[tuple[float, Any]]:
    """The laws of a field, each with its share of the features."""
    if len(x.blocks) == 1:
        return [(1.0, x.blocks[0][1])]
    total = sum(width for width, _ in x.blocks)
    return [(width / total, content) for width, content in x.blocks]


def per_site(values: Any, sites: int) -> Any:
    """Per position; where positions were merged into features, the mean over them."""
    return values if sites > 1 or len(values) == 1 else values.mean(keepdims=True)


def _matrix(shares: Sequence[tuple[float, Any]], across: bool, sites: int) -> Any:
    return sum(share * c.matrix(across, sites) for share, c in shares)


def reused(walk: Walk, equation: Any, x: Field, w: Field, axes: tuple[int, ...], count: int, law: Law) -> Law:
    """The law of a product with weights that were used before: what comes out is correlated with what came out then.

    By $n\\,\\mathrm{Var}\\,w\\,E\\,x x'$ with the signals x and x' that they met.
    """
    before = walk.products.setdefault(w.root, [])
    if any(known != axes for known, _, _ in before):
        raise refuse(equation, "the transpose of weights that were used before, which knows what they met")
    for _, old, result in reversed(before):
        if len(x.blocks) == len(old.blocks) == 1 and x.sites == old.sites == 1 and result.terms:
            power = count * float(w.law.variance[0])
            same, across = (power * float(product_of(old.law, x.law, a).mean()) for a in (False, True))
            law = _correlated(law, result, same, across)
            break
    before.append((axes, x, law))
    return law


def _correlated(law: Law, old: Law, same: float, across: float) -> Law:
    """A normal law that has these covariances with another one, in one example and between two."""
    ((atom, scale),) = old.terms.items()
    parts = {s: [p for p in atom.latent.parts if p.source.shared == s] for s in (True, False)}
    power = {s: sum(float((p.coefficient * scale)[0, 0]) ** 2 for p in found) for s, found in parts.items()}
    wanted = {True: across, False: same - across}
    ratio = {s: wanted[s] / power[s] if power[s] > 1e-12 else 0.0 for s in (True, False)}
    if not any(abs(wanted[s]) > 1e-9 * float(law.second[0]) for s in (True, False)):
        return law
    explained = {s: ratio[s] ** 2 * power[s] for s in (True, False)}
    spread, shared = float(law.variance[0]), float((law.cross - law.mean**2)[0])
    rest = fresh(0.0, spread - sum(explained.values()), max(shared - explained[True], 0.0))
    moved = tuple(p.scaled(scale * ratio[s]) for s in (True, False) for p in parts[s])
    norm = float(np.sqrt(sum(explained.values())))
    latent = Latent(tuple(part.scaled(np.full((1, 1), 1 / norm)) for part in moved))
    known = Law(np.asarray(law.mean).reshape(-1, 1), {normal(latent): np.full((1, 1), norm)})
    return closed(add(known, rest))


def _weight_gradient(equation: Any, shape: tuple[int, ...], one: Field, other: Field, contracted: Any) -> Field:
    """A sum over examples, and coherently over positions, of a signal times a gradient."""
    over = {x.roles[i] for x, axes in zip((one, other), contracted, strict=True) for i in axes}
    if one.is_weight or one.is_gradient == other.is_gradient or not over <= {"batch", "position", "one"}:
        raise refuse(equation, "a product of two signals, as in attention")
    x, gradient = (one, other) if other.is_gradient else (other, one)
    examples = math.prod(n for n, role in zip(x.shape, x.roles, strict=True) if role == "batch")
    laws, gradients = shares_of(x), shares_of(gradient)
    single = len(laws) == len(gradients) == x.sites == 1
    product = (x.law, gradient.law, examples) if single else None
    power, common = sum(a * b * outer_power(law, g, x.sites, examples) for a, law in laws for b, g in gradients)
    roles: list[Role] = ["weight" if n > 1 else "one" for n in shape]
    return Field(shape, tuple(roles), ((1, of_weights(power, common)),), product=product)


def twice(one: Field, other: Field) -> Field | None:
    """The sum of what two uses of a parameter get, if both get it from one gradient: their signals add up."""
    if one.product is None or other.product is None or one.product[1] is not other.product[1]:
        return None
    (x, gradient, examples), y = one.product, other.product[0]
    both = add(x, y)
    power, common = outer_power(both, gradient, 1, examples)
    return Field(one.shape, one.roles, ((1, of_weights(power, common)),), product=(both, gradient, examples))
