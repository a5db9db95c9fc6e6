"""How fast the libraries train the same networks, each in a process of its own. Run by `training.py`."""
