"""Maxima over windows of sites that are correlated, read off draws of the signal at all of its sites."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .expression import Expression
from .function import as_function
from .latent import Latent, correlation_matrix
from .law import Law
from .quadrature import Numbers

FEWEST, MOST = 512, 16384
"""Draws of two examples each."""

ENTRIES = 3 * 2**19
"""Draws times sites and windows, where that leaves enough of them."""

SHAPE, LEVELS = 4096, 1024
"""Draws of each maximum that are put in order, and means of neighbours that are kept of them."""

STEP = 1e-3
"""For slopes."""


@dataclass(frozen=True, eq=False)
class Contest:
    """The maxima over windows, and who wins them.

    Attributes:
        mean: of each maximum, shape `(windows,)`.
        within, across: covariances between windows, of one example and of two, shape `(windows, windows)`.
        levels: values of each maximum in their order, equally likely, shape `(windows, levels)`.
        moves: by how much each maximum moves with each site's latent in the mean, shape `(windows, sites)`.
        wins: how often each tap wins its window, shape `(windows, taps)`.
    """

    mean: Numbers
    within: Numbers
    across: Numbers
    levels: Numbers
    moves: Numbers
    wins: Numbers


def contest_of(law: Law, windows: Numbers, sites: int) -> Contest | None:
    """The contest of all windows; None if entries are alike, and independent between windows and examples too."""
    function, latent = as_function(inside(law))
    assert latent is not None
    key = b"drawn" + windows.tobytes()
    if key not in law.maxima:
        kernel, across = (correlation_matrix(latent, latent, across, sites) for across in (False, True))
        between = np.abs(kernel - np.diag(np.diagonal(kernel))).max() > 1e-9 or across.any()
        overlap = (np.bincount(windows[windows >= 0]) > 1).any()
        alone = not between and not overlap and not kinds(function, sites).any()
        law.maxima[key] = None if alone else contest(function, latent, windows, sites)
    found: Contest | None = law.maxima[key]
    return found


def contest(function: Expression, latent: Latent, windows: Numbers, sites: int) -> Contest:
    r"""Draw two examples of all sites, many times, and take their maxima.

    By Stein's lemma a maximum M has the covariance $\\sum_q E[\\partial M / \\partial z_q]\\,K_{pq}$ with the latent
    $z_p$, K being their kernel. So $M = \\sum_p E[\\partial M / \\partial z_p]\\,z_p + R$ with a rest R that is
    uncorrelated with all latents. Covariances of the first part are known from the kernel; only those of R are drawn.

    Args:
        function: of the entries.
        latent: what they are a function of.
        windows: their sites, shape `(windows, taps)`; -1 stands for padding, which never wins.
        sites: how many there are.
    """
    kernels = [correlation_matrix(latent, latent, across, sites) for across in (False, True)]
    count = int(np.clip(ENTRIES // (sites + len(windows)), FEWEST, MOST))
    values = lambda z: np.broadcast_to(function(z), z.shape)  # noqa: E731
    one, other = _examples(count, *kernels)
    # of equal entries the first wins in one example, the last in the other: each in half of the draws
    contests = [_largest(values(z), windows[:, ::order]) for z, order in ((one, 1), (other, -1))]
    (best, winner), (other_best, other_winner) = contests
    slopes = (values(one + STEP) - values(one - STEP)) / (2 * STEP)
    moves = _tally(winner, sites, slopes[winner, np.arange(count)])
    mean = (best.mean(1) + other_best.mean(1)) / 2
    rest, other_rest = best - moves @ one - mean[:, None], other_best - moves @ other - mean[:, None]
    within = moves @ kernels[0] @ moves.T + (rest @ rest.T + other_rest @ other_rest.T) / (2 * count)
    across = moves @ kernels[1] @ moves.T
    if kernels[1].any():
        across += (rest @ other_rest.T + other_rest @ rest.T) / (2 * count)
    won = (_tally(winner, sites) + _tally(other_winner, sites)) / 2
    wins = np.where(windows >= 0, np.take_along_axis(won, np.maximum(windows, 0), 1), 0.0)
    alike = _alike(function, kernels[0], windows)
    wins = (np.bincount(alike, wins.ravel()) / np.bincount(alike))[alike].reshape(wins.shape)
    return Contest(mean, within, across, _levels(np.concatenate([best, other_best], 1)), moves, wins)


def _levels(values: Numbers) -> Numbers:
    """Some values of each row in their order, as means of neighbours, shape `(windows, levels)`."""
    some = np.sort(values[:, :: -(-values.shape[1] // SHAPE)], 1)
    return np.stack([part.mean(1) for part in np.array_split(some, min(LEVELS, some.shape[1]), 1)], 1)


def _examples(count: int, within: Numbers, across: Numbers) -> Iterator[Numbers]:
    """Draws of the latents in two examples, shape `(sites, draws)` each.

    What the examples share, and what each has on its own, is a root of its kernel times a Latin hypercube: a row
    holds the quantiles of the normal distribution, in an order that is always the same.
    """
    from scipy.special import ndtri  # slow to import, and not needed by all

    quantiles = np.tile(ndtri((np.arange(count) + 0.5) / count), (len(within), 1))
    random = np.random.default_rng(0)
    together = _root(across) @ random.permuted(quantiles, axis=1) if across.any() else 0.0
    own = _root(within - across)
    for _ in range(2):
        yield together + own @ random.permuted(quantiles, axis=1)


def _root(kernel: Numbers) -> Numbers:
    """The symmetric root: it depends on the kernel alone, where eigenvectors would not."""
    power, vectors = np.linalg.eigh(kernel)
    found: Numbers = (vectors * np.sqrt(np.maximum(power, 0.0))) @ vectors.T
    return found


def _largest(values: Numbers, windows: Numbers) -> tuple[Numbers, Numbers]:
    """The maximum over each window and its site, shape `(windows, draws)`; of equal entries the first one."""
    values = np.concatenate([values, np.full((1, values.shape[1]), -np.inf)])
    best, winner = values[windows[:, 0]], np.broadcast_to(windows[:, :1], (len(windows), values.shape[1])).copy()
    for tap in windows.T[1:]:
        there = values[tap]
        larger = there > best
        np.copyto(best, there, where=larger)
        np.copyto(winner, tap[:, None], where=larger)
    return best, winner


def _tally(winner: Numbers, sites: int, weight: Numbers | None = None) -> Numbers:
    """How often each site wins each window, or the mean weight with which it does, shape `(windows, sites)`."""
    count, draws = winner.shape
    place = np.arange(count)[:, None] * sites + winner
    total = np.bincount(place.ravel(), None if weight is None else weight.ravel(), count * sites)
    found: Numbers = total.reshape(count, sites) / draws
    return found


def _alike(function: Expression, kernel: Numbers, windows: Numbers) -> Numbers:
    """A number for each tap of each window: the same where entries are of one law, and so are those around them."""
    law = np.append(kinds(function, len(kernel)), -1)
    beside = np.pad(kernel, ((0, 1), (0, 1))) + 4.0 * law
    company = np.sort(beside[windows[:, :, None], windows[:, None]], axis=2)
    marks = np.concatenate([law[windows][..., None], company], axis=2).reshape(windows.size, -1)
    found: Numbers = np.unique(marks.round(9), axis=0, return_inverse=True)[1].ravel()
    return found


def kinds(function: Expression, sites: int) -> Numbers:
    """A number for each site: the same where entries are the same function of their latents, 0 if all are."""
    values = np.asarray(function(np.linspace(-4, 4, 33)[None]), np.float64)
    values = values / max(np.abs(values).max(), 1e-300)
    found = np.unique(values.round(9), axis=0, return_inverse=True)[1].ravel()
    return np.broadcast_to(found, (sites,))


def inside(law: Law) -> Law:
    """The law without places that are minus infinity."""
    if not np.isneginf(law.offset).any():
        return law
    return Law(np.where(np.isneginf(law.offset), 0.0, law.offset), law.terms)


def alive(law: Law, windows: Numbers, sites: int) -> Numbers:
    """The windows without places that are minus infinity."""
    outside = np.append(np.isneginf(np.broadcast_to(law.offset[:, 0], (sites,))), True)
    return np.where(outside[windows], -1, windows)


def shares(windows: Numbers, sites: int) -> Numbers:
    """The matrix that takes the mean over each window."""
    share = np.zeros((len(windows), sites))
    for tap in windows.T:
        share[np.flatnonzero(tap >= 0), tap[tap >= 0]] += 1
    return share / share.sum(1, keepdims=True)


def uncorrelated(latent: Latent, windows: Numbers, sites: int) -> bool:
    """Whether sites of one window always are."""
    inside = shares(windows, sites) > 0
    together = inside.T @ inside & ~np.eye(sites, dtype=bool)
    return not (np.abs(correlation_matrix(latent, latent, False, sites)[together]) > 1e-9).any()
