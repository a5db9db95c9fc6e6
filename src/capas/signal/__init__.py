"""A network read over signals: random arrays of which the law is known."""

from .gaussian import expectation as expectation
