"""What has been measured, in one JSON file with a record for each workload."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import environment
from maps.results import commit

from .figures import Record
from .workloads import Workload


def load(path: Path) -> dict[int, Record]:
    """The records by workload; none where nothing was measured."""
    return {record["workload"]: record for record in json.loads(path.read_text())} if path.exists() else {}


def add(path: Path, record: Record) -> None:
    """Write the record of a workload over its last one. The file is whole at any moment."""
    path.parent.mkdir(exist_ok=True)
    records = {**load(path), record["workload"]: record}
    part = path.with_suffix(".part")
    part.write_text(json.dumps([records[number] for number in sorted(records)], indent=1) + "\n")
    part.replace(path)


def record_of(workload: Workload, before: float, found: tuple[list[Record], Record]) -> dict[str, Any]:
    """What a race found, with what it was measured on and the load before it."""
    contestants, limit = found
    return {
        "workload": workload.number,
        "title": workload.title,
        "batch": workload.batch,
        "operations": workload.operations,
        "commit": commit(),
        "processor": environment.processor(),
        "cores": environment.cores(),
        "load": [before, environment.load()],
        "limit": limit,
        "contestants": contestants,
    }
