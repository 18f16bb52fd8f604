"""Certification by structure: a stored ReLU Sumformer is read as polynomials and tables, which are held against the target."""
