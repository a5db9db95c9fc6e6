"""What training minimizes: one number per example, from outputs and targets whose shapes never broadcast.

Every loss is `loss(outputs, targets, *, weights=None, mask=None)` and gives an array of shape `(batch,)`; what an
example has besides its batch axis (positions, outputs) is averaged. `weights` multiply values, `mask` (True: counts)
leaves values out, whatever stands there, padding or NaN; both have shape `(batch,)` or one entry per value. It is
computed in float32 or better. The mean over examples is `mean`.
"""

from .classification import binary_cross_entropy as binary_cross_entropy
from .classification import focal as focal
from .classification import hinge as hinge
from .classification import kl_divergence as kl_divergence
from .classification import softmax_cross_entropy as softmax_cross_entropy
from .contract import bare as bare
from .contract import check_targets as check_targets
from .contract import from_logits as from_logits
from .contract import mean as mean
from .regression import huber as huber
from .regression import mae as mae
from .regression import mse as mse
from .regression import poisson as poisson
