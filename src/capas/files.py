"""The file of a model: one safetensors file, with plain JSON in its header."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxtyping import Array

from .errors import DataError

FORMAT = "capas-1"


def write(path: str | os.PathLike[str], header: Mapping[str, Any], arrays: Mapping[str, Array]) -> None:
    """Write header and arrays; the file appears whole or not at all."""
    from safetensors.flax import save

    partial_file = Path(f"{os.fspath(path)}.partial")
    partial_file.write_bytes(save(dict(arrays), {"capas": json.dumps({"format": FORMAT, **header})}))
    partial_file.replace(path)


def _header(text: str) -> dict[str, Any]:
    """What a header says; nothing, if it is not JSON."""
    try:
        return dict(json.loads(text))
    except (TypeError, ValueError):
        return {}


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, Array]]:
    """Header and arrays. Raises `DataError` for a file that `write` has not written."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="flax") as file:
            header = _header((file.metadata() or {}).get("capas", "{}"))
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise DataError(
            os.fspath(path), expected="a safetensors file", got=str(error), remedy="Check the path."
        ) from error
    if header.get("format") != FORMAT:
        raise DataError(
            os.fspath(path),
            expected=f"a model file of format {FORMAT!r}",
            got=repr(header.get("format")),
            remedy="Save models with Model.save; update capas to read files of a newer one.",
        )
    return header, arrays
