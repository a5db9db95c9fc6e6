"""What does an epoch of 60,000 examples cost with all that belongs to it: order, batches, and what is kept of the loss?

Each library the way its users do it: `capas.fit`, `fit` of Keras and scikit-learn, a shuffling `DataLoader` in PyTorch,
batches out of NumPy arrays in Flax and Equinox; from host arrays, compilation not counted. Beside it stands what the
same number of bare steps takes in the same rounds, as `training.py` measures them. Options and results are as there.

    epochs.py --only 2 --contestants capas,torch,keras --rounds 3
"""

from __future__ import annotations

from speed.command import arguments, page, require_same_work, run
from speed.report import of_epochs, print_grids
from speed.tasks import EPOCHS, STEPS

WORKLOADS = (1, 2, 5, 7, 8, 9)
"""Those whose epochs take seconds."""


def main() -> None:
    """Run and report; fails if a contestant did other work than the others."""
    asked = arguments("epochs.py", __doc__, WORKLOADS)
    records = run("epochs", asked, (STEPS, EPOCHS), lambda contestant: contestant.trains)
    print_grids(of_epochs(records), records, (EPOCHS.name,), page("epochs", asked, WORKLOADS))
    require_same_work(records)


if __name__ == "__main__":
    main()
