"""The only place that changes the process, for good where it is geoseg's own, else for the time of a call.

Importing anything of geoseg, this room included, changes nothing.
"""
