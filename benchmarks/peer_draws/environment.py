"""An environment of their own for the peers, in the cache folder, made at first use."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import jax

from capas.datasets.fetch import cache_folder

PYTHON = (3, 11)
REQUIREMENTS = ("torch==2.13.0", "keras==3.15.1", "flax==0.12.8", f"jax=={jax.__version__}", "numpy", "scipy")


def python() -> Path:
    """The Python of the environment. Ends the program under another version than that of the PyTorch it needs."""
    if sys.version_info[:2] != PYTHON:
        wanted, here = (".".join(map(str, version[:2])) for version in (PYTHON, sys.version_info))
        raise SystemExit(f"The peers' PyTorch is one for Python {wanted}, and this is {here}. Run it with {wanted}.")
    folder = cache_folder() / "peers"
    made = folder / "made_of.txt"
    if not made.exists() or made.read_text().split() != [*REQUIREMENTS]:
        print(f"installing {', '.join(REQUIREMENTS)} into {folder}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        subprocess.run([folder / "bin/python", "-m", "pip", "install", "--quiet", *REQUIREMENTS], check=True)
        made.write_text("\n".join(REQUIREMENTS))
    return folder / "bin/python"


def draw(path: Path) -> None:
    """Let the peers write their samples, on one core as far as they can be told."""
    options = {"KERAS_BACKEND": "jax", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parent.parent)}
    subprocess.run([python(), "-m", "peer_draws.theirs", path], env={**os.environ, **options}, check=True)
