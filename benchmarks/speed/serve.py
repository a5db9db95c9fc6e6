"""One contestant in this process: commands as lines of JSON on its input, answers as lines on its output.

    python -m speed.serve with_torch

`load` takes a workload's number, the file of its material, options of the trainer, a seed and, if it is another than
the workload's, the size of a batch; it gives versions and cores.
`steps` takes a count and gives seconds and the last loss.
`epochs` takes a count, and gives seconds and the examples of one.
`learn` takes an accuracy and gives those after each epoch, the last of which reaches it if any does, and the seconds
that it took to find them.
`predict` takes a number of rows and a count, and gives seconds and the first row's logits less their mean.
`memory` gives the largest resident size, `rates` those of the machine, where the module is `limit`; `bye` ends it.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from .material import MOST, ROWS, Material, read
from .workloads import BY_NUMBER

Answer = dict[str, Any]


def peak() -> int:
    """The largest resident size of this process so far, in bytes."""
    status = Path("/proc/self/status").read_text()  # not getrusage, which counts the parent before exec too
    return 1024 * int(status.split("VmHWM:")[1].split()[0])


class Server:
    """Answers commands about one trainer.

    Args:
        module: of this package; it has `VERSIONS` and `Trainer`.
    """

    def __init__(self, module: str) -> None:
        self._module = module
        self._trainer: Any = None
        self._material: Material
        self._predictors: dict[int, Callable[[], Any]] = {}

    def load(
        self, workload: int, file: str, options: dict[str, Any], seed: int = 0, batch: int | None = None
    ) -> Answer:
        """Make the trainer."""
        library, chosen = import_module(f"speed.{self._module}"), BY_NUMBER[workload]
        self._material = read(Path(file))
        np.random.seed(seed)
        self._trainer = library.Trainer(replace(chosen, batch=batch or chosen.batch), self._material, **options)
        return {"versions": library.VERSIONS, "cores": len(os.sched_getaffinity(0))}

    def steps(self, count: int) -> Answer:
        """Train."""
        start = time.perf_counter()
        loss = self._trainer.steps(count)
        return {"seconds": time.perf_counter() - start, "value": loss}

    def epochs(self, count: int) -> Answer:
        """Go through `ROWS` examples in a new order each time, as users of the library do."""
        return {"seconds": self._trainer.epochs(count), "value": ROWS}

    def learn(self, target: float) -> Answer:
        """Train as users of the library do, until the examples held out are told so well, or no more is to be had."""
        accuracies: list[float] = []
        spent = 0.0

        def judge() -> bool:
            nonlocal spent
            start, held = time.perf_counter(), self._material.held
            found = np.asarray(self._trainer.predictor(held)()).argmax(-1) == self._material.y[:held]
            accuracies.append(float(found.mean()))
            spent += time.perf_counter() - start
            return accuracies[-1] >= target

        getattr(self._trainer, "learn", self._learn)(judge)
        return {"seconds": spent, "value": accuracies}

    def _learn(self, judge: Callable[[], bool]) -> None:
        for _ in range(MOST):
            self._trainer.epochs(1)
            if judge():
                return

    def predict(self, rows: int, count: int) -> Answer:
        """Predict the first rows over and over, from a NumPy array to a NumPy array."""
        if rows not in self._predictors:
            self._predictors[rows] = self._trainer.predictor(rows)
        predictor, start = self._predictors[rows], time.perf_counter()
        for _ in range(count):
            outputs = predictor()
        seconds = time.perf_counter() - start
        return {"seconds": seconds, "value": [float(v) for v in outputs[0] - outputs[0].mean()]}

    def memory(self) -> Answer:
        """The largest resident size so far, in megabytes."""
        return {"megabytes": peak() / 2**20}

    def rates(self) -> Answer:
        """What the machine can do."""
        found: Answer = import_module(f"speed.{self._module}").rates()
        return found

    def answer(self, command: dict[str, Any]) -> Answer:
        """What a command gives, or the error it ends in."""
        known: dict[str, Callable[..., Answer]] = {
            "load": self.load,
            "steps": self.steps,
            "epochs": self.epochs,
            "learn": self.learn,
            "predict": self.predict,
            "memory": self.memory,
            "rates": self.rates,
        }
        do = known[command.pop("do")]
        try:
            return do(**command)
        except Exception as error:
            traceback.print_exc()
            return {"error": f"{type(error).__name__}: {error}".strip().splitlines()[0][:300]}


def main() -> None:
    """Answer until told to end; whatever libraries print goes to the error output."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    server = Server(sys.argv[1])
    for line in sys.stdin:
        if (command := json.loads(line)) == {"do": "bye"}:
            return
        print(json.dumps(server.answer(command)), file=answers, flush=True)


if __name__ == "__main__":
    main()
