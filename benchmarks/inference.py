"""How many rows a second do the same networks predict, beside the peers of `training.py` and ONNX Runtime?

For 1, 32 and 1024 rows at a time, from a NumPy array of the layout that the library uses to a NumPy array of logits,
in each library's compiled way to predict. Equal logits are required. Ways, options and results are as in `training.py`.

    inference.py --only 2,5 --contestants capas,torch,onnxruntime --rounds 3
"""

from __future__ import annotations

from speed.command import arguments, page, require_same_work, run
from speed.report import of_inference, print_grids
from speed.tasks import predictions

ROWS = (1, 32, 1024)


def main() -> None:
    """Run and report; fails if a contestant did other work than the others."""
    asked = arguments("inference.py", __doc__)
    tasks = [predictions(rows) for rows in ROWS]
    names = [task.name for task in tasks]
    records = run("inference", asked, tasks, lambda contestant: contestant.predicts)
    print_grids(of_inference(records, ROWS, names), records, names, page("inference", asked))
    require_same_work(records)


if __name__ == "__main__":
    main()
