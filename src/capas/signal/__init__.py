"""A network read over signals: random arrays of which the law is known."""

from .flow import Flow as Flow
from .flow import Row as Row
from .gaussian import expectation as expectation
from .interpret import UnknownPrimitive as UnknownPrimitive
from .interpret import rule as rule
from .maps import FixedPoint as FixedPoint
from .maps import LayerMap as LayerMap
from .parameter import Entries as Entries
from .propagate import propagate as propagate
from .signal import Signal as Signal
