"""Six real data sets, trained from the default weights and from those of three papers. Run by `six_data_sets.py`."""
