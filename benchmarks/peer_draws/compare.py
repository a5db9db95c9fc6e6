"""Whether two samples are of one distribution."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

ROUNDING = 1e-5
"""Relative; numbers that differ by no more count as equal."""


def compare(theirs: Any, ours: Any) -> dict[str, Any]:
    """Both samples in figures, and p-values of the tests; where theirs are all equal, instead whether ours are too.

    Returns: a dict of plain numbers.
    """
    figures = {"theirs": describe(theirs), "ours": describe(ours)}
    if np.ptp(theirs) <= ROUNDING * np.abs(theirs).max():
        return {**figures, "equal": bool(np.allclose(ours, theirs.mean(), rtol=ROUNDING, atol=0)), "p": {}}
    p = {
        "kolmogorov_smirnov": stats.ks_2samp(theirs, ours).pvalue,
        "std": same_std(figures["theirs"], figures["ours"]),
        "max": same_end(np.abs(theirs), np.abs(ours)),
    }
    return {**figures, "equal": None, "p": {test: float(value) for test, value in p.items()}}


def describe(x: Any) -> dict[str, float]:
    """How many numbers, their standard deviation with its standard error, and the largest absolute value."""
    from_mean = x.astype(np.float64) - x.mean(dtype=np.float64)
    std, fourth = from_mean.std(), (from_mean**4).mean()
    error = np.sqrt((fourth - std**4) / len(x)) / (2 * std) if std else 0.0
    return {"numbers": len(x), "std": float(std), "std_error": float(error), "max": float(np.abs(x).max())}


def same_std(theirs: dict[str, float], ours: dict[str, float]) -> float:
    """Two-sided p-value of the difference of two standard deviations, in its standard errors."""
    error = np.hypot(theirs["std_error"], ours["std_error"])
    return 2 * stats.norm.sf(abs(theirs["std"] - ours["std"]) / error)


def same_end(theirs: Any, ours: Any) -> float:
    """Two-sided p-value of how many numbers of one sample are beyond all of the other.

    In one distribution the k largest of all numbers are of one sample with probability (its share)^k, whatever the
    distribution. Source: Rosenbaum (1954), "Tables for a nonparametric test of location".
    """
    beyond, below = (theirs, ours) if theirs.max() > ours.max() else (ours, theirs)
    share = len(beyond) / (len(beyond) + len(below))
    return min(1.0, 2 * share ** int((beyond > below.max()).sum()))
