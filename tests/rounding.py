"""Results of torch made as bad as an assumption about a device allows, or worse, wherever the code under test computes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

aten = torch.ops.aten
Worse = Callable[[Any, torch.Tensor, Any], torch.Tensor]  # operation, result, arguments -> another result
PRODUCTS = {aten.mm.default, aten.bmm.default, aten.mv.default, aten.dot.default}
FUNCTIONS = {aten.exp.default, aten.log.default, aten.sin.default, aten.cos.default, aten.tanh.default, aten.sqrt.default}
UNITS = 7.0  # in the last place: 8 are assumed, of which the processor's own results may have used one


class Rounding(TorchDispatchMode):
    """Inside of it every float64 result passes through ``worse``."""

    def __init__(self, worse: Worse) -> None:
        super().__init__()
        self.worse = worse

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **kwargs or {})
        if not isinstance(found, torch.Tensor) or found.dtype != torch.float64 or func._schema.is_mutable:
            return found
        return self.worse(func, found, args)


def extreme(sign: float) -> Worse:
    """Return the worst that is assumed: sums off by gamma_k times the sum of sizes, functions by units in the last place.

    Args:
        sign: 1 or -1 for all results too large or too small, 0 for a mixture.
    """
    def worse(operation: Any, result: torch.Tensor, arguments: Any) -> torch.Tensor:
        if operation is aten.sum.dim_IntList:
            terms = arguments[0].numel() // max(1, result.numel())
            return result + _way(result) * gamma(terms - 1) * operation(arguments[0].abs(), *arguments[1:])
        if operation in PRODUCTS:
            a, b = arguments[:2]
            return result + _way(result) * gamma(a.shape[-1]) * operation(a.abs(), b.abs())
        return result + _way(result) * UNITS * 2.0**-52 * result.abs() if operation in FUNCTIONS else result

    def _way(result: torch.Tensor) -> torch.Tensor | float:
        mixed = torch.sin(12.9898 * torch.arange(result.numel(), dtype=torch.float64) + 1)
        return sign or torch.sign(mixed).reshape(result.shape)

    return worse


def gamma(terms: int) -> float:
    """Return most of k u for a sum of k operations; what is left is what the processor rounded itself."""
    return 0.9 * max(terms - 1, 0) * 2.0**-53
