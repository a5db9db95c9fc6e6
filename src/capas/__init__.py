"""Deep networks whose signals are known before the first training step."""
