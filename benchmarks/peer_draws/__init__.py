"""Weights as the code of other libraries draws them, and as `maps.peers` does, for `peer_weights.py`."""
