"""Training that survives an interruption, through Orbax."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from copy import deepcopy
from hashlib import sha256
from pathlib import Path
from typing import Any

import jax
import numpy as np

from ..errors import ArgumentError

Progress = dict[str, Any]
"""What is kept beside the arrays, as plain JSON values."""


class Checkpoint:
    """The states of one training run in a folder, the newest two kept; each is written whole or not at all.

    Args:
        folder: where; made if needed.
        run: what identifies the run as plain JSON values. A folder of another run is refused.
    """

    def __init__(self, folder: str | os.PathLike[str], run: Mapping[str, Any]) -> None:
        import orbax.checkpoint as ocp

        self._ocp = ocp
        self._run = dict(run)
        self._manager = ocp.CheckpointManager(
            Path(folder).absolute(), options=ocp.CheckpointManagerOptions(max_to_keep=2, create=True)
        )

    def save(self, epoch: int, tree: Any, progress: Progress) -> None:
        """Keep the state after an epoch; returns before it is on disk."""
        args = self._ocp.args
        described = deepcopy({"run": self._run, "progress": progress})  # it is written while training goes on
        self._manager.save(
            epoch,
            args=args.Composite(state=args.StandardSave(_numbered(tree)), described=args.JsonSave(described)),
            force=True,
        )

    def restore(self, like: Any) -> tuple[Any, Progress] | None:
        """The newest state, in the structure of `like`; None if there is none. Refuses that of another run."""
        epoch = self._manager.latest_step()
        if epoch is None:
            return None
        args = self._ocp.args
        described = self._manager.restore(epoch, args=args.Composite(described=args.JsonRestore()))["described"]
        self._require_same(described["run"])
        target = args.StandardRestore(_numbered(like))
        found = self._manager.restore(epoch, args=args.Composite(state=target))["state"]
        leaves = [found[name] for name in _numbered(like)]
        return jax.tree.unflatten(jax.tree.structure(like), leaves), described["progress"]

    def _require_same(self, run: Mapping[str, Any]) -> None:
        for name, value in self._run.items():
            if run.get(name) != value:
                raise ArgumentError(
                    f"checkpoint {str(self._manager.directory)!r}",
                    expected=f"a run with {name}={value!r}",
                    got=repr(run.get(name)),
                    remedy="Continue with the settings it began with, or give a new folder.",
                )

    def close(self) -> None:
        """Wait until everything is on disk."""
        self._manager.wait_until_finished()
        self._manager.close()


def digest(tree: Any) -> str:
    """A few digits by which arrays are known again."""
    found = sha256()
    for leaf in jax.tree.leaves(tree):
        found.update(np.ascontiguousarray(leaf).tobytes())
    return found.hexdigest()[:12]


def structure(function: Callable[[Any], Any], argument: Any) -> str:
    """A few digits by which the names, shapes and types of what a function makes are known again."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(jax.eval_shape(function, argument))
    text = "\n".join(f"{jax.tree_util.keystr(path)} {leaf.shape} {leaf.dtype}" for path, leaf in leaves)
    return sha256(text.encode()).hexdigest()[:12]


def _numbered(tree: Any) -> dict[str, Any]:
    """Leaves by number: Orbax stores plain dicts in the same way whatever optimizer made them."""
    return {f"{i:05d}": leaf for i, leaf in enumerate(jax.tree.leaves(tree))}
