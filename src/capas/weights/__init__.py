"""Weights to start from: schemes that sample a kernel and state its law, and the gain an activation asks for."""

from .calibrate import calibrate as calibrate
from .centred import Centred as Centred
from .gain import gain as gain
from .initialize import initialize as initialize
from .laws import laws as laws
from .mirrored import Mirrored as Mirrored
from .scaled import Glorot as Glorot
from .scaled import He as He
from .scaled import LeCun as LeCun
from .schemes import Constant as Constant
from .schemes import Law as Law
from .schemes import Normal as Normal
from .schemes import Scheme as Scheme
from .schemes import TruncatedNormal as TruncatedNormal
from .schemes import Uniform as Uniform
from .schemes import Zeros as Zeros
from .structured import DeltaOrthogonal as DeltaOrthogonal
from .structured import Identity as Identity
from .structured import Orthogonal as Orthogonal
from .tailor import tailor as tailor
