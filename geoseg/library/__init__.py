"""The functions of ``import geoseg``: thin pages over the rooms, with plain keywords as options."""
