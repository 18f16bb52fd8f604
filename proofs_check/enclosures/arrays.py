"""Numpy arrays, and arrays that numpy hands its functions to (NEP 18; ``device_array.py``): what differs between the two.

The checker's code is written for numpy and takes either kind; only how an array is *made* needs to know which.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def is_numpy(array: Any) -> bool:
    """Whether the array is numpy's own, or a number."""
    return isinstance(array, np.ndarray) or not hasattr(array, "__array_function__")


def as_array(values: Any, dtype: Any = None) -> Any:
    """Return an array; one of a device stays there."""
    return np.asarray(values, dtype=dtype) if is_numpy(values) else values


def zeros(shape: tuple[int, ...], like: Any, dtype: Any = np.float64) -> Any:
    """Return zeros where the other array is."""
    return np.zeros(shape, dtype=dtype) if is_numpy(like) else np.zeros_like(like, dtype=dtype, shape=shape)


def full(shape: tuple[int, ...], value: float, like: Any) -> Any:
    """Return equal numbers where the other array is."""
    return np.full(shape, value) if is_numpy(like) else np.full_like(like, value, dtype=np.float64, shape=shape)


def beside(array: Any, like: Any) -> Any:
    """Return the numbers of an array where the other one is; itself if it is there."""
    return array if is_numpy(like) or not is_numpy(array) else like.uploaded(array)
