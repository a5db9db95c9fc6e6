"""Deep networks whose signals are known before the first training step."""

from . import datasets as datasets
from . import losses as losses
from . import nn as nn
from . import weights as weights
from .model import Model as Model
from .predict import fixed_point as fixed_point
from .predict import propagate as propagate
from .signal import Flow as Flow
from .signal import Signal as Signal
from .signal import UnknownPrimitive as UnknownPrimitive
from .start import init as init
from .stored import load as load
from .train import History as History
from .train import evaluate as evaluate
from .train import fit as fit
from .weights import calibrate as calibrate
from .weights import tailor as tailor

__version__ = "0.1.0"
