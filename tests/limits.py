"""Limits that detect hangs. They measure no machine: a busy one may be twenty times slower."""

HANGS_S = 3000
"""Seconds after which a process that was started by a test hangs; the limit of a test itself is longer."""
