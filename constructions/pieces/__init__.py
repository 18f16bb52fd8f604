"""Pieces: one lemma, one builder. Univariate functions, squares, products and kernels as ReLU units with proved errors."""
