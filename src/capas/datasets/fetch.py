"""Files from the internet: into the cache folder, whole and with the right checksum, or not at all."""

from __future__ import annotations

import hashlib
import os
import tempfile
from http.client import HTTPException
from pathlib import Path
from typing import IO
from urllib.request import urlopen

from ..errors import DataError

TIMEOUT_SECONDS = 10
CHUNK_BYTES = 1 << 16


def cache_folder() -> Path:
    """Where downloaded files stay: `$CAPAS_CACHE`, else `$XDG_CACHE_HOME/capas`, else `~/.cache/capas`.

    Source of the defaults: freedesktop.org, "XDG Base Directory Specification", by which a relative path is ignored.

    Example:
        >>> from capas.datasets.fetch import cache_folder
        >>> cache_folder().is_absolute()
        True
    """
    if os.environ.get("CAPAS_CACHE"):
        return Path(os.environ["CAPAS_CACHE"]).absolute()
    home = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (home if home.is_absolute() else Path.home() / ".cache") / "capas"


def fetch(address: str, path: Path, sha256: str) -> None:
    """Download `address` to `path`, unless a file with this SHA-256 is there already.

    The bytes go to a temporary file beside `path`, which takes its name when the checksum is right.

    Raises `DataError` if the address cannot be read, the folder not written, or the checksum is another.

    Example:
        >>> import hashlib, tempfile
        >>> from pathlib import Path
        >>> from capas.datasets.fetch import fetch
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     source, target = Path(folder, "source"), Path(folder, "cache", "target")
        ...     _ = source.write_bytes(b"data")
        ...     fetch(source.as_uri(), target, hashlib.sha256(b"data").hexdigest())
        ...     target.read_bytes()
        b'data'
    """
    if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256:
        return
    try:
        _download(address, path, sha256)
    except (OSError, HTTPException) as error:
        raise DataError(
            address,
            expected=f"a file to download to {path}",
            got=str(error),
            remedy="Check the connection and that the folder can be written.",
        ) from error


def _download(address: str, path: Path, sha256: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            found = _copy(address, file, path.name)
        _require_checksum(address, sha256, found)
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)


def _copy(address: str, file: IO[bytes], label: str) -> str:
    """Copy with a progress bar, which shows on terminals only; the SHA-256 of what was copied."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    digest = hashlib.sha256()
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    console = Console(stderr=True)
    with (
        urlopen(address, timeout=TIMEOUT_SECONDS) as response,
        Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar,
    ):
        task = bar.add_task(label, total=int(response.headers.get("Content-Length", 0)) or None)
        while chunk := response.read(CHUNK_BYTES):
            digest.update(chunk)
            file.write(chunk)
            bar.update(task, advance=len(chunk))
    return digest.hexdigest()


def _require_checksum(address: str, expected: str, found: str) -> None:
    if found != expected:
        raise DataError(
            address,
            expected=f"a file with SHA-256 {expected}",
            got=found,
            remedy="Try again: the download was cut short or changed on the way.",
        )
