"""One file per family of primitives; importing this registers them all."""

from . import combine as combine
from . import control as control
from . import convolution as convolution
from . import elementwise as elementwise
from . import parts as parts
from . import random as random
from . import reduce as reduce
from . import shape as shape
from . import window as window
