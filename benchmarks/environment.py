"""What a figure was measured on: printed at the head of every benchmark."""

from __future__ import annotations

import os
import platform

import jax
import optax


def describe() -> str:
    """Versions, cores and load, on one line."""
    load = os.getloadavg()[0]
    cores = len(os.sched_getaffinity(0))
    return (
        f"Python {platform.python_version()}, JAX {jax.__version__}, Optax {optax.__version__}, "
        f"{cores} cores ({platform.machine()}), load {load:.1f}"
    )
