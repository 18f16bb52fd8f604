"""Sumformers: S(X)_i = psi(x_i, sum_k phi(x_k)), one construction a file."""

from constructions.sumformers.sumformer import Sumformer

__all__ = ["Sumformer"]
