"""A process of `serve`, seen from the one that drives it."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import peer_environment

import capas

from .contestants import CONTESTANTS

PATIENCE = 600.0
"""Seconds for one answer; compiling 1000 layers one by one may take longer, and then counts as refused."""

ON_JAX = {contestant.module for contestant in CONTESTANTS if contestant.uses_jax}
"""Modules of this package whose library runs on the Python and the JAX of capas."""

OURS = [Path(folder).parent for folder in capas.__path__]
"""Where capas is imported from in this process, and so in those of its own."""


class RefusedError(Exception):
    """A contestant that does not do what it was asked, and why."""


class Process:
    """Starts at once.

    Args:
        module: of this package, which it serves.
        folder: where it writes what it compiles and complains of.
    """

    def __init__(self, module: str, folder: Path) -> None:
        is_ours = module in {"with_capas", "limit"}
        python = Path(sys.executable) if is_ours else peer_environment.python(same=module in ON_JAX)
        options = {"TORCHINDUCTOR_CACHE_DIR": str(folder / "compiled")}
        if is_ours:
            options["PYTHONPATH"] = os.pathsep.join(map(str, (peer_environment.HERE, *OURS)))
        self._log = folder / f"{module}.log"
        self.started = time.perf_counter()
        self._process = subprocess.Popen(
            [python, "-m", "speed.serve", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log.open("w"),
            env=peer_environment.variables(**options),
            start_new_session=True,
        )

    def ask(self, do: str, patience: float = PATIENCE, **arguments: Any) -> dict[str, Any]:
        """The answer to a command. Raises `RefusedError` where there is none, or an error."""
        line = self._exchange(json.dumps({"do": do, **arguments}), patience)
        if not line:
            raise RefusedError(f"no answer to {do!r}: {self._last_words()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise RefusedError(answer["error"])
        return answer

    def _exchange(self, command: str, patience: float) -> bytes:
        asks, answers = self._process.stdin, self._process.stdout
        assert asks is not None
        assert answers is not None
        try:
            asks.write(command.encode() + b"\n")
            asks.flush()
        except BrokenPipeError:
            return b""
        if not select.select([answers], [], [], patience)[0]:
            raise RefusedError(f"no answer within {patience:.0f} s")
        return answers.readline()

    def _last_words(self) -> str:
        lines = [line for line in self._log.read_text(errors="replace").splitlines() if line.strip()]
        return lines[-1][:300] if lines else f"it ended with {self._process.poll()}"

    def end(self) -> None:
        """Stop it, and what it started."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()
