"""Functions of token arrays, as a user has them in a module."""

from __future__ import annotations

from typing import NoReturn

import numpy as np


def target_squared(tokens: np.ndarray) -> np.ndarray:
    """An equivariant callable."""
    return np.asarray(tokens * tokens)


def farthest(tokens: np.ndarray) -> np.ndarray:
    """The distance of each token to the farthest one, slope 2, written for (batch, n, d) arrays and no others."""
    return np.asarray(np.abs(tokens[:, :, None] - tokens[:, None, :]).max(axis=2))


def first_token(tokens: np.ndarray) -> np.ndarray:
    """A callable that is not equivariant."""
    return np.asarray(np.broadcast_to(tokens[..., :1, :], tokens.shape))


def broken(tokens: np.ndarray) -> NoReturn:
    """A callable that fails."""
    raise RuntimeError("out of order")
