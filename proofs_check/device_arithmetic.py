"""Whether a device computes as a bound assumes it does, asked of the device itself before it is relied on.

A bound found on a GPU rests on ``ASSUMED``. This cannot be proved by trying, but what commonly breaks it shows at once: subnormal
numbers taken as 0, quotients by a rounded reciprocal, products of matrices in fewer bits (TF32, emulated float64), functions that
are fast.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import torch
from flint import arb, ctx

from constructions.errors import Refused
from proofs_check.enclosures.device_array import on_device, on_host
from proofs_check.enclosures.functions import LIBM_ULPS
from proofs_check.enclosures.interval import Floats, quiet

ASSUMED = ("the device computes in float64: + - * / rounded to nearest, with gradual underflow; exp log sin cos tanh sqrt within "
           f"{LIBM_ULPS:.0f} units in the last place; sums and products of matrices in any order, each operation rounded once or "
           "fused (docs/trust.md); samples of each agreed")
EMULATED = "CUBLAS_EMULATE_DOUBLE_PRECISION"
SAMPLES = 2**12
SIGNS = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "maximum": "max", "minimum": "min", "fmax": "fmax",
         "fmin": "fmin"}
LARGEST = {"exp": 700.0, "log": 1e300, "sin": 1e6, "cos": 1e6, "tanh": 20.0, "sqrt": 1e300}
SPREAD = 40  # binary orders of magnitude of the factors in a product of matrices, each way


def ask(device: torch.device) -> None:
    """Compare samples of everything that is assumed with exact or correctly rounded results.

    Raises:
        Refused: something is not computed as assumed, with the first place where it is not.
    """
    if os.environ.get(EMULATED, "0") not in ("", "0"):
        raise Refused(f"--device {device.type}: {EMULATED} is set; products in emulated float64 do not obey the bound of "
                      f"rounding that is assumed, unset it")
    rng = np.random.default_rng(0)
    for wrong in (*_operations(device, rng), *_functions(device, rng), *_products(device, rng)):
        raise Refused(f"--device {device.type}: {wrong}; a bound found there would mean nothing, certify on the processor")


@quiet
def _operations(device: torch.device, rng: np.random.Generator) -> list[str]:
    """Compare what IEEE 754 leaves no choice about, between two arrays and between an array and a number."""
    a, b = _numbers(rng), _numbers(rng)
    a_there, b_there = on_device(a, device), on_device(b, device)
    wrong = []
    for name, sign in SIGNS.items():
        operation = getattr(np, name)
        for left, right, x, y in ((a, b, a_there, b_there), (a, 3.0, a_there, 3.0), (0.1, b, 0.1, b_there)):
            found, wanted = on_host(operation(x, y)), operation(left, right)
            for k in np.flatnonzero(~((found == wanted) | (np.isnan(found) & np.isnan(wanted))))[:1]:
                terms = [float(np.broadcast_to(one, found.shape)[k]) for one in (left, right)]
                wrong.append(f"{terms[0]!r} {sign} {terms[1]!r} is {float(found[k])!r} and not {float(wanted[k])!r}")
    return wrong


def _numbers(rng: np.random.Generator) -> Floats:
    """Draw numbers of all sizes, subnormal ones and those where things happen among them."""
    special = np.array([0.0, -0.0, 5e-324, -5e-324, 3e-320, 2.0**-1022, 2.0**-1021, 1.0, 1 + 2.0**-52, 1 - 2.0**-53, 1 / 3, 3.0,
                        2.0**53 + 2, 1.7e308, np.inf, -np.inf, np.nan])
    drawn = np.ldexp(rng.uniform(-2, 2, SAMPLES), rng.integers(-1074, 1023, SAMPLES))
    near = 1 + rng.integers(-2**20, 2**20, SAMPLES) * 2.0**-52
    return rng.permutation(np.concatenate([np.repeat(special, 30), drawn, near]))


def _functions(device: torch.device, rng: np.random.Generator) -> Iterator[str]:
    """Hold the elementary functions against balls."""
    for name, largest in LARGEST.items():
        size = np.exp2(rng.uniform(-60, np.log2(largest), SAMPLES // 4))
        x = size if name in ("log", "sqrt") else size * rng.choice([-1.0, 1.0], size.size)
        values = on_host(getattr(np, name)(on_device(x, device)))
        for at, value in zip(x.tolist(), values.tolist(), strict=True):
            allowed = LIBM_ULPS * (abs(arb(value)) * arb(2) ** -52 + arb(2) ** -1074)
            if not abs(_ball(name, at) - arb(value)) <= allowed:
                yield f"{name}({at!r}) is {value!r}, off by more than {LIBM_ULPS:.0f} units in the last place"
                break


def _ball(name: str, at: float) -> arb:
    precision, ctx.prec = ctx.prec, 120
    try:
        return getattr(arb(at), name)()
    finally:
        ctx.prec = precision


def _products(device: torch.device, rng: np.random.Generator) -> Iterator[str]:
    """Hold sums of products against fractions; their factors have so many sizes that fewer bits would show."""
    rows, terms = 6, 48
    a, b = (rng.uniform(-1, 1, (rows, terms)) * np.exp2(rng.integers(-SPREAD, SPREAD, (rows, terms))) for _ in range(2))
    x, y = on_device(a, device), on_device(b, device)
    # libraries have other ways to multiply large matrices: these are as large as a batch makes them
    many, most = on_device(np.tile(a, (2**10, 1)), device), on_device(np.tile(b, (2**4, 1)), device)
    every, alike = [(i, j) for i in range(rows) for j in range(rows)], [(i, i) for i in range(rows)]
    for what, found, factor, pairs in (
            ("a product of matrices", x @ y.T, b, every),
            ("a product of large matrices", (many @ most.T)[-rows:, -rows:], b, every),
            ("a sum", x.sum(axis=1), np.ones_like(b), alike), ("a contraction", np.einsum("ru,ru->r", x, y), b, alike)):
        for value, (i, j) in zip(on_host(found).ravel().tolist(), pairs, strict=True):
            products = [Fraction(s) * Fraction(t) for s, t in zip(a[i].tolist(), factor[j].tolist(), strict=True)]
            if abs(Fraction(value) - sum(products)) > Fraction(terms, 2**53 - terms) * sum(map(abs, products)):
                yield f"{what} is off by more than the rounding of its {terms} terms, {value!r} for {float(sum(products))!r}"
                break
