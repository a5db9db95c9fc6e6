"""What does `import capas` cost over `import jax`? Medians of fresh processes, one after the other."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

import environment

ROUNDS = 9


def seconds(module: str) -> float:
    """One fresh process that imports the module."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True)
    return time.perf_counter() - start


if __name__ == "__main__":
    print(environment.describe())
    for module in ("jax", "capas"):
        seconds(module)
    rounds = [(seconds("jax"), seconds("capas")) for _ in range(ROUNDS)]
    jax_alone, capas = (statistics.median(column) for column in zip(*rounds, strict=True))
    print(f"import jax {jax_alone:.2f} s, import capas {capas:.2f} s, difference {capas - jax_alone:.2f} s")
