"""Trainability maps: which plain networks train, by depth and activation, without tuning. Run by `trainability.py`."""
