"""How many training steps a second, beside PyTorch, Keras, Flax, Equinox and scikit-learn on the same networks?

Every contestant has a process of its own and the same examples, initial parameters, order of batches, loss and Adam;
equal losses before and after the first step are required. They train in turn, for some rounds, and the median counts.
Beside the rates stand the time from the start of the process to the end of the first step, compilation included, the
peak memory of the process, and what share of the machine's rate of large float32 matrix products, measured in the same
rounds, the kernels' operations reach.

    training.py                                  everything
    training.py --only 1,5 --contestants capas,torch,flax --rounds 3
    training.py --report                         what has been measured, for the docs too

Results are written after every workload into benchmarks/results/training.json, or, where only some contestants take
part, training_partial.json. Of several ways to use a library the fastest counts. Peers are installed into environments
of their own at the first run: those on JAX with the Python and the JAX of capas, the others with the Python that their
PyTorch is for. Capas in bfloat16 takes part as `capas-bfloat16`, where it is asked for. Whole epochs
and times to an accuracy are in `epochs.py` and `time_to_accuracy.py`.
"""

from __future__ import annotations

from speed.command import arguments, page, require_same_work, run
from speed.report import of_training, print_grids
from speed.tasks import STEPS


def main() -> None:
    """Run and report; fails if a contestant did other work than the others."""
    asked = arguments("training.py", __doc__)
    records = run("training", asked, (STEPS,), lambda contestant: contestant.trains)
    print_grids(of_training(records), records, (STEPS.name,), page("training", asked))
    require_same_work(records)


if __name__ == "__main__":
    main()
