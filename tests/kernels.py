"""Kernels K(u, v) as the tests of both sides write them."""

from __future__ import annotations

from constructions.targets import expression as ex
from constructions.targets.language import parse


def kernel(text: str) -> ex.Expression:
    """Read a tree in x[0] = u and x[1] = v."""
    return ex.specialise(parse(text, 2)[0], None)
