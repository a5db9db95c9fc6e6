"""Settings under which all tests run."""

import jax

# A number of another precision that slips into a layer widens everything after it, unseen. Ranks stay free:
# adding a bias to a batch is a promotion of rank. Types are left to mypy: checked at run time, a wrong one would
# stop at the annotation, before the refusal that is to be tested.
jax.config.update("jax_numpy_dtype_promotion", "strict")
