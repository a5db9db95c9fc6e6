"""An environment of their own for the peers, in the cache folder, made at first use."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import jax

from capas.datasets.fetch import cache_folder

PYTHON = (3, 11)
REQUIREMENTS = (
    "torch==2.13.0",
    "keras==3.15.1",
    "flax==0.12.8",
    "equinox==0.13.8",
    "scikit-learn==1.9.1",
    "onnx==1.23.2",
    "onnxruntime==1.32.0",
    f"jax=={jax.__version__}",
    "numpy",
    "scipy",
)
HERE = Path(__file__).parent


def python() -> Path:
    """The Python of the environment. Ends the program under another version than that of the PyTorch it needs."""
    if sys.version_info[:2] != PYTHON:
        wanted, here = (".".join(map(str, version[:2])) for version in (PYTHON, sys.version_info))
        raise SystemExit(f"The peers' PyTorch is one for Python {wanted}, and this is {here}. Run it with {wanted}.")
    folder = cache_folder() / "peers"
    found = folder / "installed.txt"
    if not found.exists() or found.read_text().split() != [*REQUIREMENTS]:
        print(f"installing {', '.join(REQUIREMENTS)} into {folder}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([folder / "bin/python", "-m", "pip", "install", "--quiet", *REQUIREMENTS], check=True)
        found.write_text("\n".join(REQUIREMENTS))
    return folder / "bin/python"


def variables(**options: str) -> dict[str, str]:
    """The variables of a process of the peers, which finds the modules beside this one."""
    return {**os.environ, "KERAS_BACKEND": "jax", "PYTHONPATH": str(HERE), **options}
