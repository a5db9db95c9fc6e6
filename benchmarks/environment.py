"""What a figure was measured on: printed at the head of every benchmark."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import jax
import optax


def describe() -> str:
    """Versions, cores and load, on one line."""
    return (
        f"Python {platform.python_version()}, JAX {jax.__version__}, Optax {optax.__version__}, "
        f"{cores()} cores ({platform.machine()}), load {load():.1f}"
    )


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0))


def load() -> float:
    """Processes that ran or waited to run, averaged over the last minute."""
    return os.getloadavg()[0]


def processor() -> str:
    """The model of the CPU."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
