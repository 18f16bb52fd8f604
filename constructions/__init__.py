"""Build: from a continuous target and a tolerance to explicit network weights. Decides, never certifies."""
