"""Lipschitz constants of named targets on [0, 1], by hand."""

from __future__ import annotations

KNOWN = {"own-times-mean": 2, "median": 1, "range": 2, "obstruction": 4, "max": 1, "figure-2": 111, "moments": 1}
