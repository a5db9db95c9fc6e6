"""Environments of their own for the peers, in the cache folder, made at first use."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import jax

from capas.datasets.fetch import cache_folder

PYTHON = (3, 11)
"""For which there is the PyTorch below."""

FLAX = ("flax==0.12.8;python_version<'3.12'", "flax==0.12.12;python_version>='3.12'")
"""The JAX of later Pythons does not go with the earlier Flax."""

WITH_JAX = ("keras==3.15.1", *FLAX, "equinox==0.13.8", "numpy", "scipy")
WITH_TORCH = ("torch==2.13.0", "scikit-learn==1.9.1", "onnx==1.23.2", "onnxruntime==1.32.0")
HERE = Path(__file__).parent


def python(same: bool = False) -> Path:
    """The Python of an environment with all peers; with those on JAX in this Python and on this JAX, for `same`."""
    here = sys.version_info[:2] == PYTHON
    if same and not here:
        return _made(f"peers-{sys.version_info.minor}", Path(sys.executable), (*WITH_JAX, f"jax=={jax.__version__}"))
    name = ".".join(map(str, PYTHON))
    found = sys.executable if here else shutil.which(f"python{name}")
    if found is None:
        raise SystemExit(f"The peers' PyTorch is one for Python {name}, and there is no python{name} here.")
    return _made("peers", Path(found), (*WITH_JAX, *WITH_TORCH, f"jax=={jax.__version__}" if here else "jax"))


def _made(name: str, maker: Path, requirements: tuple[str, ...]) -> Path:
    folder = cache_folder() / name
    found = folder / "installed.txt"
    if not found.exists() or found.read_text().split() != [*requirements]:
        print(f"installing {', '.join(requirements)} into {folder}", flush=True)
        subprocess.run([maker, "-m", "venv", "--clear", folder], check=True)
        subprocess.run([folder / "bin/python", "-m", "pip", "install", "--quiet", *requirements], check=True)
        found.write_text("\n".join(requirements))
    return folder / "bin/python"


def variables(**options: str) -> dict[str, str]:
    """The variables of a process of the peers, which finds the modules beside this one."""
    return {**os.environ, "KERAS_BACKEND": "jax", "PYTHONPATH": str(HERE), **options}
