"""Training and evaluation."""

from .evaluate import evaluate as evaluate
from .fit import fit as fit
from .history import History as History
from .loop import Callback as Callback
