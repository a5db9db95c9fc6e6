"""Training and evaluation."""

from .evaluate import evaluate as evaluate
from .fit import fit as fit
from .history import History as History
from .inputs import standardize_inputs as standardize_inputs
from .loop import Callback as Callback
from .optimizer import asymmetric_kernels as asymmetric_kernels
from .optimizer import layer_decays as layer_decays
from .optimizer import layer_rates as layer_rates
from .optimizer import peak_rate as peak_rate
from .updates import centre_updates as centre_updates
from .updates import decay_weights as decay_weights
from .updates import kernel_rate as kernel_rate
from .updates import scale_updates as scale_updates
