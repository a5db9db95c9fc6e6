"""Who wins the maximum over a window: where its gradient goes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from .atom import Atom
from .contest import alive, contest_of, inside, kinds, shares
from .expression import Expression, Z, gather_column
from .function import apply, as_function
from .joint import joint_nodes
from .latent import Latent, correlation_matrix
from .law import ONE, ZERO, Law, constant
from .quadrature import Numbers
from .tabulate import interpolated

MATES = 9
"""Other entries of a window that stand for all of them."""


@dataclass(eq=False)
class Choice(Law):
    """1 for the winner of a window, 0 for the others.

    Attributes:
        probability: of winning, given an entry's latent.
        root: of the probability.
        odds: how often each tap wins its window, relative to the mean over the windows of its site.
        windows_of: which sites are in one window, a matrix of booleans.
        largest: the law of the maximum.
        entries: the law of what it is the maximum of.
    """

    probability: Any = None
    root: Any = None
    odds: Any = None
    windows_of: Any = None
    largest: Any = None
    entries: Any = None

    def coincidence(self) -> Numbers:
        """E of the product of two choices, relative to that of the roots of their probabilities."""
        count = len(self.windows_of)
        found = self.probability.matrix(False, count) / np.maximum(self.root.matrix(False, count), 1e-300)
        found = np.where(self.windows_of, 0.0, found)
        np.fill_diagonal(found, 1.0)
        return found

    def as_winner(self, coefficient: Law) -> Law:
        """A function of the maximum as one of the entry that is the maximum."""
        function, latent = as_function(coefficient)
        if latent is None or self.largest is None or latent.origin is None:
            return coefficient
        root, sites = latent.origin
        if root is not self.largest.latents[0]:
            return coefficient
        entry, own = as_function(inside(self.entries))
        assert own is not None
        law = self.largest.gather(sites)
        ((atom, scale),) = law.terms.items()
        standard = Expression(_standardized, (entry, law.offset, scale))
        y = Expression(interpolated, (standard, atom.value.arguments[2], atom.value.arguments[1]))
        return Law(ZERO, {Atom(Expression(_composed, (y,), (function,)), own): ONE})


def _standardized(value: Numbers, offset: Numbers, scale: Numbers) -> Numbers:
    return (value - offset) / scale


def _composed(y: Numbers, function: Expression) -> Numbers:
    return np.asarray(function(y))


def choice(law: Law, windows: Numbers, sites: int, largest: Law, ties: bool) -> Choice:
    """Who wins the maximum over windows: every entry as often as it does, in the mean over its windows.

    How that depends on the entry is what it is where the latents in a window are equally correlated, by the mean of
    their correlations; where windows overlap, that is so in one of them.

    Args:
        law: of the entries.
        windows: their sites, shape `(windows, taps)`; -1 stands for padding.
        sites: how many the law has.
        largest: the law of the maximum.
        ties: whether the gradient is shared among entries that are as large, as by `jnp.max`; else the first one wins,
            as in a sliding window.
    """
    function, latent = as_function(inside(law))
    assert latent is not None
    windows = alive(law, windows, sites)
    met = windows >= 0
    drawn = contest_of(law, windows, sites)
    wins = met / met.sum(1, keepdims=True) if drawn is None else drawn.wins
    often = np.maximum(np.bincount(windows[met], minlength=sites), 1)
    mean = np.maximum(np.bincount(windows[met], wins[met], sites), 1e-9) / often
    share = shares(windows, sites)
    mates, taps = _mates(windows[:, met.any(0)], sites)
    functions = _probabilities(function, latent, mates, taps, _correlation(latent, share, sites))
    total = (Atom(functions[0], latent).mean / mean)[:, None]
    won, power = (Law(ZERO, {Atom(Expression(np.divide, (f, total)), latent): ONE}) for f in functions)
    return Choice(
        constant(1 / taps.max()).offset,
        probability=won,
        root=apply(np.sqrt, [power if ties else won]),
        odds=np.where(met, wins / mean[windows], 0.0),
        windows_of=share.T @ share > 0,
        largest=largest,
        entries=law,
    )


def _mates(windows: Numbers, sites: int) -> tuple[Numbers, Numbers]:
    """For every site those of a window that it is in, shape `(sites, taps)`, and how many they are."""
    mates, taps = np.zeros((sites, windows.shape[1]), int), np.ones(sites, int)
    for row in windows:
        met = row[row >= 0]
        mates[met], taps[met] = np.where(row >= 0, row, met.max()), len(met)
    return mates, taps


def _correlation(latent: Latent, share: Numbers, sites: int) -> float:
    """Between different sites of a window, in the mean."""
    variance = ((share @ correlation_matrix(latent, latent, False, sites)) * share).sum(1)
    taps = (share > 0).sum(1)
    r = float(((variance * taps - 1) / np.maximum(taps - 1, 1)).mean())
    return 0.0 if r < 1e-9 else min(r, 1 - 1e-9)


def _probabilities(function: Expression, latent: Latent, mates: Numbers, taps: Numbers, r: float) -> list[Expression]:
    """E (1 / entries that are as large)^tie of an entry that is the largest of its window, given z; for tie 1 and 2.

    On a grid between which it is interpolated. With tie = 1 this is the probability to win.

    Args:
        function: of the entries.
        latent: of them.
        mates: for every site those of its window, shape `(sites, taps)`.
        taps: how many they are, shape `(sites,)`.
        r: the correlation of latents in a window.
    """
    of_one_law = kinds(function, len(mates))
    company = np.concatenate([taps[:, None], of_one_law[:, None], np.sort(of_one_law[mates], 1)], 1)
    _, first, kind = np.unique(company, axis=0, return_index=True, return_inverse=True)
    breaks = gather_column(latent.breaks, first)
    even = np.broadcast_to(np.linspace(-6, 6, 61), (len(breaks), 61))
    edges = np.sort(np.concatenate([breaks - 1e-9, breaks + 1e-9, even], 1), 1)
    grid = np.broadcast_to(edges, (len(first), edges.shape[1]))
    t, t_weight = np.polynomial.hermite_e.hermegauss(8) if r else (np.zeros(1), np.ones(1))
    below, upto = _others(function, first, mates[first], grid, r, t)
    others, rows = taps[first] - 1, kind.ravel() if len(first) > 1 else [0]
    total = np.zeros((2, *grid.shape))
    for j in range(others.max() + 1):
        ways = np.array([float(math.comb(n, j)) for n in others])[:, None, None]
        tied = ways * (upto - below) ** j * below ** np.maximum(others - j, 0)[:, None, None]
        total += (tied @ (t_weight / t_weight.sum())) / np.array([1 + j, (1 + j) ** 2])[:, None, None]
    return [Expression(interpolated, (Z, grid[rows], np.clip(won, 0.0, 1.0)[rows])) for won in total]


def _others(
    function: Expression, sites: Numbers, mates: Numbers, grid: Numbers, r: float, t: Numbers
) -> tuple[Numbers, Numbers]:
    """P(another entry of the window < own), and <=, given z and what they share: shape `(sites, grid, shared)`."""
    own = np.broadcast_to(function.gather(sites, {})(grid), grid.shape)[..., None, None]
    w, weight = joint_nodes(np.zeros((1, 0)))
    s = np.sqrt(r) * grid[..., None] + np.sqrt(1 - r) * t
    z = np.sqrt(r) * s[..., None] + np.sqrt(1 - r) * w[0]
    scale = 1e-12 * (1 + np.abs(own))
    total = [np.zeros(s.shape), np.zeros(s.shape)]
    some = mates.T[:: -(-mates.shape[1] // MATES)]
    for tap in some:
        values = np.broadcast_to(function.gather(tap, {})(z.reshape(len(z), -1)), (len(z), z[0].size)).reshape(z.shape)
        for i, larger in enumerate((values < own - scale, values <= own + scale)):
            total[i] += larger @ (weight[0] / weight[0].sum()) / len(some)
    return total[0], total[1]
