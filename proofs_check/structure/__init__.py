"""Certification by structure: a stored ReLU Sumformer is read as polynomials and tables, and these are held against the target."""
