"""Targets: continuous permutation-equivariant functions, written as text or handed over as a callable."""
